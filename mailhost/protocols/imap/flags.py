"""Flags and keywords as they stand on the wire (RFC 9051 §2.3.2)."""

import re
from typing import Final

SYSTEM_FLAGS: Final = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
"""The flags a client may set, in the order they are told; everything else without a backslash is a keyword."""

MAX_KEYWORD: Final = 255

_CANONICAL: Final = {flag.lower(): flag for flag in SYSTEM_FLAGS}
_KEYWORD: Final = re.compile(r'[^\x00-\x20(){%*"\\\]\x7f-\uffff]+')


class InvalidFlag(ValueError):
    """No keyword; the message says why."""


def parse_flag(atom: str) -> str | None:
    """The flag in its canonical case, a keyword as written. Raises InvalidFlag.

    None for any other system flag, `\\Recent` among them: what is not among PERMANENTFLAGS is passed over (RFC 9051
    §7.1), for programs bring along what other servers made up.
    """
    if atom.startswith("\\"):
        return _CANONICAL.get(atom.lower())
    if len(atom) > MAX_KEYWORD:
        raise InvalidFlag(f"A keyword has at most {MAX_KEYWORD} characters.")
    if _KEYWORD.fullmatch(atom) is None:
        raise InvalidFlag("A keyword cannot hold these characters.")
    return atom
