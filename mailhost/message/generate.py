"""Realistic messages from a seed: what a demonstration shows, and what tests and benchmarks measure with.

The same seed gives the same octets on every machine. Lines end in CR LF.
"""

from base64 import encodebytes
from binascii import b2a_base64, b2a_qp
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import Final

from mailhost.message.words import CHINESE, NAMES, PROJECTS, REMARKS, SENTENCES, Person

_FIRST_MOMENT: Final = 1_767_225_600  # 2026-01-01
_LINE: Final = 74


def generate(seed: int, count: int, size: int = 10_000, owner: str = "demo@example.test") -> Iterator[bytes]:
    """`count` messages to `owner`, oldest first; `size` is about the average of their octets."""
    author = _Author(Random(seed), size, owner)  # noqa: S311 - not a secret: the same seed must give the same mail
    for number in range(count):
        yield author.message(number)


class _Author:
    """Writes one message after the other and remembers whom to answer."""

    def __init__(self, random: Random, size: int, owner: str) -> None:
        self._random = random
        self._size = size
        self._owner = owner
        self._number = 0
        self._threads: list[tuple[str, list[str]]] = []  # subject and the Message-IDs so far
        self._kinds: tuple[tuple[Callable[[int], bytes], int], ...] = (
            (self._plain, 30),
            (self._reply, 20),
            (self._alternative, 20),
            (self._attachment, 12),
            (self._newsletter, 6),
            (self._chinese, 6),
            (self._invitation, 3),
            (self._forwarded, 3),
        )

    def message(self, number: int) -> bytes:
        """The next message."""
        self._number = number
        makers = [maker for maker, _ in self._kinds]
        maker = self._random.choices(makers, [weight for _, weight in self._kinds])[0]
        # Most mail is small and some is large, so that the average is met but not by each.
        octets = int(self._size * self._random.choice((0.2, 0.3, 0.4, 0.6, 0.9, 1.3, 2.0, 3.2)) * 0.8)
        return maker(octets).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def _plain(self, octets: int) -> bytes:
        subject = self._new_subject()
        return self._header(subject) + _text_part("plain", self._prose(octets))

    def _reply(self, octets: int) -> bytes:
        if not self._threads:
            return self._plain(octets)
        subject, ids = self._random.choice(self._threads[-50:])
        someone = self._person()
        quoted = "\n".join("> " + line for line in self._prose(octets // 3).splitlines())
        remark = self._random.choice(REMARKS)
        text = f"{remark}\n\nOn Monday, {someone.name} wrote:\n{quoted}\n\n{self._prose(octets // 2)}"
        references = f"In-Reply-To: {ids[-1]}\nReferences: " + "\n ".join(ids[-12:]) + "\n"
        header = self._header(f"Re: {subject}", references, ids)
        return header + _text_part("plain", text)

    def _alternative(self, octets: int) -> bytes:
        prose = self._prose(octets // 2)
        boundary = self._boundary()
        parts = (_text_part("plain", prose), _text_part("html", _html(prose)))
        return self._header(self._new_subject()) + _multipart("alternative", boundary, parts)

    def _attachment(self, octets: int) -> bytes:
        kind, name = self._random.choice(
            (("application/pdf", "report.pdf"), ("image/png", "screenshot.png"), ("application/zip", "files.zip"))
        )
        data = self._random.randbytes(max(200, octets * 2))
        attached = (
            f'Content-Type: {kind}; name="{name}"\nContent-Disposition: attachment; filename="{name}";\n'
            f" size={len(data)}\nContent-Transfer-Encoding: base64\n\n"
        ).encode() + encodebytes(data)
        parts = (_text_part("plain", self._prose(600)), attached)
        return self._header(self._new_subject()) + _multipart("mixed", self._boundary(), parts)

    def _newsletter(self, octets: int) -> bytes:
        project = self._random.choice(PROJECTS)
        extra = (
            f"List-Id: {project} news <{project.lower()}.lists.example.org>\n"
            f"List-Unsubscribe: <https://lists.example.org/{project.lower()}/leave/{self._random.getrandbits(64):x}>\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\nPrecedence: bulk\n"
        )
        style = (
            "<style>body{font-family:sans-serif;margin:0}" + ".row td{padding:8px 16px}" * (octets // 200) + "</style>"
        )
        markup = f"<html><head>{style}</head>{_html(self._prose(octets // 2))}</html>"
        return self._header(f"{project} news, issue {self._number}", extra) + _text_part("html", markup)

    def _chinese(self, octets: int) -> bytes:
        charset = self._random.choice(("utf-8", "gb18030"))
        count = max(1, octets // 60)
        text = "\n".join(self._random.choice(CHINESE) for _ in range(count)) + "\n"
        subject = _encoded_word(self._random.choice(CHINESE)[:12], charset, "B")
        return self._header(subject) + _text_part("plain", text, charset)

    def _invitation(self, octets: int) -> bytes:
        start = f"2026{self._random.randint(1, 12):02}{self._random.randint(1, 28):02}T100000Z"
        project = self._random.choice(PROJECTS)
        calendar = (
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//Calendar//EN\nMETHOD:REQUEST\nBEGIN:VEVENT\n"
            f"UID:{self._random.getrandbits(96):x}@example.org\nDTSTART:{start}\nSUMMARY:{project} review\n"
            f"ORGANIZER:mailto:{self._person().address}\nATTENDEE;RSVP=TRUE:mailto:{self._owner}\n"
            "END:VEVENT\nEND:VCALENDAR\n"
        )
        invite = b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\n\n" + calendar.encode()
        parts = (_text_part("plain", self._prose(octets // 4)), invite)
        return self._header(f"Invitation: {project} review") + _multipart("alternative", self._boundary(), parts)

    def _forwarded(self, octets: int) -> bytes:
        inner = self._header("Original") + _text_part("plain", self._prose(octets // 2))
        attached = b"Content-Type: message/rfc822\nContent-Disposition: inline\n\n" + inner
        parts = (_text_part("plain", self._prose(300)), attached)
        return self._header("Fwd: " + self._new_subject()) + _multipart("mixed", self._boundary(), parts)

    def _new_subject(self) -> str:
        words = self._random.choice(SENTENCES).rstrip(".").split()
        return f"{self._random.choice(PROJECTS)}: {' '.join(words[:7])}"

    def _header(self, subject: str, extra: str = "", thread: list[str] | None = None) -> bytes:
        """The common fields; the message joins `thread` or begins one."""
        sender = self._person()
        moment = _FIRST_MOMENT + self._number * 1800 + self._random.randrange(1800)
        host = "mail." + sender.address.partition("@")[2]
        message_id = f"<{self._random.getrandbits(80):x}.{self._number}@{host}>"
        if thread is None:
            self._threads.append((subject, [message_id]))
            del self._threads[:-200]
        else:
            thread.append(message_id)
        copies = ""
        if self._random.random() < 0.3:
            others = [self._person() for _ in range(self._random.randint(1, 4))]
            copies = "Cc: " + ",\n ".join(_mailbox(other) for other in others) + "\n"
        return (
            f"Received: from {host} (mail.example.net [192.0.2.{self._number % 254 + 1}])\n"
            f"\tby mx.example.test with ESMTPS id {self._random.getrandbits(48):x};\n\t{_date(moment + 2)}\n"
            f"Date: {_date(moment)}\nFrom: {_mailbox(sender)}\nTo: {self._owner}\n{copies}Subject: {subject}\n"
            f"Message-ID: {message_id}\n{extra}MIME-Version: 1.0\n"
        ).encode()

    def _person(self) -> Person:
        return self._random.choice(NAMES)

    def _boundary(self) -> str:
        return f"----=_Part_{self._number}_{self._random.getrandbits(64):x}"

    def _prose(self, octets: int) -> str:
        """Paragraphs of about that many octets, in lines as mailers fold them."""
        lines: list[str] = []
        line = ""
        left = octets
        while left > 0:
            for word in self._random.choice(SENTENCES).split():
                if len(line) + len(word) >= _LINE:
                    lines.append(line)
                    left -= len(line) + 2
                    line = ""
                line = f"{line} {word}" if line else word
            if self._random.random() < 0.15:
                lines += [line, ""]
                left -= len(line) + 4
                line = ""
        return "\n".join((*lines, line)) + "\n"


def _text_part(subtype: str, text: str, charset: str = "utf-8") -> bytes:
    """The Content- fields and the body of a text, encoded as it needs."""
    octets = text.encode(charset)
    if octets.isascii() and subtype == "plain":
        encoding, body = "7bit", octets
    elif charset == "utf-8":
        encoding, body = "quoted-printable", b2a_qp(octets)
    else:
        encoding, body = "base64", encodebytes(octets)
    return f"Content-Type: text/{subtype}; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n".encode() + body


def _multipart(subtype: str, boundary: str, parts: tuple[bytes, ...]) -> bytes:
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\n\n'.encode()
    delimiter = f"--{boundary}\n".encode()
    body = b"".join(delimiter + part + b"\n" for part in parts)
    return head + body + f"--{boundary}--\n".encode()


def _html(prose: str) -> str:
    paragraphs = prose.replace("&", "&amp;").replace("<", "&lt;").split("\n\n")
    rows = "".join(f'<tr class="row"><td><p>{paragraph}</p></td></tr>\n' for paragraph in paragraphs)
    return f'<body bgcolor="#ffffff"><table width="100%" role="presentation">\n{rows}</table></body>'


def _mailbox(person: Person) -> str:
    name = person.name if person.name.isascii() else _encoded_word(person.name, "utf-8", "Q")
    return f'"{name}" <{person.address}>' if "." in name else f"{name} <{person.address}>"


def _encoded_word(text: str, charset: str, encoding: str) -> str:
    octets = text.encode(charset)
    if encoding == "B":
        return f"=?{charset}?B?{b2a_base64(octets, newline=False).decode()}?="
    return f"=?{charset}?Q?{''.join(chr(o) if chr(o).isalnum() and o < 128 else f'={o:02X}' for o in octets)}?="


def _date(moment: int) -> str:
    return format_datetime(datetime.fromtimestamp(moment, UTC))
