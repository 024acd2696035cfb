"""What both engines promise."""

import asyncio

import pytest

from mailhost.storage.database import Database, Tx, open_database
from mailhost.storage.errors import Conflict, StorageError, StorageUnavailable
from mailhost.storage.sql import delete_meta, read_meta, take_id, write_meta


def add(tx: Tx, name: str, value: str = "") -> str:
    tx.execute("insert into meta (name, value) values (:name, :value)", name=name, value=value)
    return name


def names(tx: Tx) -> list[str]:
    return [name for (name,) in tx.execute("select name from meta where name like :like order by name", like="t-%")]


class Refused(Exception):
    pass


async def test_what_was_written_is_read(database: Database) -> None:
    assert await database.write(add, "t-a", value="x") == "t-a"
    assert await database.read(read_meta, "t-a") == "x"
    assert await database.point(read_meta, "t-a") == "x"
    assert await database.point(read_meta, "t-b") is None


async def test_relaxed_writes_are_seen_at_once(database: Database) -> None:
    await database.write_relaxed(add, "t-a")
    assert await database.point(names) == ["t-a"]


async def test_a_change_tells_how_many_rows_it_was(database: Database) -> None:
    for name in ("t-a", "t-b", "t-c"):
        await database.write(add, name, value="x")

    def change(tx: Tx, first: str) -> int:
        return tx.change(
            "update meta set value = :value where name >= :first and name like 't-%'", value="y", first=first
        )

    assert [await database.write(change, first) for first in ("t-a", "t-c", "t-d")] == [3, 1, 0]


async def test_a_refused_write_leaves_nothing_and_harms_no_neighbour(database: Database) -> None:
    def refuse(tx: Tx, name: str) -> None:
        add(tx, name)
        raise Refused

    works = [database.write(refuse if n % 3 == 0 else add, f"t-{n:02}") for n in range(30)]
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Refused if n % 3 == 0 else str for n in range(30)]
    assert await database.read(names) == [f"t-{n:02}" for n in range(30) if n % 3]


async def test_a_broken_constraint_is_said_in_our_words(database: Database) -> None:
    await database.write(add, "t-a")
    outcomes = await asyncio.gather(database.write(add, "t-a"), database.write(add, "t-b"), return_exceptions=True)
    assert isinstance(outcomes[0], Conflict)
    assert outcomes[1] == "t-b"


async def test_a_wrong_statement_is_an_error_of_its_own_work_only(database: Database) -> None:
    with pytest.raises(StorageError):
        await database.write(lambda tx: tx.execute("select nothing from nowhere"))
    with pytest.raises(StorageError):
        await database.point(lambda tx: tx.execute("select nothing from nowhere"))
    await database.write(add, "t-a")


async def test_reads_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError):
        await database.read(add, "t-a")
    with pytest.raises(StorageError):
        await database.point(add, "t-a")
    assert await database.read(names) == []


async def test_a_read_is_one_snapshot(database: Database) -> None:
    loop = asyncio.get_running_loop()

    def look_twice(tx: Tx) -> tuple[list[str], list[str]]:
        before = names(tx)
        asyncio.run_coroutine_threadsafe(database.write(add, "t-between"), loop).result(10)
        return before, names(tx)

    assert await database.read(look_twice) == ([], [])
    assert await database.read(names) == ["t-between"]


async def test_values_come_back_as_they_went_in(database: Database) -> None:
    def round_trip(tx: Tx) -> list[object]:
        tx.execute("create table sample (id bigint primary key, n bigint, t text, b bytea, f double precision, e text)")
        tx.execute(
            "insert into sample (id, n, t, b, f, e) values (:id, :n, :t, :b, :f, :e)",
            id=1,
            n=2**62,
            t="grün % :name 'x' 你好",
            b=b"\x00\xff" * 5,
            f=0.5,
            e=None,
        )
        return list(tx.execute("select n, t, b, f, e, :t || ':x%', cast(:n as bigint) from sample", t="a", n=7)[0])

    expected = [2**62, "grün % :name 'x' 你好", b"\x00\xff" * 5, 0.5, None, "a:x%", 7]
    answer = await database.write(round_trip)
    assert answer == expected
    assert [type(value) for value in answer] == [type(value) for value in expected]


async def test_sums_are_whole_numbers(database: Database) -> None:
    [row] = await database.read(
        lambda tx: tx.execute(
            "select sum(cast(n as bigint)), count(*) from (select 2 as n union all select 3) as numbers"
        )
    )
    assert row == (5, 2)
    assert type(row[0]) is int


async def test_truth_is_a_number(database: Database) -> None:
    def count(tx: Tx) -> int:
        tx.execute("insert into counter (name, value) values ('t', :value)", value=True)
        [(value,)] = tx.execute("select value from counter where name = 't'")
        return int(value)

    assert await database.write(count) == 1


async def test_many_rows_at_once(database: Database) -> None:
    rows = [{"name": f"t-{n}", "value": str(n)} for n in range(500)]
    await database.write(lambda tx: tx.execute_many("insert into meta (name, value) values (:name, :value)", rows))
    assert len(await database.read(names)) == 500


async def test_ids_are_never_drawn_twice(database: Database) -> None:
    drawn = await asyncio.gather(*(database.write(take_id, "thing") for _ in range(100)))
    assert sorted(drawn) == list(range(1, 101))
    assert await database.write(take_id, "other") == 1


async def test_writers_of_one_row_take_turns(database: Database) -> None:
    await database.write(write_meta, "t-sum", "0")

    def raise_by_one(tx: Tx) -> None:
        tx.execute("update counter set value = value where name = 'lock'")
        [(value,)] = tx.execute(
            "update meta set value = cast(cast(value as bigint) + 1 as text) where name = 't-sum' returning value"
        )
        assert int(value) > 0

    await asyncio.gather(*(database.write(raise_by_one) for _ in range(100)))
    assert await database.point(read_meta, "t-sum") == "100"


def add_and_wake(tx: Tx, name: str, fail: bool = False) -> None:
    tx.wake("topic")
    add(tx, name)
    if fail:
        raise Refused


async def test_a_wake_up_follows_the_commit_and_only_the_commit(database: Database) -> None:
    woken = asyncio.Event()
    watch = database.watch("topic", woken.set)
    other = database.watch("other topic", lambda: pytest.fail("this topic was not woken"))
    with pytest.raises(Refused):
        await database.write(add_and_wake, "t-a", fail=True)
    await asyncio.sleep(0.05)
    assert not woken.is_set()
    await database.write(add_and_wake, "t-b")
    await asyncio.wait_for(woken.wait(), 5)
    assert await database.point(names) == ["t-b"]
    watch.close()
    watch.close()
    woken.clear()
    await database.write(add_and_wake, "t-c")
    await asyncio.sleep(0.05)
    assert not woken.is_set()
    other.close()


async def test_other_processes_are_heard(database: Database, database_url: str) -> None:
    """A second open database stands for another process: they share nothing but the store."""
    other = await open_database(database_url)
    for name in ("t-a", "t-b"):
        woken = asyncio.Event()
        watch = database.watch("topic", woken.set)
        await other.write(add_and_wake, name)
        await asyncio.wait_for(woken.wait(), 5)
        watch.close()
    await other.close()


async def test_a_cancelled_writer_does_not_stop_the_others(database: Database) -> None:
    tasks = [asyncio.create_task(database.write(add, f"t-{n:02}")) for n in range(20)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[3], asyncio.CancelledError)
    assert [outcome for n, outcome in enumerate(outcomes) if n != 3] == [f"t-{n:02}" for n in range(20) if n != 3]


async def test_closing_finishes_what_was_asked_for(database_url: str) -> None:
    database = await open_database(database_url)
    waiting = [asyncio.ensure_future(database.write(add, f"t-{n:02}")) for n in range(20)]
    await asyncio.sleep(0)
    await database.close()
    assert len(await asyncio.gather(*waiting)) == 20
    with pytest.raises(StorageUnavailable):
        await database.write(add, "t-late")
    with pytest.raises(StorageUnavailable):
        await database.point(names)
    await database.close()
    reopened = await open_database(database_url)
    assert len(await reopened.read(names)) == 20
    await reopened.close()


async def test_facts_about_the_store(database: Database) -> None:
    await database.write(write_meta, "t-a", "1")
    await database.write(write_meta, "t-a", "2")
    assert await database.point(read_meta, "t-a") == "2"
    await database.write(delete_meta, "t-a")
    assert await database.point(read_meta, "t-a") is None
