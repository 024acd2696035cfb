"""The name that a ClientHello asks for, read from its bytes: OpenSSL forgets it where the handshake fails early."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(rb"[A-Za-z0-9_.-]{1,253}")
_SERVER_NAME: Final = 0  # the extension's number, and the type of a host name in it (RFC 6066 §3)


def asked_name(hello: bytes) -> str:
    """The host name (SNI) in the first record of a handshake; "" where there is none, or where it is not whole."""
    reader = _Reader(hello[5:])  # behind the record's header
    try:
        if hello[:1] != b"\x16" or reader.take(1) != b"\x01":
            return ""
        reader.take(3 + 2 + 32)  # length, version, random
        reader.vector(1)  # session
        reader.vector(2)  # ciphers
        reader.vector(1)  # compression
        extensions = _Reader(reader.vector(2))
        while extensions:
            kind, data = extensions.number(2), _Reader(extensions.vector(2))
            if kind == _SERVER_NAME:
                names = _Reader(data.vector(2))
                if names.number(1) == _SERVER_NAME:
                    name = names.vector(2)
                    return name.decode("ascii").lower() if _NAME.fullmatch(name) else ""
    except IndexError:
        pass
    return ""


class _Reader:
    """Takes pieces off the front. Raises IndexError where there is not enough."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, octets: int) -> bytes:
        piece = self._data[self._at : self._at + octets]
        if len(piece) < octets:
            raise IndexError
        self._at += octets
        return piece

    def number(self, octets: int) -> int:
        return int.from_bytes(self.take(octets))

    def vector(self, octets: int) -> bytes:
        """A piece with its length in front."""
        return self.take(self.number(octets))
