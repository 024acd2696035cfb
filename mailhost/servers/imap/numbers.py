"""Sequence numbers: which UID a session knows as its n-th message (RFC 9051 §2.3.1.2)."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import compress, count

from mailhost.protocols.imap.sets import Ranges

Uids = Sequence[int]
"""Ascending: a `range` while the UIDs have no gap, an array of 32-bit numbers once they do."""

FEW = 16
"""To look up one UID in so many messages costs as much as to walk past them."""


class NumberMap:
    """The UIDs a session has been told of, in order; message n is the n-th of them."""

    __slots__ = ("uids",)

    def __init__(self, uids: Iterable[int]) -> None:
        self.uids: Uids = _compact(uids)

    def __len__(self) -> int:
        return len(self.uids)

    def number_of(self, uid: int) -> int:
        """The sequence number of a UID, or 0 when the session does not know it."""
        place = bisect_left(self.uids, uid)
        return place + 1 if place < len(self.uids) and self.uids[place] == uid else 0

    def uid_ranges(self, numbers: Ranges) -> list[tuple[int, int]]:
        """The UIDs of resolved sequence numbers as few ranges; a range may span UIDs that do not exist any more."""
        return [(self.uids[first - 1], self.uids[last - 1]) for first, last in numbers]

    def known_in(self, first_uid: int, last_uid: int) -> tuple[int, Uids]:
        """The known UIDs in a range, and how many stand before them."""
        low = bisect_left(self.uids, first_uid)
        return low, self.uids[low : bisect_left(self.uids, last_uid + 1)]

    def numbers_of(self, uids: Sequence[int]) -> list[int]:
        """The sequence numbers of ascending UIDs; those that the session does not know are left out."""
        if isinstance(self.uids, range):
            first = self.uids.start - 1
            return [uid - first for uid in uids if uid in self.uids]
        if len(uids) * FEW < len(self.uids):
            return [number for uid in uids if (number := self.number_of(uid))]
        return list(compress(count(1), map(frozenset(uids).__contains__, self.uids)))

    def numbers_in_order(self, uids: Sequence[int]) -> list[int]:
        """The same of UIDs in any order, which is kept."""
        if isinstance(self.uids, range):
            return self.numbers_of(uids)
        if len(uids) * FEW < len(self.uids):
            return [number for uid in uids if (number := self.number_of(uid))]
        numbers = dict(zip(self.uids, count(1), strict=False))
        return [numbers[uid] for uid in uids if uid in numbers]

    def numbers_to_expunge(self, uids: Sequence[int]) -> list[int]:
        """The numbers to tell in EXPUNGE, in an order that needs no adjustment.

        Highest first: then the numbers told later are not moved by those told before (RFC 9051 §7.5.1).
        """
        return self.numbers_of(uids)[::-1]


def _compact(uids: Iterable[int]) -> Uids:
    if isinstance(uids, range):
        return uids
    packed = uids if isinstance(uids, array) else array("I", uids)
    if not packed:
        return range(0)
    if packed[-1] - packed[0] + 1 == len(packed):
        return range(packed[0], packed[-1] + 1)
    return packed
