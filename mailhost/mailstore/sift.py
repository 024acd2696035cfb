"""SEARCH over the columns of a known mailbox: what flags, dates, sizes and complete answers decide, for all at once.

A set of messages is one large number, an octet of 1 or 0 for each in the order of UIDs; so AND, OR and NOT are one
operation each, and a system flag is one translation of a column's octets (RFC 9051 §6.4.4).
"""

from __future__ import annotations  # array is no generic before Python 3.12

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache, reduce
from operator import and_, itemgetter
from typing import Final

from mailhost.mailstore.answers import AnsweredKey
from mailhost.mailstore.known import Detail, KnownMailbox
from mailhost.mailstore.model import SYSTEM_FLAGS, UidRanges
from mailhost.mailstore.search import DAY, Scope, day_number
from mailhost.protocols.imap.search import (
    All,
    And,
    ArrivalDay,
    ArrivedBefore,
    ArrivedWithin,
    HasFlag,
    HasKeyword,
    Larger,
    ModseqSince,
    Not,
    NumberIn,
    Or,
    Relation,
    SavedDay,
    SearchKey,
    SentDay,
    Smaller,
    UidIn,
    leaves,
)
from mailhost.storage.database import Row

_WIDEST: Final = 100
"""Ids below the highest of a mailbox, for each message in it, that are made octets of to look at."""
_AT_A_GLANCE: Final = 500_000
"""Keys times messages that are held against each other while everybody waits; that takes some milliseconds."""

_LITTLE: Final = sys.byteorder == "little"


def _packed(typecode: str, place: int = 0) -> Callable[[Sequence[Row]], array[int]]:
    return lambda rows: array(typecode, map(itemgetter(place), rows))


def _sent_days(rows: Sequence[Row]) -> array[int]:
    # A message without a Date: was sent when it arrived, as far as anybody knows.
    return array("q", [arrived // DAY if day is None else day for day, arrived in rows])


MESSAGE_ID: Final = Detail("message id", ("message_id",), _packed("Q"), 8)
ARRIVED: Final = Detail("arrived", ("internal_date",), _packed("q"), 8)
SENT_DAY: Final = Detail("sent day", ("sent_day", "internal_date"), _sent_days, 8)
OCTETS: Final = Detail("octets", ("octets",), _packed("Q"), 8)
SAVED: Final = Detail("saved", ("saved_at",), _packed("q"), 8)


def details_for(key: SearchKey, scope: Scope) -> set[Detail] | None:
    """What a key needs to know besides flags; None when columns cannot decide it."""
    match key:
        case And(keys):
            return _together([details_for(inner, scope) for inner in keys])
        case Or(left, right):
            return _together([details_for(left, scope), details_for(right, scope)])
        case Not(inner):
            return details_for(inner, scope)
        case All() | HasFlag() | HasKeyword() | ModseqSince() | UidIn() | NumberIn():
            return set()
        case ArrivalDay() | ArrivedWithin() | ArrivedBefore():
            return {ARRIVED}
        case SentDay():
            return {SENT_DAY}
        case SavedDay():
            return {SAVED}
        case Larger() | Smaller():
            return {OCTETS}
        case _:
            answer = scope.answers.get(key) if isinstance(key, AnsweredKey) else None
            return {MESSAGE_ID} if answer is not None and answer.is_exact and answer.is_complete else None


def _together(needs: Sequence[set[Detail] | None]) -> set[Detail] | None:
    together: set[Detail] = set()
    for some in needs:
        if some is None:
            return None
        together |= some
    return together


def takes_long(key: SearchKey, known: KnownMailbox) -> bool:
    """Whether `sift` had better not be done where others wait: on a copy of the mailbox, then."""
    return sum(1 for _ in leaves(key)) * len(known.uids) > _AT_A_GLANCE


def sift(key: SearchKey, known: KnownMailbox, scope: Scope) -> bytes:
    """1 for each message that matches, 0 for the others; `known` has what `details_for` named."""
    sieve = _Sieve(known, scope)
    return sieve.take(key).to_bytes(len(known.uids), "little")


class _Sieve:
    def __init__(self, known: KnownMailbox, scope: Scope) -> None:
        self._known = known
        self._scope = scope
        self._all = int.from_bytes(b"\1" * len(known.uids), "little")
        self._octets = b""

    def take(self, key: SearchKey) -> int:
        match key:
            case All():
                return self._all
            case And(keys):
                return reduce(and_, map(self.take, keys))
            case Or(left, right):
                return self.take(left) | self.take(right)
            case Not(inner):
                return self.take(inner) ^ self._all
            case HasFlag(flag):
                return self._flagged(SYSTEM_FLAGS[flag])
            case HasKeyword(keyword):
                return self._flagged(self._scope.mask_of(keyword))
            case UidIn() | NumberIn():
                return self._inside(self._scope.ranges_of(key))
            case ArrivalDay(relation, day) if self._known.is_ascending(ARRIVED):
                return self._between(*_moments(relation, day))
            case ArrivedWithin(seconds) if self._known.is_ascending(ARRIVED):
                return self._between(self._scope.now - seconds, None)
            case ArrivedBefore(seconds) if self._known.is_ascending(ARRIVED):
                return self._between(None, self._scope.now - seconds + 1)
            case _ if isinstance(key, AnsweredKey):
                return self._answered(key)
            case _:
                return int.from_bytes(bytes(self._each(key)), "little")

    def _each(self, key: SearchKey) -> map[bool]:
        """The truth of a key, message by message."""
        packed = self._known.packed
        match key:
            case ModseqSince(modseq):
                return map(modseq.__le__, self._known.modseqs)
            case ArrivalDay(relation, day):
                return _on(relation, day_number(day) * DAY, DAY, packed(ARRIVED))
            case SavedDay(relation, day):
                return _on(relation, day_number(day) * DAY, DAY, packed(SAVED))
            case SentDay(relation, day):
                return _on(relation, day_number(day), 1, packed(SENT_DAY))
            case ArrivedWithin(seconds):
                return map((self._scope.now - seconds).__le__, packed(ARRIVED))
            case ArrivedBefore(seconds):
                return map((self._scope.now - seconds).__ge__, packed(ARRIVED))
            case Larger(size):
                return map(size.__lt__, packed(OCTETS))
            case Smaller(size):
                return map(size.__gt__, packed(OCTETS))
            case _:
                raise AssertionError(f"not decided by columns: {key}")

    def _between(self, start: int | None, end: int | None) -> int:
        """Messages that arrived from one moment on until before another, where they arrived in the order of UIDs."""
        arrived = self._known.packed(ARRIVED)
        first = 0 if start is None else bisect_left(arrived, start)
        last = len(arrived) if end is None else bisect_left(arrived, end)
        return int.from_bytes(b"\0" * first + b"\1" * (last - first), "little")

    def _answered(self, key: AnsweredKey) -> int:
        """Messages of an answer."""
        ids = self._scope.answers[key].ids
        column = self._known.packed(MESSAGE_ID)
        if not column:
            return 0
        is_ascending = self._known.is_ascending(MESSAGE_ID)
        highest = column[-1] if is_ascending else max(column)
        if is_ascending and highest - column[0] == len(column) - 1:
            # They came into the account one after the other, and each has its place by its id.
            return int.from_bytes(ids.flags(column[0], len(column)), "little")
        has = ids.flags(0, highest + 1).__getitem__ if highest < _WIDEST * len(column) else ids.__contains__
        return int.from_bytes(bytes(map(has, column)), "little")

    def _flagged(self, mask: int) -> int:
        if not mask:
            return 0
        bit = mask.bit_length() - 1
        self._octets = self._octets or self._known.flags.tobytes()
        plane = bit // 8 if _LITTLE else 7 - bit // 8
        return int.from_bytes(self._octets[plane::8].translate(_table(bit % 8)), "little")

    def _inside(self, ranges: UidRanges) -> int:
        chosen = bytearray(len(self._known.uids))
        for first, last in ranges:
            start, end = self._known.span(first, last)
            chosen[start:end] = b"\1" * (end - start)
        return int.from_bytes(chosen, "little")


def _moments(relation: Relation, day: date) -> tuple[int | None, int | None]:
    """The moment from which on a day's relation holds, and that from which on no more."""
    start = day_number(day) * DAY
    match relation:
        case Relation.BEFORE:
            return None, start
        case Relation.SINCE:
            return start, None
        case Relation.ON:
            return start, start + DAY


def _on(relation: Relation, start: int, length: int, values: Sequence[int]) -> map[bool]:
    """Whether values lie before, in or behind the beginning of a stretch."""
    match relation:
        case Relation.BEFORE:
            return map(start.__gt__, values)
        case Relation.SINCE:
            return map(start.__le__, values)
        case Relation.ON:
            return map(range(start, start + length).__contains__, values)


@lru_cache(maxsize=8)
def _table(bit: int) -> bytes:
    """Each octet to 1 when it has the bit, else to 0."""
    return bytes(octet >> bit & 1 for octet in range(256))
