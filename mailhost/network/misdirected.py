"""Words for clients that speak the wrong protocol to a port: told by their first bytes, answered in the port's own.

Most "cannot connect" troubles are a wrong port or a wrong encryption setting; a client shows such a line to its user.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from mailhost.network.tls import RECORD_TYPES

_HTTP: Final = re.compile(rb"(?:GET|HEAD|POST|PUT|OPTIONS|CONNECT|PRI|DELETE) \S+ HTTP/", re.IGNORECASE)
_SMTP: Final = re.compile(rb"(?:EHLO|HELO|LHLO) ", re.IGNORECASE)
_POP3: Final = re.compile(rb"(?:USER [^\r\n]*|CAPA|STLS|APOP [^\r\n]*)\r?\n", re.IGNORECASE)
_IMAP: Final = re.compile(  # a tag has a digit in practice, and a host name after EHLO may be anything
    rb"[A-Za-z]*[0-9][A-Za-z0-9.]* (?:LOGIN|CAPABILITY|AUTHENTICATE|STARTTLS|ID|NOOP)[ \r\n]", re.IGNORECASE
)


class Service(Enum):
    """What a port speaks."""

    IMAP = "imap"
    POP3 = "pop3"
    SMTP = "smtp"
    LMTP = "lmtp"
    HTTP = "http"

    def farewell(self, words: str) -> bytes:
        """`words`, as this protocol says them before it hangs up."""
        return _FAREWELLS[self].format(words).encode()


_FAREWELLS: Final = {
    Service.IMAP: "* BYE {}\r\n",
    Service.POP3: "-ERR {}\r\n",
    Service.SMTP: "421 4.3.2 {}\r\n",
    Service.LMTP: "421 4.3.2 {}\r\n",
    Service.HTTP: "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n{}\r\n",
}

_STARTS: Final[dict[Service, tuple[tuple[re.Pattern[bytes], str], ...]]] = {
    Service.IMAP: ((_HTTP, "HTTP"), (_SMTP, "SMTP"), (_POP3, "POP3")),
    Service.POP3: ((_HTTP, "HTTP"), (_SMTP, "SMTP"), (_IMAP, "IMAP")),
    Service.SMTP: ((_HTTP, "HTTP"), (_IMAP, "IMAP"), (_POP3, "POP3")),
    Service.LMTP: ((_HTTP, "HTTP"),),
    Service.HTTP: ((_SMTP, "SMTP"), (_IMAP, "IMAP")),
}


def judge(service: Service, first: bytes, *, expects_tls: bool, connection: str) -> tuple[str, bytes] | None:
    """What the peer seems to speak and the line to part with; None when `first` may be the service's own.

    `first` is what came first, b"" for a client that is silent on a port where it should begin TLS. The line ends in
    the `connection`'s name, for where TLS was to come first no greeting told it.
    """
    verdict = _verdict(service, first, expects_tls=expects_tls)
    return None if verdict is None else (verdict[0], service.farewell(f"{verdict[1]} ({connection})"))


def _verdict(service: Service, first: bytes, *, expects_tls: bool) -> tuple[str, str] | None:
    is_tls = first != b"" and first[0] in RECORD_TYPES
    if expects_tls and is_tls:
        return None
    if expects_tls:
        words = "In your mail client choose SSL/TLS for it, or another port."
        if service is Service.HTTP:
            words = "Open it with https:// in place of http://."
        return ("plaintext" if first else "nothing"), f"This port expects TLS from the first byte. {words}"
    if is_tls:
        words = "In your mail client choose STARTTLS for it, or another port."
        if service is Service.HTTP:
            words = "Open it with http:// in place of https://."
        return "TLS", f"This port begins without TLS. {words}"
    for pattern, name in _STARTS[service]:
        if pattern.match(first):
            return name, f"This port speaks {service.name}, and you speak {name}: another port or host?"
    return None
