"""Waits: what counts, how long, and who never waits."""

from dataclasses import replace

from mailhost.login.model import Limits
from mailhost.login.throttle import Throttle

LIMITS = Limits(
    wrong_per_account=3,
    wrong_per_network=6,
    first_wait_seconds=5,
    longest_wait_seconds=60,
    forget_seconds=600,
    known_seconds=1_000,
    gateway_accounts=3,
    tracked=100,
)
HOME = "192.0.2.0/24"


def wrong(throttle: Throttle, number: int, now: float, address: str = "anna@x", network: str = HOME) -> float | None:
    return throttle.admit(address, network, f"{address} {number}".encode(), now)


def test_waits_double_and_end_by_themselves() -> None:
    throttle = Throttle(LIMITS)
    now = 1000.0
    assert [wrong(throttle, number, now) for number in range(4)] == [None] * 4
    waits = []
    for number in range(4, 10):
        until = wrong(throttle, number, now)
        assert until is not None
        waits.append(until - now)
        assert wrong(throttle, number, until - 0.001) == until
        now = until
        assert wrong(throttle, number, now) is None
    assert waits == [5, 10, 20, 40, 60, 60]


def test_asking_again_during_a_wait_does_not_prolong_it() -> None:
    throttle = Throttle(LIMITS)
    for number in range(4):
        wrong(throttle, number, 0.0)
    assert {wrong(throttle, number, number / 100) for number in range(100, 400)} == {5.0}
    assert wrong(throttle, 4, 5.0) is None


def test_the_same_wrong_password_is_counted_once() -> None:
    throttle = Throttle(LIMITS)
    for _ in range(500):
        assert wrong(throttle, 1, 0.0) is None
    assert wrong(throttle, 2, 0.0) is None


def test_counting_starts_anew_after_a_while() -> None:
    throttle = Throttle(LIMITS)
    for number in range(4):
        wrong(throttle, number, 0.0)
    assert [wrong(throttle, number, 600.0) for number in range(10, 13)] == [None] * 3


def test_one_network_waits_for_one_account_only() -> None:
    throttle = Throttle(LIMITS)
    for number in range(4):
        wrong(throttle, number, 0.0)
    assert wrong(throttle, 9, 1.0) == 5.0
    assert wrong(throttle, 9, 1.0, address="otto@x") is None
    assert wrong(throttle, 9, 1.0, network="198.51.100.0/24") is None


def test_a_network_that_tries_many_accounts_waits_as_a_whole() -> None:
    throttle = Throttle(LIMITS)
    for number in range(7):
        assert wrong(throttle, 1, 0.0, address=f"user{number}@x") is None
    assert wrong(throttle, 1, 0.0, address="anna@x") == 5.0
    assert wrong(throttle, 1, 0.0, address="anna@x", network="198.51.100.0/24") is None


def test_names_that_are_nobodys_do_not_count_for_the_whole_network() -> None:
    throttle = Throttle(LIMITS)
    for number in range(4):
        wrong(throttle, number, 0.0, address="")
    assert wrong(throttle, 9, 0.0, address="") == 5.0
    assert wrong(throttle, 9, 0.0) is None


def test_a_network_known_to_the_account_does_not_wait_for_its_neighbours() -> None:
    throttle = Throttle(LIMITS)
    throttle.welcome("anna@x", HOME, 0.0)
    for number in range(7):
        wrong(throttle, 1, 0.0, address=f"user{number}@x")
    assert wrong(throttle, 1, 1.0, address="otto@x") == 5.0
    assert wrong(throttle, 1, 1.0) is None
    assert wrong(throttle, 2, 1000.0, address="stranger@x") is None  # forgotten by now
    for number in range(7):
        wrong(throttle, 2, 1000.0, address=f"user{number}@x")
    assert wrong(throttle, 1, 1000.0) is not None  # known for a day, not for ever


def test_even_a_known_network_cannot_guess_at_its_own_account() -> None:
    throttle = Throttle(LIMITS)
    throttle.welcome("anna@x", HOME, 0.0)
    assert [wrong(throttle, number, 0.0) for number in range(4)] == [None] * 4
    assert wrong(throttle, 4, 0.0) == 5.0


def test_a_gateway_in_front_of_many_never_waits_as_a_whole() -> None:
    throttle = Throttle(LIMITS)
    for number in range(3):
        throttle.welcome(f"member{number}@x", HOME, 0.0)
    for number in range(50):
        assert wrong(throttle, 1, 1.0, address=f"user{number}@x") is None
    throttle = Throttle(LIMITS)
    for number in range(2):
        throttle.welcome(f"member{number}@x", HOME, 0.0)
    answers = [wrong(throttle, 1, 1.0, address=f"user{number}@x") for number in range(50)]
    assert answers.count(None) == 7


def test_memory_is_bounded() -> None:
    throttle = Throttle(replace(LIMITS, tracked=10))
    for number in range(1_000):
        throttle.welcome(f"user{number}@x", f"10.0.{number}.0/24", float(number))
        throttle.welcome(f"user{number}@x", HOME, float(number))
        wrong(throttle, number, 0.0, address=f"user{number % 50}@x", network=f"10.0.{number}.0/24")
        wrong(throttle, number, 1e6 * number, address="anna@x")
    assert len(throttle._sources) <= 10
    assert len(throttle._known) <= 10
    assert len(throttle._known[HOME]) == LIMITS.gateway_accounts
    assert all(len(source.marks) <= 128 for source in throttle._sources.values())
    patient = Throttle(replace(LIMITS, wrong_per_account=10_000, wrong_per_network=10_000))
    for number in range(2_000):
        assert wrong(patient, number, 0.0) is None
    assert all(len(source.marks) == 128 for source in patient._sources.values())
