"""Body sections: which octets of prefix and content a section names, sent as they are stored (RFC 9051 §6.4.5)."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from mailhost.errors import MailhostError
from mailhost.message.headers import select_fields
from mailhost.message.scan import MAX_HEADER
from mailhost.message.sections import Range, find_section
from mailhost.message.sections import Section as Place
from mailhost.protocols.imap.fetch import Binary, Partial, Section, Text
from mailhost.protocols.imap.responses import announced
from mailhost.servers.imap.binary import UnknownEncoding, binary_pieces, find_part
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Value

ContentItem = Section | Binary

IN_MEMORY: Final = 256 * 1024
"""Messages up to this size are read at once; larger ones are streamed."""

_PLACE: Final = {
    Text.WHOLE: Place.WHOLE,
    Text.HEADER: Place.HEADER,
    Text.FIELDS: Place.HEADER,
    Text.FIELDS_NOT: Place.HEADER,
    Text.TEXT: Place.TEXT,
    Text.MIME: Place.MIME,
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored message as sections see it: trace headers, then the content; `header_octets` counts in the content."""

    digest: bytes
    prefix: bytes
    size: int
    header_octets: int
    parts: bytes


@dataclass(frozen=True, slots=True)
class Octets:
    """A section's value: `lead`, then a range of the content."""

    lead: bytes
    range: Range

    def __len__(self) -> int:
        return len(self.lead) + self.range.length

    def part(self, partial: Partial | None) -> "Octets":
        """The octets a partial FETCH asks for; fewer, or none, where the section ends before."""
        if partial is None:
            return self
        lead = self.lead[partial.start : partial.start + partial.length]
        skipped = max(0, partial.start - len(self.lead))
        left = max(0, min(partial.length - len(lead), self.range.length - skipped))
        return Octets(lead, Range(self.range.start + skipped, left))


class ContentsDamaged(MailhostError):
    """Some messages were answered without their contents, which cannot be read any more."""


async def content_pieces(
    blobs: Blobs,
    number: int,
    words: bytes,
    message: Mapping[str, Value],
    items: Sequence[ContentItem],
    verb: bytes = b"FETCH",
) -> AsyncGenerator[bytes, None]:
    """One FETCH response: `words` the row gave, then the items, in pieces to be written.

    With UIDFETCH as `verb` the `number` is a UID.

    Raises BlobDamaged and BlobMissing, and whenever it can before the first piece; UnknownEncoding when the response is
    complete but for the items that cannot be decoded.
    """
    stored = _stored(message)
    start = _beginning(number, words, verb)
    content = await blobs.read(stored.digest) if stored.size <= IN_MEMORY else None
    sections = [item for item in items if isinstance(item, Section)]
    if content is not None and len(sections) == len(items):
        yield at_once(stored, start, sections, content)
        return
    source = _Source(blobs, stored.digest, content)
    is_unknown = False
    lead = start
    for item in items:
        pieces = _section(stored, item, source) if isinstance(item, Section) else _binary(stored, item, source)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    yield lead + piece
                    lead = b""
            lead = b" "
        except UnknownEncoding:
            is_unknown = True
    if lead is not start:
        yield b")\r\n"
    elif words:
        yield start.removesuffix(b" ") + b")\r\n"
    if is_unknown:
        raise UnknownEncoding


@dataclass(frozen=True, slots=True)
class _Source:
    """Where octets of a content come from: memory, or the blob piece by piece."""

    blobs: Blobs
    digest: bytes
    content: bytes | None

    async def stream(self, place: Range) -> AsyncIterator[bytes]:
        if self.content is not None:
            yield self.content[place.start : place.start + place.length]
        elif place.length:
            async for piece in self.blobs.stream(self.digest, place.start, place.length):
                yield piece

    async def behind(self, lead: bytes, place: Range) -> AsyncGenerator[bytes, None]:
        """The octets with `lead` before the first of them: it is not said before they were read."""
        async for piece in self.stream(place):
            yield lead + piece
            lead = b""
        if lead:
            yield lead


async def section_pieces(
    blobs: Blobs, message: Mapping[str, Value], section: Section
) -> AsyncGenerator[bytes | None, None]:
    """The octets of a section and nothing else, in pieces; a lone None where there is no such part."""
    source = _Source(blobs, _stored(message).digest, None)
    octets = await _find(_stored(message), section, source)
    if octets is None:
        yield None
        return
    async for piece in source.behind(octets.lead, octets.range):
        yield piece


async def _find(stored: Stored, section: Section, source: _Source) -> Octets | None:
    """The octets FETCH answers a section with."""
    octets = _locate(stored, section)
    if octets is None:
        return None
    if section.text in (Text.FIELDS, Text.FIELDS_NOT):
        place = Range(octets.range.start, min(octets.range.length, MAX_HEADER))
        octets = _choose_fields(section, b"".join([octets.lead, *[piece async for piece in source.stream(place)]]))
    return octets.part(section.partial)


async def _section(stored: Stored, section: Section, source: _Source) -> AsyncGenerator[bytes, None]:
    octets = await _find(stored, section, source)
    if octets is None:
        yield section.label + b" NIL"
        return
    lead = announced(section.label, len(octets), is_piece=section.partial is not None)
    async for piece in source.behind(lead + octets.lead, octets.range):
        yield piece


async def _binary(stored: Stored, item: Binary, source: _Source) -> AsyncGenerator[bytes, None]:
    if not item.path:
        # The message itself is not encoded; its parts stay as they are (RFC 3516 §4.2).
        octets = Octets(stored.prefix, Range(0, stored.size)).part(item.partial)
        if item.is_size:
            yield b"%b %d" % (item.label, len(octets))
            return
        lead = announced(item.label, len(octets), is_piece=item.partial is not None)
        async for piece in source.behind(lead + octets.lead, octets.range):
            yield piece
        return
    part = await find_part(stored.parts, item.path, source.stream)
    if part is None:
        yield item.label + _no_value(item)
        return
    async with aclosing(binary_pieces(item, part, source.stream)) as pieces:
        async for piece in pieces:
            yield piece


def _no_value(item: ContentItem) -> bytes:
    """What stands behind the label of a part that is not there, or cannot be read."""
    return b" 0" if isinstance(item, Binary) and item.is_size else b" NIL"


def without_contents(number: int, words: bytes, items: Sequence[ContentItem], verb: bytes) -> bytes:
    """The FETCH response for a message whose contents cannot be read."""
    return _beginning(number, words, verb) + b" ".join(item.label + _no_value(item) for item in items) + b")\r\n"


def _beginning(number: int, words: bytes, verb: bytes) -> bytes:
    return b"* %d %b (%b" % (number, verb, words + b" " if words else words)


def _stored(message: Mapping[str, Value]) -> Stored:
    digest, prefix, parts = message["blob"], message["prefix"], message["parts"]
    octets, header_octets = message["octets"], message["header_octets"]
    assert isinstance(digest, bytes)
    assert isinstance(prefix, bytes)
    assert isinstance(parts, bytes)
    assert isinstance(octets, int)
    assert isinstance(header_octets, int)
    return Stored(digest, prefix, octets - len(prefix), header_octets, parts)


def _locate(stored: Stored, section: Section) -> Octets | None:
    """Where the section's octets are, or the header HEADER.FIELDS chooses from; None where there is no such part."""
    if section.path:
        found = find_section(stored.parts, section.path, _PLACE[section.text])
        return None if found is None else Octets(b"", found)
    if section.text is Text.TEXT:
        return Octets(b"", Range(stored.header_octets, stored.size - stored.header_octets))
    length = stored.size if section.text is Text.WHOLE else stored.header_octets
    return Octets(stored.prefix, Range(0, length))


def _choose_fields(section: Section, header: bytes) -> Octets:
    lines = select_fields(header, frozenset(section.fields), exclude=section.text is Text.FIELDS_NOT)
    return Octets(lines, Range(0, 0))


def at_once(stored: Stored, start: bytes, sections: Sequence[Section], content: bytes) -> bytes:
    """A FETCH response from a content in memory: its `start`, the sections, its end."""
    answers = b" ".join([_answer(stored, section, content) for section in sections])
    return b"%b%b)\r\n" % (start, answers)


def _answer(stored: Stored, section: Section, content: bytes) -> bytes:
    octets = _locate(stored, section)
    if octets is None:
        return section.label + b" NIL"
    if section.text in (Text.FIELDS, Text.FIELDS_NOT):
        start, length = octets.range
        octets = _choose_fields(section, octets.lead + content[start : start + length])
    octets = octets.part(section.partial)
    start, length = octets.range
    lead = announced(section.label, len(octets), is_piece=section.partial is not None)
    return b"%b%b%b" % (lead, octets.lead, content[start : start + length])
