"""Sets of message ids: they are sets, and small."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from mailhost.mailstore.messageids import MessageIds, Scores

IDS = st.sets(st.one_of(st.integers(1, 40), st.integers(1, 3_000), st.integers(1, 1 << 40)), max_size=60)


@given(ids=IDS, first=st.integers(0, 3_100), count=st.integers(0, 200))
def test_they_are_sets(ids: set[int], first: int, count: int) -> None:
    found = MessageIds(sorted(ids))
    assert found == ids
    assert sorted(found) == sorted(ids)
    assert len(found) == len(ids)
    assert found.flags(first, count) == bytes(number in ids for number in range(first, first + count))
    for number in (*ids, *(number + 1 for number in ids), 0, 5_000):
        assert (number in found) == (number in ids)


@given(st.dictionaries(st.one_of(st.integers(1, 300), st.integers(1, 1 << 40)), st.integers(1, 100), max_size=40))
def test_scores_are_those_given(scores: dict[int, int]) -> None:
    found = Scores(scores)
    for number in (*scores, *(number + 1 for number in scores), 0, 5_000):
        assert found.of(number) == scores.get(number, 0)


def test_a_thousand_of_them_have_room() -> None:
    everything = list(range(1, 100_001))
    tracemalloc.start()
    try:
        kept = [(MessageIds(everything), Scores(dict.fromkeys(everything, 100))) for _ in range(3)]
        octets, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert octets < len(kept) * 120_000
