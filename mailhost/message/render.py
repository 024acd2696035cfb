"""IMAP's way to write strings inside ENVELOPE and BODYSTRUCTURE (RFC 9051 §4.3)."""

import re
from typing import Final

_QUOTABLE: Final = re.compile(rb"[ !#-\[\]-~]*")
_ESCAPABLE: Final = re.compile(rb"[ -~]*")
_SPECIAL: Final = re.compile(rb'(["\\])')


def string(value: bytes) -> bytes:
    """A quoted string where every client reads one, a literal for 8-bit and control octets. NUL becomes `?`."""
    if _QUOTABLE.fullmatch(value):
        return b'"%b"' % value
    if _ESCAPABLE.fullmatch(value):
        return b'"%b"' % _SPECIAL.sub(rb"\\\1", value)
    if b"\0" in value:
        value = value.replace(b"\0", b"?")
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    """The string, or NIL."""
    return b"NIL" if value is None else string(value)
