"""Giving binary parts a transfer encoding that every reader knows, without loss (RFC 2045 §6, RFC 3516 §4.4, §6)."""

import re
from base64 import encodebytes
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from mailhost.message.scan import MAX_HEADER, Part
from mailhost.message.sections import Range
from mailhost.message.transfer import Identity, decoder_for

Stream = Callable[[Range], AsyncIterator[bytes]]
"""Gives the octets of a range of the content."""

_LINE: Final = 57
"""Octets that one line of base64 stands for."""
_ENCODING: Final = re.compile(rb"(?im)^(content-transfer-encoding[ \t]*:)[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class _Edit:
    """A header that is to name another encoding, or with no `encoding` a body that is to be written as base64."""

    range: Range
    encoding: bytes | None


async def with_safe_encodings(root: Part, size: int, stream: Stream) -> AsyncGenerator[bytes, None]:
    """The message anew, in pieces, with base64 where a part holds what a line of text cannot.

    That is NUL in a part without encoding, and a bare CR or LF in one that calls itself binary. All else stays.
    """
    place = 0
    for edit in await _edits(root, stream):
        start, length = edit.range
        async with aclosing(_copied(stream, Range(place, start - place))) as pieces:
            async for piece in pieces:
                yield piece
        place = start + length
        if edit.encoding is not None:
            header = b"".join([piece async for piece in stream(edit.range)])
            yield _naming(header, edit.encoding)
            continue
        async with aclosing(_as_base64(stream, edit.range)) as pieces:
            async for piece in pieces:
                yield piece
    async with aclosing(_copied(stream, Range(place, size - place))) as pieces:
        async for piece in pieces:
            yield piece


async def _edits(root: Part, stream: Stream) -> list[_Edit]:
    """Ascending and disjoint."""
    edits = []
    for part in _walk(root):
        header = Range(part.header_start, part.body_start - part.header_start)
        is_binary = part.content.encoding == b"binary"
        if header.length > MAX_HEADER:
            continue
        if part.content.is_multipart or part.content.holds_message:
            if is_binary:
                edits.append(_Edit(header, b"8bit"))
            continue
        body = Range(part.body_start, part.body_end - part.body_start)
        if not isinstance(decoder_for(part.content.encoding), Identity):
            continue
        if await _is_text(stream, body, only_lines=is_binary):
            continue
        edits += [_Edit(header, b"base64"), _Edit(body, None)]
    return edits


def _walk(root: Part) -> Iterator[Part]:
    """Every part in the order they stand in the message."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(part.children))


class LineEnds:
    """Tells, piece by piece, whether every CR and LF of some text stands beside the other."""

    def __init__(self) -> None:
        self._ends_in_cr = False
        self.are_whole = True

    def feed(self, piece: bytes) -> None:
        """Take the next octets."""
        if not self.are_whole or not piece:
            return
        split = int(self._ends_in_cr and piece.startswith(b"\n"))
        ends_in_cr = piece.endswith(b"\r")
        pairs = piece.count(b"\r\n")
        is_left_alone = self._ends_in_cr and not split
        self._ends_in_cr = ends_in_cr
        lone = pairs + split != piece.count(b"\n") or pairs != piece.count(b"\r") - ends_in_cr
        self.are_whole = not (is_left_alone or lone)

    def finish(self) -> bool:
        """Whether they did, to the end."""
        return self.are_whole and not self._ends_in_cr


async def _is_text(stream: Stream, body: Range, *, only_lines: bool) -> bool:
    """Whether a body holds no NUL, and with `only_lines` no bare CR or LF either."""
    ends = LineEnds()
    async for piece in stream(body):
        if b"\0" in piece:
            return False
        if only_lines:
            ends.feed(piece)
    return ends.finish()


async def _copied(stream: Stream, place: Range) -> AsyncGenerator[bytes, None]:
    if place.length:
        async for piece in stream(place):
            yield piece


async def _as_base64(stream: Stream, body: Range) -> AsyncGenerator[bytes, None]:
    """Lines with CRLF between them and none behind the last, which belongs to the delimiter that follows."""
    left = b""
    gap = b""
    async for piece in stream(body):
        octets = left + piece
        whole = len(octets) - len(octets) % _LINE
        left = octets[whole:]
        if whole:
            yield gap + encodebytes(octets[:whole]).rstrip().replace(b"\n", b"\r\n")
            gap = b"\r\n"
    if left:
        yield gap + encodebytes(left).rstrip()


def _naming(header: bytes, encoding: bytes) -> bytes:
    """The header block, with its empty line, naming the encoding."""
    named, count = _ENCODING.subn(rb"\1 " + encoding + b"\r\n", header, count=1)
    if count:
        return named
    field = b"Content-Transfer-Encoding: %b\r\n" % encoding
    for blank in (b"\r\n", b"\n"):
        lines = header.removesuffix(blank)
        if lines != header and (not lines or lines.endswith(b"\n")):
            return lines + field + blank
    return field + header
