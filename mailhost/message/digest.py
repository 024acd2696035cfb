"""Everything derived from a message once, at delivery, so that no FETCH has to parse it again."""

from dataclasses import dataclass
from typing import Final

from mailhost.message.dates import parse_date
from mailhost.message.envelope import render_envelope
from mailhost.message.headers import CACHED_FIELDS, cached_fields, first_values, select_fields
from mailhost.message.preview import preview_of
from mailhost.message.scan import Scanner
from mailhost.message.sections import Range, Section, find_section, pack_parts
from mailhost.message.structure import body_of, render_structure

__all__ = [
    "CACHED_FIELDS",
    "Digest",
    "Range",
    "Section",
    "body_of",
    "digest_of",
    "find_section",
    "select_fields",
]

_NAMES: Final = frozenset((b"date", b"message-id", b"received"))
_RECEIVED: Final = frozenset((b"received",))


@dataclass(frozen=True, slots=True)
class Digest:
    """What mailboxes are listed, fetched and counted with. Offsets and sizes count octets of the content."""

    envelope: bytes
    """ENVELOPE, ready to be sent."""
    bodystructure: bytes
    """BODYSTRUCTURE, ready to be sent; `body_of` makes BODY of it."""
    parts: bytes
    """The packed part table `find_section` reads."""
    fields: bytes
    """The raw lines of the CACHED_FIELDS, for `select_fields`."""
    header_size: int
    """Octets up to and including the empty line."""
    date: int | None
    """The Date: field in Unix seconds."""
    message_id: bytes | None
    preview: str
    """At most 200 characters of the message's own text."""
    received_count: int
    has_nul: bool
    has_8bit: bool


def digest_of(scanner: Scanner) -> Digest:
    """Finish the scanner, which was fed the whole message, and derive everything."""
    root = scanner.finish()
    values = first_values(root.header, _NAMES)
    return Digest(
        envelope=render_envelope(root.header),
        bodystructure=render_structure(root),
        parts=pack_parts(root),
        fields=cached_fields(root.header),
        header_size=root.body_start,
        date=parse_date(values.get(b"date", b"")),
        message_id=values.get(b"message-id") or None,
        preview=preview_of(root),
        received_count=select_fields(root.header, _RECEIVED, exclude=False).lower().count(b"received"),
        has_nul=scanner.has_nul,
        has_8bit=scanner.has_8bit,
    )
