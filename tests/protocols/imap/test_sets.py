import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.imap.sets import InvalidSequenceSet, SequenceSet, format_numbers, parse_set

pairs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8)


def test_huge_ranges_stay_ranges() -> None:
    assert parse_set(b"1:4294967295").resolve(5) == ((1, 5),)
    assert parse_set(b"4294967295:*").resolve(5) == ((5, 5),)


def test_star_holds_the_last_number_even_above_it() -> None:
    assert parse_set(b"559:*").resolve(100) == ((100, 100),)
    assert parse_set(b"*:559").resolve(1000) == ((559, 1000),)
    assert parse_set(b"*").resolve(0) == ()


@pytest.mark.parametrize(
    "text", [b"", b"0", b"1:0", b"4294967296", b"1,,2", b"1:2:3", b"1:", b":1", b"a", b"1 ", b"-1"]
)
def test_malformed_sets_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidSequenceSet):
        parse_set(text)


@given(pairs, st.integers(0, 50))
def test_resolving_agrees_with_a_set_of_numbers(ranges: list[tuple[int, int]], largest: int) -> None:
    expected = set()
    for first, last in ranges:
        low, high = sorted((first or largest, last or largest))
        expected.update(range(max(low, 1), min(high, largest) + 1))
    resolved = SequenceSet(tuple(ranges)).resolve(largest)
    assert {number for low, high in resolved for number in range(low, high + 1)} == expected
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(resolved))


@given(st.lists(st.integers(1, 40)))
def test_formatting_keeps_the_order(numbers: list[int]) -> None:
    text = format_numbers(numbers)
    expanded: list[int] = []
    for piece in filter(None, text.split(b",")):
        first, _, last = piece.partition(b":")
        expanded.extend(range(int(first), int(last or first) + 1))
    assert expanded == numbers
