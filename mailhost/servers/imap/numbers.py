"""Sequence numbers: which UID a session knows as its n-th message (RFC 9051 §2.3.1.2)."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from mailhost.protocols.imap.sets import Ranges

Uids = Sequence[int]
"""Ascending: a `range` while the UIDs have no gap, an array of 32-bit numbers once they do."""

FEW = 64
"""Removing so many one by one beats building the map anew."""


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

    def extend(self, uids: Iterable[int]) -> None:
        """Messages arrived."""
        new = list(uids)
        if not new:
            return
        if isinstance(self.uids, range):
            end = self.uids[-1] + 1 if self.uids else new[0]
            if new[0] == end and new[-1] - new[0] + 1 == len(new):
                self.uids = range(self.uids.start if self.uids else end, new[-1] + 1)
                return
        self.uids = array("I", [*self.uids, *new])

    def remove(self, uids: Sequence[int]) -> list[int]:
        """Forget expunged UIDs; returns the numbers to tell in EXPUNGE, in an order that needs no adjustment.

        Highest first: then the numbers told later are not moved by those told before (RFC 9051 §7.5.1).
        """
        numbers = sorted((number for uid in uids if (number := self.number_of(uid))), reverse=True)
        if not numbers:
            return []
        if len(numbers) < FEW:
            left = array("I", self.uids)
            for number in numbers:
                del left[number - 1]
        else:
            gone = {self.uids[number - 1] for number in numbers}
            left = array("I", [uid for uid in self.uids if uid not in gone])
        self.uids = _compact(left)
        return numbers


def _compact(uids: Iterable[int]) -> Uids:
    if isinstance(uids, range):
        return uids
    packed = uids if isinstance(uids, array) else array("I", uids)
    if not packed:
        return range(0)
    if packed[-1] - packed[0] + 1 == len(packed):
        return range(packed[0], packed[-1] + 1)
    return packed
