"""Sequence sets: message numbers or UIDs as ranges that are never expanded (RFC 9051 §9 sequence-set)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

STAR: Final = 0
"""Stands for `*`, the largest number in use, inside SequenceSet.ranges."""

MAX_NUMBER: Final = 4294967295

Ranges = tuple[tuple[int, int], ...]
"""Ascending, disjoint, inclusive ranges of numbers that may exist."""

_SET: Final = re.compile(rb"(?:[1-9][0-9]{0,9}|\*)(?:[:,](?:[1-9][0-9]{0,9}|\*))*")


class InvalidSequenceSet(ValueError):
    """The text is not a sequence set."""


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """What a client asked for: pairs as written, `*` as STAR; a lone number is a pair of equals.

    `is_saved`: the set is `$`, whatever the last SEARCH saved, and has no ranges of its own (RFC 5182).
    """

    ranges: tuple[tuple[int, int], ...]
    is_saved: bool = False

    def resolve(self, largest: int) -> Ranges:
        """The set over the numbers 1 to `largest`, sorted, merged and clipped.

        `*` becomes `largest`, so `559:*` always holds the last UID (RFC 9051 §6.4.9); what lies above is left out.
        """
        if largest < 1:
            return ()
        found: list[tuple[int, int]] = []
        for first, last in self.ranges:
            low, high = first or largest, last or largest
            if low > high:
                low, high = high, low
            if low <= largest:
                found.append((low, min(high, largest)))
        if len(found) < 2:
            return tuple(found)
        return merge(found)

    @property
    def has_star(self) -> bool:
        """Whether `*` stands in the set."""
        return any(STAR in pair for pair in self.ranges)

    @property
    def is_open(self) -> bool:
        """Whether a range such as `3:*` is in the set."""
        return any(STAR in pair and pair != (STAR, STAR) for pair in self.ranges)

    def beyond(self, largest: int) -> int | None:
        """A number in the set above `largest`, as the client wrote it, or None; `*` is above nothing."""
        highest = max((end for pair in self.ranges for end in pair), default=0)
        return highest if highest > largest else None


SAVED: Final = SequenceSet((), is_saved=True)
"""`$`."""


def parse_set(text: bytes) -> SequenceSet:
    """`1,3:5,7:*` or `$` as a SequenceSet. Raises InvalidSequenceSet."""
    if text == b"$":
        return SAVED
    if _SET.fullmatch(text) is None:
        raise InvalidSequenceSet
    pairs: list[tuple[int, int]] = []
    for piece in text.split(b","):
        first, colon, last = piece.partition(b":")
        low = STAR if first == b"*" else int(first)
        if not colon:
            high = low
        elif b":" in last:
            raise InvalidSequenceSet
        else:
            high = STAR if last == b"*" else int(last)
        if low > MAX_NUMBER or high > MAX_NUMBER:
            raise InvalidSequenceSet
        pairs.append((low, high))
    return SequenceSet(tuple(pairs))


def merge(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Ascending disjoint ranges from pairs (low, high) in any order; neighbours are joined."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def format_ranges(ranges: Iterable[tuple[int, int]]) -> bytes:
    """Ranges as a set, in the order given."""
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges).encode()


def format_numbers(numbers: Iterable[int]) -> bytes:
    """Numbers as a set in the order given, ascending runs joined; order matters to COPYUID. Empty for no number."""
    pieces: list[tuple[int, int]] = []
    first = last = -1
    for number in numbers:
        if number == last + 1 and first > 0:
            last = number
            continue
        if first > 0:
            pieces.append((first, last))
        first = last = number
    if first > 0:
        pieces.append((first, last))
    return format_ranges(pieces)
