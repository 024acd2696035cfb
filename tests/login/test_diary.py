"""The diary between the door and the store: batches, bounds, and what happens when the store is away."""

import asyncio
from dataclasses import replace

import pytest

from mailhost.accounts.audit.model import NOBODY, Cause, SignIn
from mailhost.accounts.audit.sql import list_sign_ins
from mailhost.login import Identity, Limits
from mailhost.login import diary as diary_module
from mailhost.login.diary import Diary
from mailhost.storage.database import Database
from mailhost.storage.errors import StorageError
from tests.login.conftest import PHONE, START, House, answer

DAY = 86_400


def entry(account_id: int = 5, peer: str = "192.0.2.1", cause: Cause = Cause.WRONG_PASSWORD) -> SignIn:
    return SignIn(account_id, cause, "", "imap", 993, peer, "192.0.2.0/24", None, "PLAIN", "", None)


async def rows(database: Database, account_id: int = 5) -> list[tuple[int, int, str]]:
    found = await database.read(list_sign_ins, account_id, at_most=10_000)
    return [(occurrence.at, occurrence.attempts, sign_in.peer) for sign_in, occurrence in found]


async def test_equal_attempts_in_one_batch_are_one_row(database: Database) -> None:
    diary = Diary(database, Limits(), lambda: START)
    for second in range(3):
        diary.note(entry(), f"c{second}", START + second)
    diary.note(entry(peer="192.0.2.2"), "c9", START)
    await diary.flush()
    diary.note(entry(), "c7", START + 60)
    await diary.flush()
    await diary.flush()
    assert sorted(await rows(database)) == [
        (START, 1, "192.0.2.2"),
        (START + 2, 3, "192.0.2.1"),
        (START + 60, 1, "192.0.2.1"),
    ]


async def test_written_a_moment_later_by_itself(house: House) -> None:
    keeper = house.keeper()
    running = asyncio.create_task(keeper.run())
    assert isinstance(await answer(keeper, "anna@example.test", PHONE), Identity)
    async with asyncio.timeout(10):
        while not await house.database.read(list_sign_ins, house.anna):  # noqa: ASYNC110 - the store has no event
            await asyncio.sleep(0.01)
    await keeper.close()
    async with asyncio.timeout(10):
        await running


async def test_what_was_noted_before_the_drain_is_written_by_it(house: House) -> None:
    keeper = house.keeper()
    running = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    await answer(keeper, "anna@example.test", PHONE)
    await keeper.close()
    await running  # which may have been writing it just then
    assert len(await house.database.read(list_sign_ins, house.anna)) == 1


async def test_memory_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diary_module, "_MAX_WAITING", 10)
    diary = Diary(database, Limits(), lambda: START)
    for number in range(15):
        diary.note(entry(peer=f"192.0.2.{number}"), "c1", START)
    diary.note(entry(peer="192.0.2.3"), "c1", START)
    assert diary.dropped == 5
    await diary.flush()
    assert sum(attempts for _, attempts, _ in await rows(database)) == 11


async def test_a_store_that_is_away_loses_nothing_that_fits(database: Database, tmp_path: object) -> None:
    diary = Diary(database, Limits(), lambda: START)
    diary.note(entry(), "c1", START)
    await database.close()
    for _ in range(3):
        with pytest.raises(StorageError):
            await diary.flush()
        diary.note(entry(), "c2", START + 1)
    [occurrence] = diary._batch.attempts.values()
    assert (occurrence.at, occurrence.attempts) == (START + 1, 4)


async def test_the_drain_ends_although_the_store_is_away(house: House) -> None:
    keeper = house.keeper()
    running = asyncio.create_task(keeper.run())
    await answer(keeper, "anna@example.test", PHONE)
    await house.database.close()
    async with asyncio.timeout(10):
        await keeper.close()
        await running


async def test_forgotten_after_thirty_days_and_beyond_a_number(database: Database) -> None:
    now = START
    diary = Diary(database, replace(Limits(), diary_rows=3, diary_days=30), lambda: now)
    for day in range(5):
        diary.note(entry(5), "c1", START + day * DAY)
        diary.note(entry(NOBODY), "c1", START)
        await diary.flush()
    diary.note(entry(6), "c1", START)
    await diary.flush()
    await diary._trim()
    assert [at for at, _, _ in await rows(database, 5)] == [START + day * DAY for day in (4, 3, 2)]
    assert len(await rows(database, NOBODY)) == 3
    now = START + 32 * DAY + 1
    await diary._trim()
    assert [at for at, _, _ in await rows(database, 5)] == [START + day * DAY for day in (4, 3)]
    assert await rows(database, 6) == []
    assert await rows(database, NOBODY) == []


async def test_a_flood_is_trimmed_before_the_day_is_over(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diary_module, "_TRIM_ROWS", 20)
    diary = Diary(database, replace(Limits(), diary_rows=5), lambda: START)
    await diary._trim()
    for number in range(19):
        diary.note(entry(peer=f"192.0.2.{number}"), "c1", START)
    await diary.flush()
    await diary._trim()
    assert len(await rows(database)) == 19
    diary.note(entry(), "c1", START)
    await diary.flush()
    await diary._trim()
    assert len(await rows(database)) == 5
