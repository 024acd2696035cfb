"""Places: how many of something each key may hold; and how sizes are told."""

import pytest

from mailhost.limits import Places, shown_size


def test_places_are_taken_and_given_back() -> None:
    places = Places[str](2)
    assert [places.take("a") for _ in range(3)] == [True, True, False]
    assert places.take("b")
    places.give_back("a")
    assert places.take("a")
    assert places.held("a") == 2
    for _ in range(2):
        places.give_back("a")
    assert places.held("a") == 0


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (15 * 1024**3, "15 GiB"),
        (2**60, "1048576 TiB"),
    ],
)
def test_sizes_for_eyes(octets: int, shown: str) -> None:
    assert shown_size(octets) == shown
