"""Numbers as text, many at a time: a SEARCH that finds most of a mailbox answers with most of its numbers."""

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Final

_LAST: Final = 1 << 17
"""Consecutive numbers up to here are cut from one text of 800 KB, which is made when it is first needed."""
_SHORT: Final = 16
"""Runs shorter than this, or in the mean, are not worth to be looked for."""

_text = b""


def chosen_text(numbers: Sequence[int], chosen: bytes) -> bytes:
    """The ascending numbers whose place in `chosen` holds 1 and not 0, each behind a blank."""
    count = chosen.count(1)
    if (chosen.count(b"\0\1") + 1) * _SHORT > count:
        return numbers_text(tuple(compress(numbers, chosen)))
    return b"".join(_run_text(numbers[start:end]) for start, end in runs(chosen))


def numbers_text(numbers: tuple[int, ...]) -> bytes:
    """Any numbers in their order, each behind a blank."""
    return b" %d" * len(numbers) % numbers


def runs(chosen: bytes) -> Iterator[tuple[int, int]]:
    """Where the runs of 1 begin, and where they end."""
    start = chosen.find(b"\1")
    while start >= 0:
        end = chosen.find(b"\0", start)
        if end < 0:
            end = len(chosen)
        yield start, end
        start = chosen.find(b"\1", end)


def _run_text(numbers: Sequence[int]) -> bytes:
    first, last = numbers[0], numbers[-1]
    if last - first + 1 == len(numbers) and last <= _LAST:
        global _text  # noqa: PLW0603  # it depends on nothing
        if not _text:
            _text = b" " + b" ".join(map(b"%d".__mod__, range(1, _LAST + 1)))
        return _text[_offset(first) : _offset(last + 1)]
    return numbers_text(tuple(numbers))


def _offset(number: int) -> int:
    """Where the blank before a number stands in the text."""
    offset, first = 0, 1
    for digits in range(1, len(str(number))):
        offset += 9 * first * (digits + 1)
        first *= 10
    return offset + (number - first) * (len(str(number)) + 1)
