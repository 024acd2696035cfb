"""Searches that stay open: what their client has been told of their results (RFC 5267 §4.3)."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.model import UidRanges
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Search, Sort

MAX_CONTEXTS: Final = 8
"""In one session."""
MAX_FOUND: Final = 200_000
"""Messages of a SEARCH that are kept account of; four octets each."""
MAX_SORTED: Final = 10_000
"""The same of a SORT, whose order is made anew for each message that joins it."""


@dataclass(slots=True)
class Context:
    """One open search: what was asked, and the UIDs its client has been told of, in the order asked for."""

    command: Search | Sort
    sets: dict[int, UidRanges]  # what sequence numbers and `$` meant when it was asked
    uids: MutableSequence[int]

    @property
    def is_sorted(self) -> bool:
        """Whether places in the order are told."""
        return isinstance(self.command, Sort)

    @property
    def most(self) -> int:
        """How many messages the result may have."""
        return MAX_SORTED if self.is_sorted else MAX_FOUND

    def missing(self, uids: set[int]) -> list[int]:
        """Those that are not in the result, ascending."""
        return sorted(uids.difference(self.uids) if self.is_sorted else {uid for uid in uids if not self._holds(uid)})

    def _holds(self, uid: int) -> bool:
        """Whether a message is in a result that is ascending."""
        place = bisect_left(self.uids, uid)
        return place < len(self.uids) and self.uids[place] == uid

    def take_out(self, uids: Iterable[int]) -> list[tuple[int, int]]:
        """Forget messages; (place, uid) of those that were there, each as it stands when the ones before it are gone.

        Places count from 1; 0 stands for the natural order.
        """
        left = set(uids)
        if self.is_sorted:
            gone = [(place, uid) for place, uid in enumerate(self.uids, 1) if uid in left][::-1]
        else:
            gone = [(0, uid) for uid in sorted(left) if self._holds(uid)]
        if gone:
            self.uids = array("I", (uid for uid in self.uids if uid not in left))
        return gone

    def put_in(self, uids: Iterable[int], places: Mapping[int, int]) -> list[tuple[int, int]]:
        """Take up messages of a sorted result; (place, uid) of each as it stands when the ones before it are in.

        `places` is the order of the whole result. What is gone from the store but not told so is in no order; it stays
        where it is.
        """
        told: list[tuple[int, int]] = []
        everything = array("I")
        others = iter(self.uids)
        other = next(others, None)
        for uid in sorted(uids, key=places.__getitem__):
            while other is not None and places.get(other, -1) < places[uid]:
                everything.append(other)
                other = next(others, None)
            everything.append(uid)
            told.append((len(everything), uid))
        if other is not None:
            everything.extend((other, *others))
        self.uids = everything
        return told

    def line(self, item: bytes, pairs: Sequence[tuple[int, int]], number_of: Callable[[int], int]) -> bytes:
        """The ESEARCH response for (place, uid); nothing for none."""
        if not self.command.by_uid:
            pairs = [(place, number_of(uid)) for place, uid in pairs]
        if not self.is_sorted and pairs:
            return responses.esearch_update(self.command, item, [(0, [number for _, number in pairs])])
        return responses.esearch_update(self.command, item, [(place, [number]) for place, number in pairs])


class Contexts:
    """The open searches of the selected mailbox, true up to `modseq` for messages below `uid_next`."""

    __slots__ = ("by_tag", "modseq", "uid_next")

    def __init__(self, modseq: int, uid_next: int) -> None:
        self.by_tag: dict[bytes, Context] = {}
        self.modseq = modseq
        self.uid_next = uid_next

    def expunged(self, uids: Sequence[int], numbers: Sequence[int]) -> bytes:
        """REMOVEFROM for messages about to be told as expunged, with the numbers they still have."""
        number_of = dict(zip(uids, numbers, strict=True))
        return b"".join(
            context.line(b"REMOVEFROM", context.take_out(uids), number_of.__getitem__)
            for context in self.by_tag.values()
        )
