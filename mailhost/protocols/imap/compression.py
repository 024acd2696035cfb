"""COMPRESS=DEFLATE: octets on their way in and out, in bounded memory (RFC 4978)."""

import zlib
from typing import Final

MOST_AT_ONCE: Final = 65536
"""Inflated octets given back in one piece: what a few received octets stand for is never held all at once."""

_LEVEL: Final = 2  # answers are compressed on the loop; higher levels gain little on mail and cost other sessions time
_WINDOW: Final = -14  # raw deflate; with this memory level 128 KiB while somebody is being answered
_MEMORY: Final = 7


class CompressionBroken(ValueError):
    """What the client sent is no deflate stream."""


class Compression:
    """Both directions of one connection. Deflate makes at most 1,032 octets of one, and `take` gives them piecemeal."""

    __slots__ = ("_deflater", "_inflater", "_is_full", "_waiting")

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(-15)  # as large as a client's window may be
        self._deflater: zlib._Compress | None = None
        self._waiting = b""  # received, not yet inflated
        self._is_full = False  # the inflater may hold more than it was allowed to give

    def feed(self, data: bytes) -> None:
        """Take octets as they came."""
        self._waiting += data

    def take(self) -> bytes:
        """The next inflated octets, b"" when more must come. Raises CompressionBroken."""
        if not self._waiting and not self._is_full:
            return b""
        try:
            data = self._inflater.decompress(self._waiting, MOST_AT_ONCE)
        except zlib.error as error:
            raise CompressionBroken(str(error)) from error
        if self._inflater.eof:
            raise CompressionBroken("The stream was ended.")
        self._waiting = self._inflater.unconsumed_tail
        self._is_full = len(data) == MOST_AT_ONCE
        return data

    def deflate(self, data: bytes) -> bytes:
        """The octets to send, complete: the peer can read all of `data` from them (Z_SYNC_FLUSH)."""
        if self._deflater is None:
            self._deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY)
        return self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)

    def rest(self) -> None:
        """Give memory back until there is something to say again.

        A flush ends on a whole octet, and the blocks of a new compressor refer to nothing before them, so to the peer
        it is the same stream.
        """
        self._deflater = None
