"""A FETCH planned once: which columns the rows need, and how columns become the words of the answer.

Rows are turned into columns; each column is worked on as a whole, and all are laid side by side and joined. So a
listing makes no object per message but the words themselves.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from typing import Final

from mailhost.mailstore.flags import Keywords, flag_text, has_keywords, load_keywords
from mailhost.mailstore.rows import LABELS
from mailhost.message.dates import internal_date_text
from mailhost.message.headers import CACHED_FIELDS, field_mask, select_cached
from mailhost.message.structure import body_of
from mailhost.protocols.imap.fetch import Attribute, Binary, FetchItem, Section, Text
from mailhost.protocols.imap.objects import EMAILID_TEMPLATE, THREADID_TEMPLATE
from mailhost.protocols.imap.responses import string
from mailhost.storage.database import Column, Tx

NUMBER: Final = "number"
"""The column of sequence numbers, which no row has."""

_COLUMN: Final[dict[Attribute, str]] = {
    Attribute.UID: "uid",
    Attribute.FLAGS: "flags",
    Attribute.INTERNALDATE: "internal_date",
    Attribute.SIZE: "octets",
    Attribute.ENVELOPE: "envelope",
    Attribute.BODY: "bodystructure",
    Attribute.BODYSTRUCTURE: "bodystructure",
    Attribute.MODSEQ: "modseq",
    Attribute.SAVEDATE: "saved_at",
    Attribute.PREVIEW: "preview",
    Attribute.EMAILID: "message_id",
    Attribute.THREADID: "thread_id",
    Attribute.LABELS: LABELS,
    Attribute.GM_MESSAGE: "message_id",
    Attribute.GM_THREAD: "thread_id",
}

RowItem = Attribute | Section
"""What the row alone can answer; a section only where all its fields are kept there."""

_FLAGS_HERE: Final = b"\0"
"""Stands in a template for the text of FLAGS, which is filled in once for each mask rather than for each message."""

CONTENT_COLUMNS: Final = ("uid", "flags", "modseq", "message_id", "blob", "prefix", "octets", "header_octets", "parts")


class KnownFlags(dict[int, bytes]):
    """Mask → text of FLAGS, by the keywords a session knows."""

    def __init__(self, keywords: Keywords) -> None:
        super().__init__()
        self.keywords = keywords

    def __missing__(self, mask: int) -> bytes:
        text = self[mask] = flag_text(mask, self.keywords)
        return text


class FlagNames(KnownFlags):
    """The same inside a transaction: what keywords are called is looked up once, when the first of them is met."""

    def __init__(self, tx: Tx, account_id: int, keywords: Keywords) -> None:
        super().__init__(keywords)
        self._tx = tx
        self._account_id = account_id
        self._is_fresh = False

    def __missing__(self, mask: int) -> bytes:
        if has_keywords(mask) and not self._is_fresh:
            self.keywords = load_keywords(self._tx, self._account_id)
            self._is_fresh = True
        return super().__missing__(mask)


@dataclass(frozen=True, slots=True)
class Words:
    """Short values of every message between fixed words: a `%`-template and the columns it takes."""

    template: bytes
    columns: tuple[str, ...] = ()
    has_flags: bool = False

    def pieces(self, columns: Mapping[str, Column], names: KnownFlags) -> Iterable[bytes]:
        """One piece a message."""
        values = zip(*(columns[name] for name in self.columns), strict=True)
        if self.has_flags:
            chosen = self._chosen(columns, names)
            if not self.columns:
                return [template % () for template in chosen]
            return [template % words for template, words in zip(chosen, values, strict=True)]
        if self.columns:
            return map(self.template.__mod__, values)
        return [self.template % ()] * len(columns[NUMBER])

    def whole(self, columns: Mapping[str, Column], names: KnownFlags) -> bytes:
        """The pieces of all messages at once, which takes a fifth less time where nothing stands between them."""
        values = tuple(chain.from_iterable(zip(*(columns[name] for name in self.columns), strict=True)))
        if self.has_flags:
            return b"".join(self._chosen(columns, names)) % values
        return self.template * len(columns[NUMBER]) % values

    def _chosen(self, columns: Mapping[str, Column], names: KnownFlags) -> Iterable[bytes]:
        """The template of each message, its FLAGS filled in."""
        return map(_FlagTemplates(self.template, names).__getitem__, columns["flags"])


class _FlagTemplates(dict[int, bytes]):
    """Mask → the template with its FLAGS filled in."""

    def __init__(self, template: bytes, names: KnownFlags) -> None:
        super().__init__()
        self._template = template
        self._names = names

    def __missing__(self, mask: int) -> bytes:
        template = self[mask] = self._template.replace(_FLAGS_HERE, self._names[mask].replace(b"%", b"%%"))
        return template


@dataclass(frozen=True, slots=True)
class Octets:
    """Long values, laid into the answer as they are."""

    column: str

    def pieces(self, columns: Mapping[str, Column], _names: KnownFlags) -> Iterable[bytes]:
        """One piece a message."""
        return columns[self.column]


@dataclass(frozen=True, slots=True)
class Computed:
    """A column made of another."""

    name: str
    source: str
    compute: Callable[[Column], Column]


@dataclass(frozen=True, slots=True)
class RowPlan:
    """Items the row alone answers: columns to read (first the UID), columns to compute, what is laid side by side."""

    columns: tuple[str, ...]
    computed: tuple[Computed, ...]
    segments: tuple[Words | Octets, ...]

    def render(self, numbers: Sequence[int], columns: Sequence[Column], names: KnownFlags) -> bytes:
        """The answers for messages with these sequence numbers; `columns` beyond those of the plan are disregarded."""
        known: dict[str, Column] = dict(zip(self.columns, columns, strict=False))
        known[NUMBER] = numbers
        for column in self.computed:
            known[column.name] = column.compute(known[column.source])
        width = len(self.segments)
        if width == 1 and isinstance(self.segments[0], Words):
            return self.segments[0].whole(known, names)
        pieces = [b""] * (len(numbers) * width)
        for place, segment in enumerate(self.segments):
            pieces[place::width] = segment.pieces(known, names)
        return b"".join(pieces)


@lru_cache(maxsize=256)
def split_items(items: tuple[FetchItem, ...]) -> tuple[tuple[RowItem, ...], tuple[Section | Binary, ...]]:
    """Items answered by the row, and sections that need the content."""
    by_row: list[RowItem] = []
    by_content: list[Section | Binary] = []
    for item in items:
        if isinstance(item, Binary) or (isinstance(item, Section) and not _is_cached(item)):
            by_content.append(item)
        else:
            by_row.append(item)
    return tuple(by_row), tuple(by_content)


@lru_cache(maxsize=256)
def plan_rows(items: tuple[RowItem, ...], *, is_whole: bool = True, uid_only: bool = False) -> RowPlan:
    """The plan for items that `split_items` found to be answered by the row; clients ask the same over and over.

    With `is_whole` unset only the words between the parentheses are rendered, for sections to follow. With `uid_only`
    the UID stands in the place of the number (RFC 9586).
    """
    builder = _Builder()
    if is_whole and uid_only:
        builder.words(b"* %d UIDFETCH (", "uid")
    elif is_whole:
        builder.words(b"* %d FETCH (", NUMBER)
    for place, item in enumerate(items):
        if place:
            builder.words(b" ")
        builder.add(item)
    if is_whole:
        builder.words(b")\r\n")
    return builder.plan()


class _Builder:
    """Puts a plan together, item by item."""

    def __init__(self) -> None:
        self._columns = ["uid"]
        self._computed: list[Computed] = []
        self._segments: list[Words | Octets] = []
        self._open = Words(b"")

    def words(self, template: bytes, *columns: str, has_flags: bool = False) -> None:
        """Add words to the segment that is open."""
        before = self._open
        self._open = Words(before.template + template, before.columns + columns, before.has_flags or has_flags)

    def add(self, item: RowItem) -> None:
        """Add one item of the answer."""
        if isinstance(item, Section):
            mask = field_mask(frozenset(item.fields))
            lines = self._compute(self._read("fields"), lambda column: list(map(select_cached, column, repeat(mask))))
            lengths = self._compute(lines, lambda column: list(map(len, column)))
            self.words(item.label.replace(b"%", b"%%") + b" {%d}\r\n", lengths)
            self._octets(lines)
            return
        column = self._read(_COLUMN[item])
        match item:
            case Attribute.UID | Attribute.SIZE | Attribute.GM_MESSAGE | Attribute.GM_THREAD:
                self.words(item.value + b" %d", column)
            case Attribute.EMAILID:
                self.words(EMAILID_TEMPLATE, self._read("account_id"), column)
            case Attribute.THREADID:
                self.words(THREADID_TEMPLATE, self._read("account_id"), column)
            case Attribute.LABELS:
                self.words(item.value + b" %b", column)
            case Attribute.MODSEQ:
                self.words(item.value + b" (%d)", column)
            case Attribute.FLAGS:
                self.words(item.value + b" (" + _FLAGS_HERE + b")", has_flags=True)
            case Attribute.INTERNALDATE:
                texts = self._compute(column, lambda column: list(map(internal_date_text, column)))
                self.words(item.value + b' "%b"', texts)
            case Attribute.SAVEDATE:
                self.words(item.value + b" %b", self._compute(column, lambda column: list(map(_save_date, column))))
            case Attribute.PREVIEW:
                self.words(item.value + b" ")
                self._octets(self._compute(column, lambda column: [string(text.encode()) for text in column]))
            case Attribute.BODY:
                self.words(item.value + b" ")
                self._octets(self._compute(column, lambda column: list(map(body_of, column))))
            case Attribute.ENVELOPE | Attribute.BODYSTRUCTURE:
                self.words(item.value + b" ")
                self._octets(column)

    def plan(self) -> RowPlan:
        """What was built."""
        self._close()
        return RowPlan(tuple(self._columns), tuple(self._computed), tuple(self._segments))

    def _read(self, column: str) -> str:
        if column not in self._columns:
            self._columns.append(column)
        return column

    def _compute(self, source: str, compute: Callable[[Column], Column]) -> str:
        name = f"{source} {len(self._computed)}"
        self._computed.append(Computed(name, source, compute))
        return name

    def _octets(self, column: str) -> None:
        self._close()
        self._segments.append(Octets(column))

    def _close(self) -> None:
        if self._open.template:
            self._segments.append(self._open)
        self._open = Words(b"")


def _save_date(seconds: int | None) -> bytes:
    """SAVEDATE, which is not known of a message that is gone (RFC 8514 §4.2)."""
    return b"NIL" if seconds is None else b'"%b"' % internal_date_text(seconds)


def _is_cached(section: Section) -> bool:
    return (
        section.text is Text.FIELDS
        and not section.path
        and section.partial is None
        and CACHED_FIELDS.issuperset(section.fields)
    )
