"""Processes that serve one SQLite file wake each other; what writes from outside wakes everybody."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailhost.storage.database import Tx
from mailhost.storage.neighbours import Neighbours
from mailhost.storage.sqlite import SqliteDatabase, open_sqlite

SOON = 0.25  # well within the half second after which a store looks around by itself


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[list[SqliteDatabase]]:
    """Two stores on one file, as two processes have them."""
    path = tmp_path / "mailhost.db"
    ring = Neighbours.ring(2)
    databases = [await open_sqlite(path, neighbours=each) for each in ring]
    yield databases
    for database, each in zip(databases, ring, strict=True):
        await database.close()
        each.close()


def wake(tx: Tx, topic: str) -> None:
    tx.execute("insert into meta (name, value) values ('t', '1') on conflict (name) do update set value = '2'")
    tx.wake(topic)


async def test_a_topic_woken_next_door_wakes_here_and_no_other_does(pair: list[SqliteDatabase]) -> None:
    one, other = pair
    woken, disturbed = asyncio.Event(), asyncio.Event()
    other.watch("mailbox:1:1", woken.set)
    other.watch("mailbox:1:2", disturbed.set)
    await one.write(wake, "mailbox:1:1")
    await asyncio.wait_for(woken.wait(), SOON)
    with pytest.raises(TimeoutError):  # not even by the look around: a neighbour's commit is not news to everybody
        await asyncio.wait_for(disturbed.wait(), 1.5)


async def test_a_write_from_outside_wakes_everybody(pair: list[SqliteDatabase], tmp_path: Path) -> None:
    woken = asyncio.Event()
    pair[1].watch("mailbox:1:1", woken.set)
    outsider = await open_sqlite(tmp_path / "mailhost.db")
    try:
        await asyncio.sleep(0.6)
        woken.clear()
        await outsider.write(wake, "another topic")
        await asyncio.wait_for(woken.wait(), 2)
    finally:
        await outsider.close()


async def test_who_could_not_listen_looks_at_everything_afterwards(tmp_path: Path) -> None:
    one, other = Neighbours.ring(2)
    for number in range(10_000):  # more than any queue holds
        one.tell([f"topic {number}"])
    heard: list[str] = []
    missed = 0

    def miss() -> None:
        nonlocal missed
        missed += 1

    other.hear(heard.extend, miss)
    assert 0 < len(heard) < 10_000
    assert not missed
    one.remind()
    one.tell(["after"])
    other.hear(heard.extend, miss)
    assert missed == 1
    assert heard[-1] == "after"
    for each in (one, other):
        each.close()


async def test_topics_that_fit_into_no_telling_become_everything() -> None:
    one, other = Neighbours.ring(2)
    heard: list[str] = []
    one.tell([f"mailbox:1:{number}" for number in range(2_000)])
    other.hear(lambda _: heard.append("some"), lambda: heard.append("everything"))
    assert heard == ["everything"]
    for each in (one, other):
        each.close()


async def test_writers_of_two_processes_share_the_file_fairly(pair: list[SqliteDatabase]) -> None:
    async def work(database: SqliteDatabase) -> None:
        for _ in range(200):
            await database.write(wake, "x")

    await asyncio.gather(*(work(database) for database in pair for _ in range(4)))
    assert all(database.commits > 20 for database in pair)
