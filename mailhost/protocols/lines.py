"""Command lines out of a byte stream, bounded, however the bytes were split."""

from __future__ import annotations


class LineTooLong(Exception):
    """The peer sent a line longer than allowed; the rest of it is thrown away, so the conversation stays in step."""


class LineBuffer:
    """Holds received octets and hands them out as lines or raw pieces.

    A line ends with CR LF, or with a bare LF, which some clients send after commands. `max_line` counts octets without
    the line end and may be changed between two lines. What is held stays bounded as long as the owner asks for lines
    until there are none before it feeds again.
    """

    __slots__ = ("_buffer", "_searched", "_skipping", "max_line")

    def __init__(self, max_line: int) -> None:
        self.max_line = max_line
        self._buffer = bytearray()
        self._searched = 0  # no LF stands before this offset, so a slow line is not searched again and again
        self._skipping = False

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add received octets; nothing is parsed."""
        self._buffer += data

    def next_line(self) -> bytes | None:
        """The next line without its end, or None when more octets are needed. Raises LineTooLong once per such line."""
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if end < 0:
                self._wait_for_end()
                return None
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._searched = 0
            if self._skipping:
                self._skipping = False
                continue
            if line.endswith(b"\r"):
                line = line[:-1]
            if len(line) > self.max_line:
                raise LineTooLong
            return line

    def _wait_for_end(self) -> None:
        if self._skipping:
            self._buffer.clear()
        elif len(self._buffer) > self.max_line + 1:  # one more octet may be the CR of a line that just fits
            self._skipping = True
            self._buffer.clear()
            self._searched = 0
            raise LineTooLong
        self._searched = len(self._buffer)

    def take(self, limit: int | None = None) -> bytes:
        """Hand out at most `limit` raw octets (all that are held when None), for literals and message data."""
        taken = bytes(self._buffer if limit is None else self._buffer[:limit])
        del self._buffer[: len(taken)]
        self._searched = 0
        return taken

    def put_back(self, data: bytes) -> None:
        """Return octets that were taken too far; they come out first."""
        self._buffer[:0] = data
        self._searched = 0

    def clear(self) -> None:
        """Forget everything, as after STARTTLS: octets sent before the handshake must not count as encrypted."""
        self._buffer.clear()
        self._searched = 0
        self._skipping = False
