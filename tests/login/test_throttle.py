"""Waits: what counts, how long, and who never waits. Counted in the store, so that processes know of each other."""

from mailhost.accounts.places.sql import record_places
from mailhost.accounts.waits.sql import forget_waits
from mailhost.login import throttle
from mailhost.login.model import Limits
from mailhost.storage.database import Database, Tx

LIMITS = Limits(
    wrong_per_account=3,
    wrong_per_network=6,
    first_wait_seconds=5,
    longest_wait_seconds=60,
    forget_seconds=600,
    known_seconds=1_000,
    gateway_accounts=3,
)
HOME = "192.0.2.0/24"
ANNA = 7


async def wrong(
    database: Database, number: int, now: float, address: str = "anna@x", network: str = HOME, limits: Limits = LIMITS
) -> float | None:
    """A wrong secret comes: when it would be looked at, None for at once."""
    account_id = ANNA if address == "anna@x" else None
    attempt = throttle.Attempt(address, account_id, network, f"{address} {number}".encode(), now)
    waiting = await database.point(throttle.must_wait, limits, attempt)
    if waiting is not None:
        return waiting.until
    await database.write_relaxed(throttle.count, limits, attempt)
    return None


async def welcome(database: Database, account_id: int, at: int) -> None:
    await database.write(record_places, [(account_id, 1, HOME, "", at)])


async def test_waits_double_and_end_by_themselves(database: Database) -> None:
    now = 1000.0
    assert [await wrong(database, number, now) for number in range(4)] == [None] * 4
    waits = []
    for number in range(4, 10):
        until = await wrong(database, number, now)
        assert until is not None
        waits.append(until - now)
        assert await wrong(database, number, until - 0.001) == until
        now = until
        assert await wrong(database, number, now) is None
    assert waits == [5, 10, 20, 40, 60, 60]


async def test_asking_again_during_a_wait_does_not_prolong_it(database: Database) -> None:
    for number in range(4):
        await wrong(database, number, 0.0)
    assert {await wrong(database, number, number / 100) for number in range(100, 400)} == {5.0}
    assert await wrong(database, 4, 5.0) is None


async def test_the_same_wrong_password_is_counted_once(database: Database) -> None:
    for _ in range(500):
        assert await wrong(database, 1, 0.0) is None
    assert await wrong(database, 2, 0.0) is None


async def test_counting_starts_anew_after_a_while(database: Database) -> None:
    for number in range(4):
        await wrong(database, number, 0.0)
    assert [await wrong(database, number, 600.0) for number in range(10, 13)] == [None] * 3


async def test_one_network_waits_for_one_account_only(database: Database) -> None:
    for number in range(4):
        await wrong(database, number, 0.0)
    assert await wrong(database, 9, 1.0) == 5.0
    assert await wrong(database, 9, 1.0, address="otto@x") is None
    assert await wrong(database, 9, 1.0, network="198.51.100.0/24") is None


async def test_a_network_that_tries_many_accounts_waits_as_a_whole(database: Database) -> None:
    for number in range(7):
        assert await wrong(database, 1, 0.0, address=f"user{number}@x") is None
    assert await wrong(database, 1, 0.0, address="anna@x") == 5.0
    assert await wrong(database, 1, 0.0, address="anna@x", network="198.51.100.0/24") is None


async def test_names_that_are_nobodys_do_not_count_for_the_whole_network(database: Database) -> None:
    for number in range(4):
        await wrong(database, number, 0.0, address="")
    assert await wrong(database, 9, 0.0, address="") == 5.0
    assert await wrong(database, 9, 0.0) is None


async def test_a_network_known_to_the_account_does_not_wait_for_its_neighbours(database: Database) -> None:
    await welcome(database, ANNA, 0)
    for number in range(7):
        await wrong(database, 1, 0.0, address=f"user{number}@x")
    assert await wrong(database, 1, 1.0, address="otto@x") == 5.0
    assert await wrong(database, 1, 1.0) is None
    assert await wrong(database, 2, 1000.0, address="stranger@x") is None  # forgotten by now
    for number in range(7):
        await wrong(database, 2, 1000.0, address=f"user{number}@x")
    assert await wrong(database, 1, 1000.0) is not None  # known for a day, not for ever


async def test_even_a_known_network_cannot_guess_at_its_own_account(database: Database) -> None:
    await welcome(database, ANNA, 0)
    assert [await wrong(database, number, 0.0) for number in range(4)] == [None] * 4
    assert await wrong(database, 4, 0.0) == 5.0


async def test_a_gateway_in_front_of_many_never_waits_as_a_whole(database: Database) -> None:
    for number in range(3):
        await welcome(database, 100 + number, 0)
    for number in range(50):
        assert await wrong(database, 1, 1.0, address=f"user{number}@x") is None


async def test_two_people_behind_one_address_are_no_gateway(database: Database) -> None:
    for number in range(2):
        await welcome(database, 100 + number, 0)
    answers = [await wrong(database, 1, 1.0, address=f"user{number}@x") for number in range(50)]
    assert answers.count(None) == 7


async def test_guessing_from_many_networks_is_no_faster_than_from_ten(database: Database) -> None:
    await welcome(database, ANNA, 0)
    networks = [f"198.51.{number}.0/24" for number in range(100)]
    for address in ("anna@x", "nobody@x"):  # an unknown name is slowed down like a known one
        answers = [await wrong(database, number, 1.0, address, network) for number, network in enumerate(networks)]
        assert answers.count(None) == 10 * LIMITS.wrong_per_account + 1
        assert set(answers[31:]) == {6.0}
    assert await wrong(database, 1, 1.0) is None  # where she signed in lately
    assert await wrong(database, 1, 1.0, "otto@x", networks[99]) is None


async def test_processes_share_their_counts(database: Database, second: Database) -> None:
    for number in range(4):
        await wrong(database if number % 2 else second, number, 0.0)
    assert await wrong(database, 8, 1.0) == 5.0
    assert await wrong(second, 9, 1.0) == 5.0


async def test_the_store_forgets_what_is_over(database: Database) -> None:
    for number in range(5):
        await wrong(database, number, 0.0)
    await wrong(database, 1, 500.0, address="otto@x", network="198.51.100.0/24")

    def left(tx: Tx) -> list[int]:
        tables = ("sign_in_wait", "wrong_secret")
        return [tx.execute(f"select count(*) from {table}")[0][0] for table in tables]

    assert await database.read(left) == [6, 15]
    await database.write(forget_waits, 400.0, 1000.0)
    assert await database.read(left) == [3, 3]
    await database.write(forget_waits, 501.0, 1101.0)
    assert await database.read(left) == [0, 0]
