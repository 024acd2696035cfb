"""Many numbers at once are the same text as one by one."""

from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.imap.counting import chosen_text, runs

RUNS = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=12)


def one_by_one(numbers, chosen: bytes) -> bytes:
    return b"".join(b" %d" % number for number, is_chosen in zip(numbers, chosen, strict=True) if is_chosen)


@given(RUNS, st.sampled_from([1, 5, 95, 9_990, 99_900, (1 << 17) - 30, 4_294_966_000]), st.integers(1, 3))
def test_chosen_numbers_are_told_in_full(pieces, first: int, step: int) -> None:
    chosen = b"".join(bytes([is_chosen]) * length for is_chosen, length in pieces)
    numbers = range(first, first + step * len(chosen), step)
    assert chosen_text(numbers, chosen) == one_by_one(numbers, chosen)
    assert chosen_text(list(numbers), chosen) == one_by_one(numbers, chosen)


@given(RUNS)
def test_runs_cover_what_is_chosen(pieces) -> None:
    chosen = b"".join(bytes([is_chosen]) * length for is_chosen, length in pieces)
    covered = {place for start, end in runs(chosen) for place in range(start, end)}
    assert covered == {place for place, is_chosen in enumerate(chosen) if is_chosen}
