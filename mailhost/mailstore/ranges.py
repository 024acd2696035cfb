"""UID ranges as SQL: conditions of bounded size over any number of ranges."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from mailhost.mailstore.model import MAX_UID, UidRange, UidRanges

RANGES_IN_STATEMENT = 100


def conditions(ranges: UidRanges, column: str = "uid") -> Iterator[tuple[str, dict[str, int]]]:
    """(condition, parameters) pairs that together cover the ranges, at most `RANGES_IN_STATEMENT` in each."""
    for start in range(0, len(ranges), RANGES_IN_STATEMENT):
        piece = ranges[start : start + RANGES_IN_STATEMENT]
        parameters: dict[str, int] = {}
        terms, single = [], []
        for number, (first, last) in enumerate(piece):
            parameters[f"first{number}"] = first
            if first == last:
                single.append(f":first{number}")
            else:
                parameters[f"last{number}"] = last
                terms.append(f"{column} between :first{number} and :last{number}")
        if single:  # as a list, for SQLite takes five times as long for so many conditions
            terms.append(f"{column} in ({', '.join(single)})")
        yield "(" + " or ".join(terms) + ")", parameters


def portions(ranges: UidRanges, width: int) -> Iterator[list[UidRange]]:
    """The ranges, wide ones cut up, in portions that span `width` UIDs and fill one statement at most."""
    portion: list[UidRange] = []
    room = width
    for first, last in ranges:
        while first <= last:
            end = min(last, first + room - 1)
            portion.append((first, end))
            room -= end - first + 1
            first = end + 1  # noqa: PLW2901  # what is left of the range
            if not room or len(portion) == RANGES_IN_STATEMENT:
                yield portion
                portion, room = [], width
    if portion:
        yield portion


def as_ranges(uids: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending UIDs as ranges of neighbours."""
    ranges: list[tuple[int, int]] = []
    first = last = -2
    for uid in uids:
        if uid == last + 1:
            last = uid
            continue
        if last > 0:
            ranges.append((first, last))
        first = last = uid
    if last > 0:
        ranges.append((first, last))
    return ranges


def without(ranges: UidRanges, uids: list[int]) -> UidRanges:
    """The ranges less some ascending UIDs that lie inside them."""
    left: list[tuple[int, int]] = []
    taken = iter([*uids, 0])
    gap = next(taken)
    for first, last in ranges:
        start = first
        while first <= gap <= last:
            if start < gap:
                left.append((start, gap - 1))
            start = gap + 1
            gap = next(taken)
        if start <= last:
            left.append((start, last))
    return left


def holds(ranges: UidRanges, uid: int) -> bool:
    """Whether the UID lies inside one of the ranges."""
    place = bisect_right(ranges, (uid, MAX_UID))
    return place > 0 and uid <= ranges[place - 1][1]


def intersection(left: UidRanges, right: UidRanges) -> list[UidRange]:
    """What lies inside both, in one walk along them."""
    found: list[UidRange] = []
    here = there = 0
    while here < len(left) and there < len(right):
        first, last = max(left[here][0], right[there][0]), min(left[here][1], right[there][1])
        if first <= last:
            found.append((first, last))
        if left[here][1] < right[there][1]:
            here += 1
        else:
            there += 1
    return found
