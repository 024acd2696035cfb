"""Undoing a transfer encoding piece by piece, in bounded memory (RFC 2045 §6)."""

import binascii
from typing import Final

from mailhost.message.encoded import decode_quoted_printable

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64: Final = bytes(octet for octet in range(256) if octet not in _BASE64)
_LONG_LINE: Final = 65536


class Identity:
    """7bit, 8bit and binary: the octets are what they stand for."""

    def feed(self, chunk: bytes) -> bytes:
        """The octets that `chunk` completes."""
        return chunk

    def finish(self) -> bytes:
        """What is left at the end."""
        return b""


class Base64:
    """Base64; what is no digit is passed over, and the first padding ends the data."""

    def __init__(self) -> None:
        self._digits = b""
        self._is_over = False

    def feed(self, chunk: bytes) -> bytes:
        """The octets that `chunk` completes."""
        if self._is_over:
            return b""
        digits, padding, _ = (self._digits + chunk.translate(None, _NOT_BASE64)).partition(b"=")
        whole = len(digits) & ~3
        self._digits = digits[whole:]
        octets = binascii.a2b_base64(digits[:whole])
        if not padding:
            return octets
        return octets + self.finish()

    def finish(self) -> bytes:
        """What is left at the end; a single digit stands for nothing."""
        digits, self._digits, self._is_over = self._digits, b"", True
        return binascii.a2b_base64(digits + b"=" * (4 - len(digits))) if len(digits) > 1 else b""


class QuotedPrintable:
    """Quoted-printable; what is no escape stands for itself."""

    def __init__(self) -> None:
        self._line = b""

    def feed(self, chunk: bytes) -> bytes:
        """The octets that `chunk` completes: whole lines, for only their end tells a soft break from an escape."""
        text = self._line + chunk
        end = text.rfind(b"\n") + 1
        if not end and len(text) > _LONG_LINE:
            end = _before_escape(text)
        self._line = text[end:]
        return decode_quoted_printable(text[:end])

    def finish(self) -> bytes:
        """What is left at the end."""
        line, self._line = self._line, b""
        return decode_quoted_printable(line)


def _before_escape(text: bytes) -> int:
    """Where a line without end can be cut: near its end, but not in what may become an escape or a soft break."""
    end = len(text.rstrip(b" \t\r"))
    escape = text.rfind(b"=", max(0, end - 2), end)
    return (end if escape < 0 else escape) or len(text)


Decoder = Identity | Base64 | QuotedPrintable


def decoder_for(encoding: bytes) -> Decoder | None:
    """The decoder for a transfer encoding in lower case; None for one nobody knows."""
    match encoding:
        case b"base64":
            return Base64()
        case b"quoted-printable":
            return QuotedPrintable()
        case b"7bit" | b"8bit" | b"binary":
            return Identity()
        case _:
            return None
