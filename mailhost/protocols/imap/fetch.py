"""What FETCH asks: data items and body sections (RFC 9051 §6.4.5)."""

from dataclasses import dataclass
from enum import Enum


class Attribute(Enum):
    """A data item without arguments; the value is its name on the wire."""

    UID = b"UID"
    FLAGS = b"FLAGS"
    INTERNALDATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    MODSEQ = b"MODSEQ"
    SAVEDATE = b"SAVEDATE"
    PREVIEW = b"PREVIEW"


class Text(Enum):
    """Which text of a part a section names."""

    WHOLE = ""
    HEADER = "HEADER"
    FIELDS = "HEADER.FIELDS"
    FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Partial:
    """Octets `start` to `start + length - 1` of a section; beyond the end there is nothing, never an error."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Section:
    """BODY[…], or RFC822, RFC822.HEADER and RFC822.TEXT, which are BODY[], BODY.PEEK[HEADER] and BODY[TEXT]."""

    path: tuple[int, ...]
    text: Text
    fields: tuple[bytes, ...]  # lower case, in the order asked, for FIELDS and FIELDS_NOT
    partial: Partial | None
    sets_seen: bool
    label: bytes  # what stands before the value in the answer: `BODY[1.MIME]<0>`, `RFC822.TEXT`


FetchItem = Attribute | Section

FAST: tuple[Attribute, ...] = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE)
ALL: tuple[Attribute, ...] = (*FAST, Attribute.ENVELOPE)
FULL: tuple[Attribute, ...] = (*ALL, Attribute.BODY)
