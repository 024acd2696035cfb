"""A FETCH planned once: which columns the rows need, and how a column becomes the words of the answer.

Whole columns are converted at a time and put through one `%`-template, so a listing makes no object per message.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.flags import Keywords, flag_text, known_bits, load_keywords
from mailhost.message.dates import internal_date_text
from mailhost.message.headers import CACHED_FIELDS, field_mask, select_cached
from mailhost.message.structure import body_of
from mailhost.protocols.imap.fetch import Attribute, FetchItem, Section, Text
from mailhost.storage.database import Row, Tx

Convert = Callable[[Iterable[object]], Iterable[object]]
"""A column's values as bytes or numbers for the template."""

_COLUMN: Final[dict[Attribute, str]] = {
    Attribute.UID: "uid",
    Attribute.FLAGS: "flags",
    Attribute.INTERNALDATE: "internal_date",
    Attribute.SIZE: "octets",
    Attribute.ENVELOPE: "envelope",
    Attribute.BODY: "bodystructure",
    Attribute.BODYSTRUCTURE: "bodystructure",
    Attribute.MODSEQ: "modseq",
}

_FORM: Final[dict[Attribute, bytes]] = {
    Attribute.UID: b"UID %d",
    Attribute.FLAGS: b"FLAGS (%b)",
    Attribute.INTERNALDATE: b'INTERNALDATE "%b"',
    Attribute.SIZE: b"RFC822.SIZE %d",
    Attribute.ENVELOPE: b"ENVELOPE %b",
    Attribute.BODY: b"BODY %b",
    Attribute.BODYSTRUCTURE: b"BODYSTRUCTURE %b",
    Attribute.MODSEQ: b"MODSEQ (%d)",
}

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
    """The same inside a transaction: a keyword that another session made meanwhile is looked up."""

    def __init__(self, tx: Tx, account_id: int, keywords: Keywords) -> None:
        super().__init__(keywords)
        self._tx = tx
        self._account_id = account_id

    def __missing__(self, mask: int) -> bytes:
        if mask & ~known_bits(self.keywords):
            self.keywords = load_keywords(self._tx, self._account_id)
        return super().__missing__(mask)


@dataclass(frozen=True, slots=True)
class RowPlan:
    """Items that the row alone answers: columns to read, the template of their words, a converter for each.

    `uid_column` is where a row holds its UID; rows may have more columns than the answer has words.
    """

    columns: tuple[str, ...]
    template: bytes
    converts: tuple[Convert | None, ...]
    uid_column: int

    def render(self, numbers: Iterable[int], rows: Sequence[Row], names: KnownFlags) -> bytes:
        """The FETCH responses of rows with these sequence numbers."""
        template = b"* %d FETCH (" + self.template + b")\r\n"
        return b"".join(map(template.__mod__, zip(numbers, *self._values(rows, names), strict=True)))

    def words(self, row: Row, names: KnownFlags) -> bytes:
        """What stands between the parentheses for one row; empty when nothing was asked of the row."""
        return self.template % next(zip(*self._values([row], names), strict=True), ())

    def _values(self, rows: Sequence[Row], names: KnownFlags) -> list[Iterable[object]]:
        values: list[Iterable[object]] = []
        for convert, name, column in zip(self.converts, self.columns, zip(*rows, strict=True), strict=False):
            if name == "flags":
                values.append(map(names.__getitem__, column))
            else:
                values.append(column if convert is None else convert(column))
        return values


def split_items(items: Sequence[FetchItem]) -> tuple[list[FetchItem], list[Section]]:
    """Items answered by the row, and sections that need the content."""
    by_row: list[FetchItem] = []
    by_content: list[Section] = []
    for item in items:
        if isinstance(item, Section) and not _is_cached(item):
            by_content.append(item)
        else:
            by_row.append(item)
    return by_row, by_content


def plan_rows(items: Sequence[FetchItem]) -> RowPlan:
    """The plan for items that `split_items` found to be answered by the row."""
    columns: list[str] = []
    forms: list[bytes] = []
    converts: list[Convert | None] = []
    for item in items:
        if isinstance(item, Section):
            columns.append("fields")
            forms.append(item.label.replace(b"%", b"%%") + b" %b")
            converts.append(_field_converter(item))
        else:
            columns.append(_COLUMN[item])
            forms.append(_FORM[item])
            converts.append(_CONVERT.get(item))
    if "uid" not in columns:  # rows are told apart by their UID even where the client does not ask for it
        columns.append("uid")
    return RowPlan(tuple(columns), b" ".join(forms), tuple(converts), columns.index("uid"))


def _is_cached(section: Section) -> bool:
    return (
        section.text is Text.FIELDS
        and not section.path
        and section.partial is None
        and CACHED_FIELDS.issuperset(section.fields)
    )


def _field_converter(section: Section) -> Convert:
    mask = field_mask(frozenset(section.fields))

    def convert(column: Iterable[object]) -> Iterable[object]:
        return [_literal(select_cached(value, mask)) for value in column if isinstance(value, bytes)]

    return convert


def _literal(lines: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(lines), lines)


def _dates(column: Iterable[object]) -> Iterable[object]:
    return [internal_date_text(value) for value in column if isinstance(value, int)]


def _bodies(column: Iterable[object]) -> Iterable[object]:
    return [body_of(value) for value in column if isinstance(value, bytes)]


_CONVERT: Final[dict[Attribute, Convert]] = {
    Attribute.INTERNALDATE: _dates,
    Attribute.BODY: _bodies,
}
