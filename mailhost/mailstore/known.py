"""One mailbox as this process knows it: packed columns, ascending by UID, that move from modseq to modseq.

The columns belong to the event loop and are true until its next wait. Only `uids` is never changed but replaced, so
that sessions can hold it and threads can read it.
"""

from __future__ import annotations  # array is no generic before Python 3.12

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, compress
from operator import le
from typing import Final, TypeAlias

from mailhost.mailstore.lanes import LANES, change_lanes
from mailhost.mailstore.model import UidRanges
from mailhost.mailstore.ranges import holds
from mailhost.storage.database import Row

Values: TypeAlias = "list[str] | array[int]"
"""One value of each message, in the order of UIDs."""

_EACH: Final = 2_048  # octets of a mailbox besides its columns
_FEW: Final = 64  # so many are taken out of a column one by one
_MANY: Final = 32  # so many UIDs of a range are changed together rather than one by one
_BASE: Final = 20  # octets a message in the three columns that are always there


@dataclass(frozen=True, slots=True)
class Detail:
    """A column that is read when it is first asked for, from so many row columns; `octets` a message, about."""

    name: str
    columns: tuple[str, ...]
    make: Callable[[Sequence[Row]], Values]
    octets: int


@dataclass(frozen=True, slots=True)
class Packed:
    """Some messages as columns, ascending by UID."""

    uids: array[int]
    flags: array[int]
    modseqs: array[int]


@dataclass(frozen=True, slots=True)
class Repeatable:
    """What one STORE did, at `modseq`: bits cleared and then bits set, of all messages in ascending UID ranges.

    A message whose flags stayed as they were kept its MODSEQ.
    """

    modseq: int
    ranges: UidRanges
    clear_mask: int
    set_mask: int

    @property
    def work(self) -> int:
        """About how many messages, changed one by one, would take as long."""
        wide = (last - first + 1 for first, last in self.ranges if first != last)
        return len(self.ranges) + sum(count - 1 if count < _MANY else _MANY + count // 8 - 1 for count in wide)


@dataclass(frozen=True, slots=True)
class Moved:
    """How a mailbox came to where it is at `modseq`: what vanished of the known, what was done to it or how it is now,
    and what arrived. `is_whole`: it starts from nothing.
    """

    modseq: int
    uid_next: int
    gone_modseq: int
    vanished: Sequence[int]
    done: Sequence[Repeatable]
    changed: Sequence[Packed]
    arrived: Sequence[Packed]
    is_whole: bool


class KnownMailbox:
    """The present of a mailbox at `modseq`, below `uid_next`. Nothing was expunged after `gone_modseq`."""

    __slots__ = (
        "_ascending",
        "_details",
        "_log",
        "_log_floor",
        "_logged",
        "_long_texts",
        "_orders",
        "_threads",
        "flags",
        "gone_modseq",
        "key",
        "lock",
        "modseq",
        "modseqs",
        "uid_next",
        "uids",
    )

    def __init__(self, account_id: int, mailbox_id: int) -> None:
        self.key = (account_id, mailbox_id)
        self.lock = asyncio.Lock()
        self.modseq = -1
        self._forget(0)

    def _forget(self, modseq: int) -> None:
        self.uid_next = 1
        self.gone_modseq = 0
        self.uids: array[int] = array("I")
        self.flags: array[int] = array("Q")
        self.modseqs: array[int] = array("Q")
        self._details: dict[Detail, Values] = {}
        self._long_texts = 0  # octets of those that take more than is counted for each
        self._ascending: set[Detail] = set()
        self._orders: dict[tuple[Detail, bool], array[int]] = {}
        self._threads: dict[tuple[str, bool], bytes] = {}
        self._log: list[tuple[int, array[int]]] = []  # (modseq before, UIDs that changed or arrived then)
        self._logged = 0
        self._log_floor = modseq

    @property
    def octets(self) -> int:
        """About how much memory this takes."""
        columns = _BASE + sum(detail.octets for detail in self._details)
        places = self._logged + len(self.uids) * len(self._orders)
        texts = self._long_texts + sum(map(len, self._threads.values()))
        return _EACH + len(self.uids) * columns + 4 * places + texts

    def copy(self, details: Iterable[Detail]) -> KnownMailbox:
        """The mailbox as it is now, with some details, for a thread to look at while this one moves on."""
        copy = KnownMailbox(*self.key)
        copy.uids, copy.flags, copy.modseqs = self.uids, self.flags[:], self.modseqs[:]
        copy.modseq, copy.uid_next, copy.gone_modseq = self.modseq, self.uid_next, self.gone_modseq
        copy._details = {detail: self._details[detail][:] for detail in details}
        copy._ascending = set(self._ascending)
        return copy

    def place_of(self, uid: int) -> int:
        """Where a UID stands in the columns, or -1."""
        place = bisect_left(self.uids, uid)
        return place if place < len(self.uids) and self.uids[place] == uid else -1

    def _places(self, uids: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Of ascending UIDs those that are here: where they stand, and where they stand among the given."""
        here, count, place = self.uids, len(self.uids), 0
        for other, uid in enumerate(uids):
            if place == count:
                return
            guess = place + uid - here[place]  # right where none between is gone, and asked here for speed
            place = guess if place <= guess < count and here[guess] == uid else self._place_from(place, uid)
            if place == count:
                return
            if here[place] == uid:
                yield place, other

    def span(self, first_uid: int, last_uid: int) -> tuple[int, int]:
        """The places of the UIDs from `first_uid` to `last_uid`, the end not inside."""
        return bisect_left(self.uids, first_uid), bisect_left(self.uids, last_uid + 1)

    def uids_below(self, uid_next: int) -> array[int]:
        """The UIDs below one: the column itself where it has no others."""
        count = bisect_left(self.uids, uid_next)
        return self.uids if count == len(self.uids) else self.uids[:count]

    def changed_since(self, modseq: int, ranges: UidRanges) -> list[int]:
        """Places of the messages inside the ranges whose MODSEQ is above `modseq`, ascending.

        Costs what changed where that is known.
        """
        if not ranges:
            return []
        low, end = self.span(ranges[0][0], ranges[-1][1])
        places = [place for place in self._changed_since(modseq) if low <= place < end]
        return places if len(ranges) == 1 else [place for place in places if holds(ranges, self.uids[place])]

    def _changed_since(self, modseq: int) -> Iterable[int]:
        if modseq < self._log_floor:
            return compress(range(len(self.uids)), map(modseq.__lt__, self.modseqs))
        touched: set[int] = set()
        for before, uids in reversed(self._log):
            touched.update(uids)
            if before <= modseq:
                break
        return (place for place, _ in self._places(sorted(touched)) if self.modseqs[place] > modseq)

    def detail(self, detail: Detail) -> Values:
        """A column that was asked for; it is as long as `uids` until the next wait."""
        return self._details[detail]

    def packed(self, detail: Detail) -> array[int]:
        """The same, of one that is made of numbers."""
        values = self._details[detail]
        assert isinstance(values, array)
        return values

    def is_ascending(self, detail: Detail) -> bool:
        """Whether none of its values is below one before it, as is usual for what a message gets as it arrives."""
        return detail in self._ascending

    def order(self, detail: Detail, *, is_reverse: bool) -> array[int]:
        """The places in the order of a detail's values, equal ones in that of UIDs; only the first, where it is old."""
        return self._orders.get((detail, is_reverse), array("I"))

    def keep_order(self, detail: Detail, order: array[int], *, is_reverse: bool) -> None:
        """Keep an order for whoever asks next; the messages are still those it was made of."""
        self._orders[detail, is_reverse] = order

    def threads(self, algorithm: str, *, by_uid: bool) -> bytes | None:
        """The answer to THREAD over all these messages, where somebody has made it."""
        return self._threads.get((algorithm, by_uid))

    def keep_threads(self, algorithm: str, answer: bytes, *, by_uid: bool) -> None:
        """Remember it until messages come or go: what threads are made of never changes."""
        self._threads[algorithm, by_uid] = answer

    # For KnownMailboxes, which holds the lock.

    def move(self, moved: Moved) -> None:
        """Come to where the store is."""
        if moved.is_whole:
            self._forget(moved.modseq)
        if moved.vanished or moved.arrived:
            self._threads.clear()
        if moved.vanished:
            self._take_out([place for uid in moved.vanished if (place := self.place_of(uid)) >= 0])
        touched: array[int] = array("I")
        for done in moved.done:
            touched += self._repeat(done)
        for packed in moved.changed:
            self._change(packed)
            touched += packed.uids
        for packed in moved.arrived:
            self.uids = self.uids + packed.uids if self.uids else packed.uids
            self.flags += packed.flags
            self.modseqs += packed.modseqs
            touched += packed.uids
        if not moved.is_whole:
            self._note(touched, moved.modseq)
        self.modseq, self.uid_next, self.gone_modseq = moved.modseq, moved.uid_next, moved.gone_modseq

    def unread(self, details: Sequence[Detail]) -> tuple[list[Detail], int]:
        """The details that know the fewest messages, when those are not all, and how many they know."""
        for detail in details:
            if detail not in self._details:
                self._details[detail] = detail.make(())
        counts = {detail: len(self._details[detail]) for detail in details}
        fewest = min(counts.values(), default=len(self.uids))
        if fewest >= len(self.uids):
            return [], fewest
        return [detail for detail, count in counts.items() if count == fewest], fewest

    def learn(self, start: int, uids: Sequence[int], values: dict[Detail, Values]) -> bool:
        """Take values that follow the first `start`; False when the messages are not those known here."""
        if self.uids[start : start + len(uids)] != array("I", uids):
            return False
        for detail, more in values.items():
            known = self._details[detail]
            if isinstance(known, array) and isinstance(more, array):
                if not all(map(le, chain(known[-1:] or more[:1], more), more)):
                    self._ascending.discard(detail)
                elif not known:
                    self._ascending.add(detail)
            else:
                self._long_texts += sum(
                    len(text) for text in more if isinstance(text, str) and len(text) > detail.octets
                )
            known.extend(more)  # type: ignore[arg-type]  # the same function made both
        return True

    def _take_out(self, places: Sequence[int]) -> None:
        keep = bytearray(b"\1") * len(self.uids)
        for place in places:
            keep[place] = 0
        self.uids, self.flags, self.modseqs = (
            _kept(column, places, keep) for column in (self.uids, self.flags, self.modseqs)
        )
        self._take_out_of_orders(keep)
        for detail, values in self._details.items():
            if isinstance(values, array):
                self._details[detail] = _kept(values, [place for place in places if place < len(values)], keep)
            else:
                self._details[detail] = list(compress(values, keep))

    def _take_out_of_orders(self, keep: bytearray) -> None:
        if not self._orders:
            return
        places_after = array("I", accumulate(keep, initial=0))
        for key, order in self._orders.items():
            left = compress(order, map(keep.__getitem__, order))
            self._orders[key] = array("I", map(places_after.__getitem__, left))

    def _change(self, packed: Packed) -> None:
        start = self.place_of(packed.uids[0])
        end = start + len(packed.uids)
        if start >= 0 and self.uids[start:end] == packed.uids:
            self.flags[start:end] = packed.flags
            self.modseqs[start:end] = packed.modseqs
            return
        flags, modseqs = self.flags, self.modseqs
        for place, other in self._places(packed.uids):
            flags[place] = packed.flags[other]
            modseqs[place] = packed.modseqs[other]

    def _repeat(self, done: Repeatable) -> array[int]:
        """Do the same here; the UIDs that it changed."""
        uids, flags, modseqs, count = self.uids, self.flags, self.modseqs, len(self.uids)
        keep, add, modseq = ~done.clear_mask, done.set_mask, done.modseq
        touched: array[int] = array("I")
        place = 0
        for first, last in done.ranges:
            if place == count:
                break
            guess = place + first - uids[place]  # right where none between is gone, and asked here for speed
            place = guess if place <= guess < count and uids[guess] == first else self._place_from(place, first)
            if last - first >= _MANY:
                end = self._place_from(place, last + 1)
                for start in range(place, end, LANES):
                    touched += self._repeat_all(done, start, min(start + LANES, end))
                place = end
                continue
            while place < count and uids[place] <= last:
                old = flags[place]
                new = old & keep | add
                if new != old:
                    flags[place] = new
                    modseqs[place] = modseq
                    touched.append(uids[place])
                place += 1
        return touched

    def _repeat_all(self, done: Repeatable, start: int, end: int) -> array[int]:
        """Do it to all messages from place `start` to before `end`."""
        self.flags[start:end], differs = change_lanes(self.flags[start:end], done.clear_mask, done.set_mask)
        if differs is None:
            self.modseqs[start:end] = array("Q", (done.modseq,)) * (end - start)
            return self.uids[start:end]
        for place in compress(range(start, end), differs):
            self.modseqs[place] = done.modseq
        return array("I", compress(self.uids[start:end], differs))

    def _place_from(self, place: int, uid: int) -> int:
        """Where the first message from `uid` on stands, at or behind a place before it."""
        if place == len(self.uids):
            return place
        # UIDs lie as far apart as their places, or farther where some are gone.
        farthest = place + max(uid - self.uids[place], 0)
        return bisect_left(self.uids, uid, place, min(farthest, len(self.uids)))

    def _note(self, touched: array[int], modseq: int) -> None:
        """Remember what changed on the way to `modseq`, as long as that is much less than to look at every message."""
        self._log.append((self.modseq, touched))
        self._logged += len(touched)
        while self._log and self._logged > len(self.uids) // 4 + _FEW:
            _, forgotten = self._log.pop(0)
            self._logged -= len(forgotten)
            self._log_floor = self._log[0][0] if self._log else modseq


def whole_order(order: Sequence[int], values: Values, *, is_reverse: bool) -> array[int]:
    """Every place in the order of the values, from what was the order of the first of them: most of the work."""
    places = [*order, *range(len(order), len(values))]
    places.sort(key=values.__getitem__, reverse=is_reverse)
    return array("I", places)


def _kept(column: array[int], places: Sequence[int], keep: bytearray) -> array[int]:
    """A new column without some ascending places."""
    if len(places) > _FEW:
        return array(column.typecode, compress(column, keep))
    left = column[:]
    for place in reversed(places):
        del left[place]
    return left
