"""IMAP said line by line: for tests that talk as a certain program does, and for a look into a whole account."""

import re
import socket
import zlib
from collections.abc import Sequence
from types import TracebackType
from typing import Final

from tests.clients.mail import letter
from tests.running import Account, Server

_LITERAL: Final = re.compile(rb"\{(\d+)\}\r\n\Z")
_LIST: Final = re.compile(rb'\* LIST \(([^)]*)\) "/" "?([^"\r]*)"?\r\n')
_AT_ONCE: Final = 100
"""Messages that one APPEND brings."""


class RawImap:
    """One connection in TLS, signed in. Literals are sent without waiting (LITERAL+)."""

    def __init__(self, server: Server, account: Account, *, end: bytes = b"\r\n") -> None:
        plain = socket.create_connection(("localhost", server.ports["imaps"]), timeout=60)
        self._socket = server.tls().wrap_socket(plain, server_hostname="localhost")
        self._end = end
        self._heard = b""
        self._tag = 0
        self._deflate: zlib._Compress | None = None
        self._inflate: zlib._Decompress | None = None
        assert self._line().startswith(b"* OK")
        self.ask(f'LOGIN {account.address} "{account.password}"')

    def __enter__(self) -> "RawImap":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def compress(self) -> None:
        """From here on both sides compress (RFC 4978)."""
        self.ask("COMPRESS DEFLATE")
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        self._inflate = zlib.decompressobj(-15)

    def ask(self, *words: str | bytes) -> list[bytes]:
        """Give one command; the answers, each with its literals inside, the tagged one last. It must be OK."""
        self._tag += 1
        tag = b"t%d " % self._tag
        pieces = [word.encode() if isinstance(word, str) else b"{%d+}\r\n%b" % (len(word), word) for word in words]
        self._say(tag + b" ".join(pieces) + self._end)
        return self._answers(tag, words[0])

    def idle(self) -> None:
        """Go to sleep."""
        self._tag += 1
        self._say(b"t%d IDLE" % self._tag + self._end)
        assert self._line().startswith(b"+ ")

    def wake(self) -> list[bytes]:
        """What was told meanwhile."""
        self._say(b"DONE" + self._end)
        return self._answers(b"t%d " % self._tag, "IDLE")

    def _say(self, data: bytes) -> None:
        if self._deflate is not None:
            data = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self._socket.sendall(data)

    def _answers(self, tag: bytes, asked: str | bytes) -> list[bytes]:
        answers: list[bytes] = []
        while not answers or not answers[-1].startswith(tag):
            answers.append(self._line())
            assert not answers[-1].startswith(b"* BYE"), answers[-1]
        assert answers[-1].startswith(tag + b"OK"), (asked, answers[-1])
        return answers

    def _line(self) -> bytes:
        line = self._until(b"\n")
        while (found := _LITERAL.search(line)) is not None:
            line += self._octets(int(found[1])) + self._until(b"\n")
        return line

    def _until(self, end: bytes) -> bytes:
        while (at := self._heard.find(end)) < 0:
            self._receive()
        return self._octets(at + len(end))

    def _octets(self, count: int) -> bytes:
        while len(self._heard) < count:
            self._receive()
        octets, self._heard = self._heard[:count], self._heard[count:]
        return octets

    def _receive(self) -> None:
        data = self._socket.recv(1 << 18)
        assert data, "the server closed the connection"
        self._heard += data if self._inflate is None else self._inflate.decompress(data)


def names_in(answers: Sequence[bytes]) -> dict[str, str]:
    """Name as it came → its attributes, of the mailboxes in answers to LIST that can be selected."""
    found = (_LIST.fullmatch(line) for line in answers)
    named = {match[2].decode(): match[1].decode() for match in found if match}
    return {name: words for name, words in named.items() if not re.search(r"\\(Noselect|NonExistent)", words)}


def subscribe(imap: RawImap, name: str) -> None:
    """To the mailbox and to each level above it, which CREATE and RENAME make where there is none."""
    for slash in re.finditer("/|$", name):
        imap.ask(f'SUBSCRIBE "{name[: slash.start()]}"')


def fill_many(server: Server, account: Account, mailboxes: dict[str, Sequence[str]]) -> None:
    """Mailbox → the subjects of letters to put there; one that is not INBOX is made and subscribed to."""
    with RawImap(server, account) as imap:
        imap.ask("ENABLE UTF8=ACCEPT")
        for name, subjects in mailboxes.items():
            if name != "INBOX":
                imap.ask(f'CREATE "{name}"')
                subscribe(imap, name)
            for start in range(0, len(subjects), _AT_ONCE):
                letters = [
                    letter("a@other.example", account.address, each) for each in subjects[start : start + _AT_ONCE]
                ]
                imap.ask(f'APPEND "{name}"', *letters)


def whole_account(server: Server, account: Account) -> dict[str, dict[str, set[str]]]:
    """Mailbox → subject → flags, of every mailbox that can be selected; a subject that stands twice fails."""
    everything = {}
    with RawImap(server, account) as imap:
        imap.ask("ENABLE UTF8=ACCEPT")
        for name in names_in(imap.ask('LIST "" "*"')):
            [exists] = re.findall(rb"\* (\d+) EXISTS", b"".join(imap.ask(f'EXAMINE "{name}"')))
            rows = imap.ask("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[:-1]
            found = dict(map(subject_and_flags, rows))
            assert len(found) == len(rows) == int(exists), name
            everything[name] = found
    return everything


def subject_and_flags(row: bytes) -> tuple[str, set[str]]:
    """What a FETCH of flags and subject says."""
    subject, flags = re.search(rb"\r\nSubject: ([^\r]*)", row), re.search(rb"FLAGS \(([^)]*)\)", row)
    assert subject is not None, row
    assert flags is not None, row
    return subject[1].decode(), set(flags[1].decode().split()) - {r"\Recent"}
