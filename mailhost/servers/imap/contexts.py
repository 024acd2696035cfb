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

    def place_of(self, uid: int) -> int:
        """Where the message stands, or -1."""
        if self.is_sorted:
            return self.uids.index(uid) if uid in self.uids else -1
        place = bisect_left(self.uids, uid)
        return place if place < len(self.uids) and self.uids[place] == uid else -1

    def take_out(self, uids: Iterable[int]) -> list[tuple[int, int]]:
        """Forget messages; (place, uid) of those that were there, each as it stands when the ones before it are gone.

        Places count from 1; 0 stands for the natural order.
        """
        gone = sorted((place, uid) for uid in uids if (place := self.place_of(uid)) >= 0)
        if self.is_sorted:
            gone.reverse()
            for place, _ in gone:
                del self.uids[place]
            return [(place + 1, uid) for place, uid in gone]
        left = {uid for _, uid in gone}
        self.uids = array("I", (uid for uid in self.uids if uid not in left)) if gone else self.uids
        return [(0, uid) for _, uid in gone]

    def put_in(self, uid: int, places: Mapping[int, int]) -> int:
        """Take up a message of a sorted result; the place it has now. `places` is the order of the whole result.

        What is gone from the store but not told so is in no order; it stays where it is.
        """
        behind = (at for at, other in enumerate(self.uids) if places.get(other, -1) > places[uid])
        at = next(behind, len(self.uids))
        self.uids.insert(at, uid)
        return at + 1

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
