"""What SORT compares and THREAD links, taken from rows (RFC 5256 §2, §3, RFC 5957 §3)."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from mailhost.message.addresses import parse_addresses
from mailhost.message.casemap import casemap
from mailhost.message.encoded import decode_header
from mailhost.message.headers import field_mask, parse_fields, select_cached
from mailhost.message.mime import unfold
from mailhost.message.subjects import base_subject
from mailhost.message.threads import MAX_REFERENCES, Threaded, message_ids
from mailhost.protocols.imap.sorting import Criterion, SortKey
from mailhost.storage.database import Row

SORT_COLUMNS: Final = ("uid", "internal_date", "sent_date", "octets")
"""Enough for every criterion but those in the header, which want `fields` behind them."""

THREAD_COLUMNS: Final = ("uid", "internal_date", "sent_date", "fields")

Value = int | str


def sort_columns(criteria: Sequence[Criterion]) -> tuple[str, ...]:
    """The columns that `sort_values` needs."""
    if all(criterion.key in _BY_NUMBER for criterion in criteria):
        return SORT_COLUMNS
    return (*SORT_COLUMNS, "fields")


def sort_values(rows: Sequence[Row], criterion: Criterion) -> list[Value]:
    """What each row is compared by."""
    if criterion.key in _BY_NUMBER:
        return list(map(_BY_NUMBER[criterion.key], rows))
    name, make = _BY_FIELD[criterion.key]
    mask = field_mask(frozenset({name}))
    return [make(_value(select_cached(row[4], mask))) for row in rows]


def threaded(row: Row, number: int) -> Threaded:
    """A row of THREAD_COLUMNS as threads are made of it."""
    _, arrived, sent, packed = row
    values: dict[bytes, bytes] = {}
    for name, value, _ in parse_fields(select_cached(packed, _THREAD_MASK)):
        values.setdefault(name, value)
    ids = message_ids(values.get(b"message-id", b""))
    references = message_ids(values.get(b"references", b""))[-MAX_REFERENCES:]
    if not references:
        references = message_ids(values.get(b"in-reply-to", b""))[:1]
    subject = base_subject(values.get(b"subject", b""))
    return Threaded(number, arrived if sent is None else sent, subject, ids[0] if ids else None, tuple(references))


_THREAD_MASK: Final = field_mask(frozenset({b"message-id", b"references", b"in-reply-to", b"subject"}))

_BY_NUMBER: Final[dict[SortKey, Callable[[Row], int]]] = {
    SortKey.ARRIVAL: lambda row: int(row[1]),
    SortKey.DATE: lambda row: int(row[1] if row[2] is None else row[2]),
    SortKey.SIZE: lambda row: int(row[3]),
}


def _value(lines: bytes) -> bytes:
    """The value of the first field in a block of one name."""
    fields = parse_fields(lines)
    return fields[0][1] if fields else b""


def _subject(value: bytes) -> str:
    return base_subject(value).text


@lru_cache(maxsize=4096)
def _mailbox(value: bytes) -> str:
    """The local part of the first address."""
    addresses = parse_addresses(unfold(value))
    return casemap(decode_header(addresses[0].mailbox or b"")) if addresses else ""


@lru_cache(maxsize=4096)
def _display(value: bytes) -> str:
    """The name of the first address as it is shown, or else the address."""
    addresses = parse_addresses(unfold(value))
    if not addresses:
        return ""
    first = addresses[0]
    if first.name:
        return casemap(decode_header(first.name))
    return casemap(decode_header(b"%b@%b" % (first.mailbox or b"", first.host) if first.host else first.mailbox or b""))


_BY_FIELD: Final[dict[SortKey, tuple[bytes, Callable[[bytes], str]]]] = {
    SortKey.CC: (b"cc", _mailbox),
    SortKey.FROM: (b"from", _mailbox),
    SortKey.TO: (b"to", _mailbox),
    SortKey.DISPLAYFROM: (b"from", _display),
    SortKey.DISPLAYTO: (b"to", _display),
    SortKey.SUBJECT: (b"subject", _subject),
}
