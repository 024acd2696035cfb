"""BINARY[…]: a part with its transfer encoding undone, measured first and then sent, in bounded memory (RFC 3516)."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from mailhost.errors import MailhostError
from mailhost.message.mime import parse_content
from mailhost.message.scan import MAX_HEADER
from mailhost.message.sections import Range, Section, find_section
from mailhost.message.transfer import Decoder, decoder_for
from mailhost.protocols.imap.fetch import Binary
from mailhost.protocols.imap.responses import announced

Stream = Callable[[Range], AsyncIterator[bytes]]
"""Gives the octets of a range of the content."""


class UnknownEncoding(MailhostError):
    """A part has a transfer encoding nobody knows."""


@dataclass(frozen=True, slots=True)
class EncodedPart:
    """A part's octets as they are stored, and what undoes their encoding."""

    range: Range
    make_decoder: Callable[[], Decoder]


async def find_part(parts: bytes, path: tuple[int, ...], stream: Stream) -> EncodedPart | None:
    """The part with this number; None when the message has none such. Raises UnknownEncoding."""
    place = find_section(parts, path)
    header = find_section(parts, path, Section.MIME)
    if place is None or header is None:
        return None
    block = b"".join([piece async for piece in stream(Range(header.start, min(header.length, MAX_HEADER)))])
    content = parse_content(block, in_digest=False)
    # What holds parts is never encoded, whatever its header says (RFC 2045 §6.4).
    encoding = b"binary" if content.is_multipart or content.holds_message else content.encoding
    if decoder_for(encoding) is None:
        raise UnknownEncoding

    def make_decoder() -> Decoder:
        decoder = decoder_for(encoding)
        assert decoder is not None
        return decoder

    return EncodedPart(place, make_decoder)


async def binary_pieces(item: Binary, part: EncodedPart, stream: Stream) -> AsyncGenerator[bytes, None]:
    """The item: its label and size, or its label and a literal in pieces."""
    total = 0
    has_nul = False
    async with aclosing(_decoded(part, stream)) as pieces:
        async for piece in pieces:
            total += len(piece)
            has_nul = has_nul or b"\0" in piece
    if item.is_size:
        yield b"%b %d" % (item.label, total)
        return
    start, end = 0, total
    if item.partial is not None:
        start = min(item.partial.start, total)
        end = min(start + item.partial.length, total)
    # Only a literal8 may carry NUL; the plain form is what more clients read.
    yield announced(item.label, end - start, is_piece=item.partial is not None, is_binary=has_nul)
    place = 0
    async with aclosing(_decoded(part, stream)) as pieces:
        async for piece in pieces:
            if place >= end:
                break
            yield piece[max(0, start - place) : max(0, end - place)]
            place += len(piece)


async def _decoded(part: EncodedPart, stream: Stream) -> AsyncGenerator[bytes, None]:
    decoder = part.make_decoder()
    async for piece in stream(part.range):
        yield decoder.feed(piece)
    yield decoder.finish()
