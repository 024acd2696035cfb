"""Body sections: which octets of prefix and content a section names, sent as they are stored (RFC 9051 §6.4.5)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailhost.errors import MailhostError
from mailhost.message.headers import select_fields
from mailhost.message.scan import MAX_HEADER
from mailhost.message.sections import Range, find_section
from mailhost.message.sections import Section as Place
from mailhost.protocols.imap.fetch import Partial, Section, Text
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Value

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
    blobs: Blobs, number: int, words: bytes, message: Mapping[str, Value], sections: Sequence[Section]
) -> AsyncGenerator[bytes, None]:
    """One FETCH response: `words` the row gave, then the sections, in pieces to be written.

    Raises BlobDamaged and BlobMissing, and whenever it can before the first piece.
    """
    stored = _stored(message)
    start = _beginning(number, words)
    if stored.size <= IN_MEMORY:
        content = await blobs.read(stored.digest)
        for section in sections[:-1]:
            yield start + _answer(stored, section, content)
            start = b" "
        yield start + _answer(stored, sections[-1], content) + b")\r\n"
        return
    for section in sections:
        start += section.label
        octets = _locate(stored, section)
        if octets is not None and section.text in (Text.FIELDS, Text.FIELDS_NOT):
            header = await blobs.read(stored.digest, octets.range.start, min(octets.range.length, MAX_HEADER))
            octets = _choose_fields(section, octets.lead + header)
        if octets is None:
            yield start + b" NIL"
        else:
            octets = octets.part(section.partial)
            start += b" {%d}\r\n%b" % (len(octets), octets.lead)
            if octets.range.length:
                async for piece in blobs.stream(stored.digest, octets.range.start, octets.range.length):
                    yield start + piece
                    start = b""
            else:
                yield start
        start = b" "
    yield b")\r\n"


def without_contents(number: int, words: bytes, sections: Sequence[Section]) -> bytes:
    """The FETCH response for a message whose contents cannot be read."""
    return _beginning(number, words) + b" ".join(section.label + b" NIL" for section in sections) + b")\r\n"


def _beginning(number: int, words: bytes) -> bytes:
    return b"* %d FETCH (%b" % (number, words + b" " if words else words)


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


def _answer(stored: Stored, section: Section, content: bytes) -> bytes:
    octets = _locate(stored, section)
    if octets is None:
        return section.label + b" NIL"
    if section.text in (Text.FIELDS, Text.FIELDS_NOT):
        start, length = octets.range
        octets = _choose_fields(section, octets.lead + content[start : start + length])
    octets = octets.part(section.partial)
    start, length = octets.range
    return b"%b {%d}\r\n%b%b" % (section.label, len(octets), octets.lead, content[start : start + length])
