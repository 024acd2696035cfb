"""Places: how many of something each key may hold."""

from mailhost.limits import Places


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
