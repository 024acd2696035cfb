"""Letters and names that are hard to keep as they are, and a look into an account octet by octet."""

import base64
import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from tests.clients.raw import RawImap, names_in, subscribe
from tests.running import Account, Server

NAMES: Final = (
    "Reisen/Österreich/東京",
    "Reisen/Österreich/東京/Zoë & Søn",
    "a.b, c; (d) [e] {f}",
    "~tilde/'quoted'/$HOME !",
    "Ελληνικά/Ἀθῆναι",
    "עברית/العربية",
    "emoji 😀/👩‍👩‍👧",
    "R&D/Q&A",
    "deep/er/and/deep/er/still/and/down",
)
"""Nested, in many scripts, beyond the Basic Multilingual Plane, and with characters that mean something elsewhere."""

_AT_ONCE: Final = 50
_FLAGS: Final = ("()", r"(\Seen)", r"(\Seen \Answered)", r"(\Flagged)", r"(\Seen \Flagged)", r"(\Seen \Draft)")
_FETCH: Final = re.compile(rb"\* \d+ FETCH \(.*?FLAGS \(([^)]*)\).*?\{(\d+)\}\r\n", re.DOTALL)
_TUID: Final = re.compile(rb"(?m)^X-TUID: .{12}\r\n")

Everything = dict[str, Counter[tuple[str, frozenset[str]]]]
"""Mailbox → (digest of the octets, flags) → how often."""


def _plain(number: int, body: bytes, *fields: bytes) -> bytes:
    head = (b"From: a@other.example", b"Subject: letter %d" % number, b"Message-ID: <%d@hard.example>" % number)
    return b"\r\n".join((*head, *fields)) + b"\r\n\r\n" + body


def _parts(number: int, *parts: bytes) -> bytes:
    body = b"".join(b"--=_x\r\n" + part + b"\r\n" for part in parts) + b"--=_x--\r\n"
    return _plain(number, body, b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="=_x"')


def _noise(number: int) -> bytes:
    """Base64 that hardly gets smaller when compressed."""
    return base64.encodebytes(random.Random(number).randbytes(50_000)).replace(b"\n", b"\r\n")


_KINDS: Final[tuple[Callable[[int], bytes], ...]] = (
    lambda n: _plain(n, b"Hello.\r\n"),
    lambda n: _plain(n, b"no line end at the end"),
    lambda n: _plain(n, b""),
    lambda n: _plain(n, b"From here it looks like a mailbox.\r\n.\r\n..\r\n>From\r\n\r\n\r\n"),
    lambda n: _plain(n, "Grüße, 你好, 🎉\r\n".encode(), "X-Raw: Zürich €".encode(), b"Content-Transfer-Encoding: 8bit"),
    lambda n: _plain(
        n, b"caf\xe9 \x80\xff\xfe\r\n", b"Content-Type: text/plain; charset=iso-8859-1", b"X-Raw: caf\xe9"
    ),
    lambda n: _plain(n, b"x" * 20_000 + b"\r\n"),
    lambda n: _plain(n, b"long head\r\n", b"X-Long: " + b"\r\n\tfolded" * 2_000),
    lambda n: _plain(n, b"", b"References:" + b"".join(b"\r\n <%d.%d@hard.example>" % (n, each) for each in range(99))),
    lambda n: b"Subject: nothing below %d\r\n\r\n" % n,
    lambda n: b"\r\nno head at all %d\r\n" % n,
    lambda n: b"this is no head %d\r\nand neither is this\r\n\r\nbody\r\n" % n,
    lambda n: b"Message-ID: <always-the-same@hard.example>\r\nSubject: twin %d\r\n\r\n%d\r\n" % (n, n),
    lambda n: b"Date: Thu, 1 Jan 1950 00:00:00 +0000\r\nDate: not a date %d\r\nSubject:\r\n\r\n" % n,
    lambda n: _plain(n, b"tabs\t\x0b\x0c\x1b[31mred\x07\x08 \x7f\r\n"),
    lambda n: _parts(n, b"Content-Type: message/rfc822\r\n\r\n" + _parts(n, b"\r\ninner"), b"\r\nouter"),
    lambda n: _parts(n, b"Content-Type: text/html\r\n\r\n<p>&amp;", b"Content-Type: ; =broken\r\n\r\n") + b"epilogue",
    lambda n: _plain(n, b"--b\r\n\r\nnever closed", b"Content-Type: multipart/mixed; boundary=b"),
    lambda n: _plain(n, b"A" * 76 + b"\r\n", b"Content-Disposition: attachment; filename*=UTF-8''%E2%82%AC.txt"),
    lambda n: _plain(n, _noise(n), b"Content-Transfer-Encoding: base64"),
)


def hard_letters(count: int, first: int = 0) -> list[bytes]:
    """So many letters, no two alike; lines end in CR LF, and there is no NUL."""
    return [_KINDS[number % len(_KINDS)](number) for number in range(first, first + count)]


def put(server: Server, account: Account, mailboxes: dict[str, list[bytes]]) -> None:
    """Append letters to mailboxes, each made and subscribed to first where it is not there."""
    with RawImap(server, account) as imap:
        imap.ask("ENABLE UTF8=ACCEPT")
        known = names_in(imap.ask('LIST "" "*"'))
        for name, letters in mailboxes.items():
            if name not in known:
                imap.ask(f'CREATE "{name}"')
                subscribe(imap, name)
            for start in range(0, len(letters), _AT_ONCE):
                words: list[str | bytes] = []
                for number, each in enumerate(letters[start : start + _AT_ONCE], start):
                    words += [_FLAGS[number % len(_FLAGS)], f'"{number % 28 + 1:02}-Feb-2020 03:04:05 +0000"', each]
                imap.ask(f'APPEND "{name}"', *words)


def everything(server: Server, account: Account) -> Everything:
    """What the account holds; each message is read whole, its size is told right, and UIDs rise."""
    found: Everything = {}
    with RawImap(server, account) as imap:
        imap.ask("ENABLE UTF8=ACCEPT")
        for name in names_in(imap.ask('LIST "" "*"')):
            [exists] = re.findall(rb"\* (\d+) EXISTS", b"".join(imap.ask(f'EXAMINE "{name}"')))
            rows = [row_of(row) for row in imap.ask("UID FETCH 1:* (FLAGS BODY.PEEK[])")[:-1]]
            assert len(rows) == int(exists), name
            found[name] = Counter(rows)
    return found


def row_of(row: bytes) -> tuple[str, frozenset[str]]:
    """Digest and flags of one answer to FETCH (FLAGS BODY.PEEK[])."""
    match = _FETCH.match(row)
    assert match is not None, row[:200]
    octets = row[match.end() : match.end() + int(match[2])]
    return digest(octets), frozenset(match[1].decode().split()) - {r"\Recent"}


def digest(octets: bytes) -> str:
    """What tells one message from another, but for the field by which mbsync knows what it has carried."""
    return hashlib.sha256(_TUID.sub(b"", octets, count=1)).hexdigest()[:16]


def differences(one: Everything, other: Everything) -> list[str]:
    """Where two sides are not equal, in words; empty when they are."""
    said = [f"only on one side: {name}" for name in sorted(one.keys() ^ other.keys())]
    for name in sorted(one.keys() & other.keys()):
        missing, more = one[name] - other[name], other[name] - one[name]
        said += (
            [f"{name}: not there {list(missing.items())[:3]}, instead {list(more.items())[:3]}"]
            if missing or more
            else []
        )
    return said
