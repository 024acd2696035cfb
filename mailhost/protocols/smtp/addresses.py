"""Envelope addresses: what stands between `<` and `>` in MAIL and RCPT (RFC 5321 §4.1.2, RFC 6531 §3.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\xa1-\U0010ffff-]+"
_LABEL = (
    r"[A-Za-z0-9_\xa1-\U0010ffff](?:[A-Za-z0-9_\xa1-\U0010ffff-]*[A-Za-z0-9_\xa1-\U0010ffff])?"  # `_`: it is out there
)
_LITERAL = r"\[[A-Za-z0-9:.]{3,60}\]"
_DOT_STRING: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PATH: Final = re.compile(
    rf"""(?:@[^<>:"\s]+:)?                                    # a source route: to be accepted and ignored
    (?:({_DOT_STRING.pattern})|"((?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*)")
    @({_DOMAIN.pattern}|{_LITERAL})""",
    re.VERBOSE,
)
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_NEEDS_ESCAPE: Final = re.compile(r'(["\\])')
_MAX_LOCAL: Final = 256  # RFC 5321 §4.5.3.1 says 64; VERP and SRS senders are longer
_MAX_DOMAIN: Final = 255


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox address.

    `local` is without quoting; `domain` as written, `[…]` for a literal, empty for `<postmaster>`.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        """As it stands in commands and header fields, quoted where it must be."""
        local = self.local
        if not _DOT_STRING.fullmatch(local):
            local = '"' + _NEEDS_ESCAPE.sub(r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local

    @property
    def is_ascii(self) -> bool:
        """Whether it can be used without SMTPUTF8."""
        return self.local.isascii() and self.domain.isascii()


@lru_cache(maxsize=1024)  # the same few addresses come again and again
def parse_address(text: str) -> Address | None:
    """An address without its angle brackets; None when it is none. `postmaster` alone is one (RFC 5321 §4.1.1.3)."""
    if text.casefold() == "postmaster":
        return Address(text, "")
    found = _PATH.fullmatch(text)
    if found is None:
        return None
    plain, quoted, domain = found.groups()
    local = plain if plain is not None else _QUOTED_PAIR.sub(r"\1", quoted)
    if len(local.encode()) > _MAX_LOCAL or len(domain.encode()) > _MAX_DOMAIN:
        return None
    if domain.startswith("[") and not _is_literal(domain[1:-1]):
        return None
    return Address(local, domain)


def _is_literal(text: str) -> bool:
    try:
        if text[:5].upper() == "IPV6:":
            IPv6Address(text[5:])
        else:
            IPv4Address(text)
    except ValueError:
        return False
    return True
