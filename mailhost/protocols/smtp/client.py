"""The client's side of SMTP: commands to bytes, replies to values. The conversation itself is the worker's story."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from mailhost.protocols.lines import LineBuffer, LineTooLong
from mailhost.protocols.smtp.addresses import Address
from mailhost.protocols.smtp.events import Body

_MAX_LINE: Final = 4096  # RFC 5321 allows 512; servers write essays
_MAX_LINES: Final = 128
_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_STATUS: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply: its code and the text of each line."""

    code: int
    lines: tuple[str, ...]

    @property
    def status(self) -> str:
        """The enhanced status code; when the server gives none, the one its reply code implies (`5.0.0`)."""
        found = _STATUS.match(self.lines[0])
        return found[1] if found else f"{self.code // 100}.0.0"

    @property
    def text(self) -> str:
        """All lines as one, for logs and bounces, without the repeated status code."""
        status = self.status + " "
        return " ".join(line.removeprefix(status).strip() for line in self.lines).strip()

    @property
    def keywords(self) -> dict[str, str]:
        """What an answer to EHLO announces: keyword in capitals → its parameters."""
        pairs = (line.partition(" ") for line in self.lines[1:])
        return {name.upper(): parameters for name, _, parameters in pairs}


@dataclass(frozen=True, slots=True)
class Garbage:
    """The server sent what is no reply; the conversation cannot go on."""

    line: bytes


class SmtpReplies:
    """Replies out of received bytes, bounded."""

    def __init__(self) -> None:
        self._lines = LineBuffer(_MAX_LINE)
        self._code = 0
        self._texts: list[str] = []

    def receive_data(self, data: bytes) -> None:
        """Take in what was received."""
        self._lines.feed(data)

    def tls_started(self) -> None:
        """Forget what was received in plain text: it could have been put there by anybody."""
        self._lines.clear()
        self._texts = []

    def next_event(self) -> Reply | Garbage | None:
        """The next whole reply, or None when more octets are needed."""
        while True:
            try:
                line = self._lines.next_line()
            except LineTooLong:
                return Garbage(b"a line without end")
            if line is None:
                return None
            found = _LINE.fullmatch(line)
            if found is None or (self._texts and int(found[1]) != self._code) or len(self._texts) >= _MAX_LINES:
                self._texts = []
                return Garbage(line[:200])
            self._code = int(found[1])
            self._texts.append((found[3] or b"").decode("utf-8", "replace"))
            if found[2] != b"-":
                reply = Reply(self._code, tuple(self._texts))
                self._texts = []
                return reply


def ehlo(name: str) -> bytes:
    """`name` is the host that speaks."""
    return f"EHLO {name}\r\n".encode()


def auth_plain(user: str, secret: str) -> bytes:
    """The whole of a PLAIN sign-in in one command (RFC 4616)."""
    return b"AUTH PLAIN " + b64encode(f"\0{user}\0{secret}".encode()) + b"\r\n"


def mail_from(sender: Address | None, keywords: dict[str, str], *, size: int, body: Body, utf8: bool) -> bytes:
    """MAIL, with the parameters the server understands."""
    words = [f"MAIL FROM:<{sender or ''}>"]
    if "SIZE" in keywords:
        words.append(f"SIZE={size}")
    if "8BITMIME" in keywords:
        words.append(f"BODY={body.value}")
    if utf8:
        words.append("SMTPUTF8")
    return (" ".join(words) + "\r\n").encode()


def rcpt_to(recipient: Address) -> bytes:
    """RCPT."""
    return f"RCPT TO:<{recipient}>\r\n".encode()
