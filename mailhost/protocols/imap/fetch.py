"""What FETCH asks: data items and body sections (RFC 9051 §6.4.5)."""

from dataclasses import dataclass, replace
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
    EMAILID = b"EMAILID"
    THREADID = b"THREADID"
    LABELS = b"X-GM-LABELS"
    GM_MESSAGE = b"X-GM-MSGID"
    GM_THREAD = b"X-GM-THRID"


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


@dataclass(frozen=True, slots=True)
class Binary:
    """BINARY[…] or BINARY.SIZE[…]: a part with its transfer encoding undone, or how many octets that is (RFC 3516)."""

    path: tuple[int, ...]
    partial: Partial | None
    sets_seen: bool
    label: bytes  # what stands before the value in the answer: `BINARY[1.2]<0>`
    is_size: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Some of the messages found, counted from the oldest, or from the newest (RFC 9394)."""

    ends: tuple[int, int]  # from 1, the order as it was asked, for so it is answered
    from_newest: bool

    def of(self, count: int) -> slice:
        """Which of `count` messages, oldest first, lie in the window."""
        first, last = sorted(self.ends)
        if self.from_newest:
            return slice(max(0, count - last), max(0, count - first + 1))
        return slice(first - 1, last)


FetchItem = Attribute | Section | Binary


def without_seen(items: tuple[FetchItem, ...]) -> tuple[FetchItem, ...]:
    """The same items, as PEEK where they would set \\Seen."""
    return tuple(item if isinstance(item, Attribute) else replace(item, sets_seen=False) for item in items)


FAST: tuple[Attribute, ...] = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE)
ALL: tuple[Attribute, ...] = (*FAST, Attribute.ENVELOPE)
FULL: tuple[Attribute, ...] = (*ALL, Attribute.BODY)
