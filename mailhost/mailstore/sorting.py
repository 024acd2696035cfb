"""What SORT compares and THREAD links, taken from rows (RFC 5256 §2, §3, RFC 5957 §3)."""

from __future__ import annotations  # array is no generic before Python 3.12

from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from sys import intern
from typing import Final

from mailhost.mailstore.known import Detail, Values
from mailhost.mailstore.sift import ARRIVED, OCTETS
from mailhost.message.addresses import parse_addresses
from mailhost.message.casemap import casemap
from mailhost.message.encoded import decode_header
from mailhost.message.headers import field_mask, parse_fields, select_cached
from mailhost.message.mime import unfold
from mailhost.message.subjects import base_subject
from mailhost.message.threads import MAX_REFERENCES, Threaded, message_ids
from mailhost.protocols.imap.sorting import SortKey
from mailhost.storage.database import Row

THREAD_COLUMNS: Final = ("uid", "internal_date", "sent_date", "fields")


def sort_detail(key: SortKey) -> Detail:
    """The column that SORT compares."""
    return _DETAILS[key]


def sort_values(rows: Sequence[Row], detail: Detail, columns: tuple[str, ...]) -> Values:
    """The same for some rows with these columns."""
    places = [columns.index(name) for name in detail.columns]
    return detail.make([tuple(row[place] for place in places) for row in rows])


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


_TEXT_OCTETS: Final = 64
_MAX_VALUE: Final = 4_096
"""Octets of a field that are looked at: what is compared stands at its beginning."""
_MAX_TEXT: Final = 1_000
"""Characters that are compared, more than a line has (RFC 5322 §2.1.1)."""
_THREAD_MASK: Final = field_mask(frozenset({b"message-id", b"references", b"in-reply-to", b"subject"}))


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


def _sent(rows: Sequence[Row]) -> array[int]:
    return array("q", [arrived if sent is None else sent for sent, arrived in rows])


def _of_field(name: bytes, make: Callable[[bytes], str]) -> Detail:
    mask = field_mask(frozenset({name}))

    def values(rows: Sequence[Row]) -> list[str]:
        # Interned, as many messages have the same.
        return [intern(make(_value(select_cached(fields, mask))[:_MAX_VALUE])[:_MAX_TEXT]) for (fields,) in rows]

    return Detail(f"{make.__name__} of {name.decode()}", ("fields",), values, _TEXT_OCTETS)


_DETAILS: Final = {
    SortKey.ARRIVAL: ARRIVED,
    SortKey.DATE: Detail("sent", ("sent_date", "internal_date"), _sent, 8),
    SortKey.SIZE: OCTETS,
    SortKey.CC: _of_field(b"cc", _mailbox),
    SortKey.FROM: _of_field(b"from", _mailbox),
    SortKey.TO: _of_field(b"to", _mailbox),
    SortKey.DISPLAYFROM: _of_field(b"from", _display),
    SortKey.DISPLAYTO: _of_field(b"to", _display),
    SortKey.SUBJECT: _of_field(b"subject", _subject),
}
