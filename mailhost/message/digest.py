"""Everything derived from a message once, at delivery, so that no FETCH has to parse it again."""

from typing import NamedTuple

from mailhost.message.dates import parse_date
from mailhost.message.envelope import ENVELOPE_FIELDS, render_envelope
from mailhost.message.headers import first_values, pack_fields, parse_fields
from mailhost.message.preview import preview_of
from mailhost.message.scan import Scanner
from mailhost.message.sections import pack_parts
from mailhost.message.structure import render_structure


class Digest(NamedTuple):
    """What mailboxes are listed, fetched and counted with. Offsets and sizes count octets of the content."""

    envelope: bytes
    """ENVELOPE, ready to be sent."""
    bodystructure: bytes
    """BODYSTRUCTURE, ready to be sent; `body_of` makes BODY of it."""
    parts: bytes
    """The packed part table `find_section` reads."""
    fields: bytes
    """The raw lines of the CACHED_FIELDS, packed for `select_cached`."""
    header_size: int
    """Octets up to and including the empty line."""
    date: int | None
    """The Date: field in Unix seconds."""
    sent_day: int | None
    """The day the Date: field names, counted from 1970-01-01, its zone disregarded: what SENTON looks at."""
    message_id: bytes | None
    preview: str
    """At most 200 characters of the message's own text."""
    has_nul: bool
    has_8bit: bool


def digest_of(scanner: Scanner) -> Digest:
    """Finish the scanner, which was fed the whole message, and derive everything."""
    root = scanner.finish()
    fields = parse_fields(root.header)
    values = first_values(fields, ENVELOPE_FIELDS)
    written = parse_date(values.get(b"date", b""))
    return Digest(
        envelope=render_envelope(values),
        bodystructure=render_structure(root),
        parts=pack_parts(root),
        fields=pack_fields(fields),
        header_size=root.body_start,
        date=written.seconds if written else None,
        sent_day=written.day if written else None,
        message_id=values.get(b"message-id") or None,
        preview=preview_of(root),
        has_nul=scanner.has_nul,
        has_8bit=scanner.has_8bit,
    )
