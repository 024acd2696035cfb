"""COMPRESS=DEFLATE: octets on their way in and out, in bounded memory (RFC 4978)."""

import zlib
from typing import Final

MOST_AT_ONCE: Final = 65536
"""Inflated octets given back in one piece: what a few received octets stand for is never held all at once."""

_LEVEL: Final = 2  # answers are compressed on the loop; higher levels gain little on mail and cost other sessions time
_WINDOW: Final = -14  # raw deflate; with this memory level 128 KiB while somebody is being answered
_MEMORY: Final = 7
_FLUSHED: Final = b"\x00\x00\xff\xff"  # how a flush ends, behind which something else may begin


class CompressionBroken(ValueError):
    """What the client sent is no deflate stream."""


class Compression:
    """Both directions of one connection. Deflate makes at most 1,032 octets of one, and `take` gives them piecemeal."""

    __slots__ = ("_deflater", "_inflater", "_is_full", "_place", "_waiting")

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(-15)  # as large as a client's window may be
        self._deflater: zlib._Compress | None = None
        self._waiting = b""  # received; what stands before `_place` is inflated
        self._place = 0
        self._is_full = False  # the inflater may hold more than it was allowed to give

    def feed(self, data: bytes) -> None:
        """Take octets as they came."""
        self._waiting = self._waiting[self._place :] + data
        self._place = 0

    def take(self) -> bytes:
        """The next inflated octets, of one flush at most; b"" when more must come. Raises CompressionBroken."""
        data = b""
        while not data and (self._is_full or self._place < len(self._waiting)):
            flushed = self._waiting.find(_FLUSHED, self._place)
            end = len(self._waiting) if flushed < 0 else flushed + len(_FLUSHED)
            try:
                data = self._inflater.decompress(self._waiting[self._place : end], MOST_AT_ONCE)
            except zlib.error as error:
                raise CompressionBroken(str(error)) from error
            if self._inflater.eof:
                raise CompressionBroken("The stream was ended.")
            self._place = end - len(self._inflater.unconsumed_tail)
            self._is_full = len(data) == MOST_AT_ONCE
        return data

    def left(self) -> bytes:
        """What was received and not inflated: octets that came as they are, once the client compresses no more."""
        return self._waiting[self._place :]

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
