"""Recognises a client that speaks another protocol than the port's, so that it can be told so in words."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final


class Foreign(Enum):
    """The protocol an unknown command line belongs to; the value is its name for people."""

    HTTP = "HTTP"
    IMAP = "IMAP"
    SMTP = "SMTP"
    POP3 = "POP3"


_SIGNS: Final = (
    (Foreign.HTTP, re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|PATCH|PRI) \S+(?: HTTP/|$)")),
    (Foreign.SMTP, re.compile(rb"(?i:EHLO|HELO|LHLO|MAIL FROM:|RCPT TO:)")),
    (Foreign.POP3, re.compile(rb"(?i:(?:USER|PASS|APOP|RETR|UIDL) \S|(?:CAPA|STLS|STAT|UIDL)\s*$)")),
    (
        Foreign.IMAP,
        re.compile(rb"(?i:[a-z0-9.]{1,32} (?:LOGIN|AUTHENTICATE|CAPABILITY|STARTTLS|ID|NOOP|SELECT|LIST|LOGOUT)\b)"),
    ),
)


def recognise(line: bytes) -> Foreign | None:
    """The protocol `line` belongs to, if it shows. Ask only about lines that are no command of the port's own."""
    return next((protocol for protocol, sign in _SIGNS if sign.match(line)), None)
