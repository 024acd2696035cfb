"""What only SQLite's writer promises: groups, their fsyncs, and what happens when the disk says no."""

import asyncio
import errno
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest
from structlog.testing import capture_logs

from mailhost.storage.database import Tx
from mailhost.storage.errors import Conflict, StorageDamaged, StorageFull, StorageUnavailable
from mailhost.storage.sqlite import SqliteDatabase, open_sqlite
from mailhost.storage.sqlite_connection import SqliteOptions
from tests.full_disk import largest_file


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = await open_sqlite(tmp_path / "mailhost.db")
    yield database
    await database.close()


def add(tx: Tx, name: str, value: str = "") -> str:
    tx.execute("insert into meta (name, value) values (:name, :value)", name=name, value=value)
    return name


def count(tx: Tx) -> int:
    [(number,)] = tx.execute("select count(*) from meta where name like 't%'")
    return int(number)


async def in_one_group(database: SqliteDatabase, *begin: Callable[[], Awaitable[object]]) -> list[object]:
    """Begin these writes while the writer's thread is busy in a work, so that they are all waiting when it looks."""
    leave = threading.Event()
    first = asyncio.ensure_future(database.write_relaxed(lambda _: leave.wait(10)))
    await asyncio.sleep(0.05)  # longer than a group collects, so that the next one takes them all
    waiting = [asyncio.ensure_future(start()) for start in begin]
    await asyncio.sleep(0)
    leave.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_the_file_is_set_up_as_decided(database: SqliteDatabase) -> None:
    def look(tx: Tx) -> list[object]:
        names = ["page_size", "journal_mode", "synchronous", "foreign_keys"]
        return [tx.execute(f"pragma {name}")[0][0] for name in names]

    assert await database.write(look) == [8192, "wal", 2, 1]
    assert database.path.read_bytes()[47] < 4  # a schema format in which 0 and 1 take an octet, as 2 does


async def test_waiting_writes_share_a_commit(database: SqliteDatabase) -> None:
    before = database.commits
    outcomes = await in_one_group(database, *(partial(database.write, add, f"t{n}") for n in range(100)))
    assert outcomes == [f"t{n}" for n in range(100)]
    assert database.commits - before == 2  # the work that kept the writer busy, and all others


async def test_a_group_is_bounded(tmp_path: Path) -> None:
    database = await open_sqlite(tmp_path / "mailhost.db", SqliteOptions(group_count=10))
    before = database.commits
    await in_one_group(database, *(partial(database.write, add, f"t{n}") for n in range(100)))
    assert database.commits - before == 1 + 10
    await database.close()


async def test_a_group_does_not_keep_its_first_waiting_for_slow_ones(tmp_path: Path) -> None:
    database = await open_sqlite(tmp_path / "mailhost.db", SqliteOptions(group_seconds=0.02))
    before = database.commits
    await in_one_group(database, *(lambda: database.write(lambda _: time.sleep(0.03)) for _ in range(5)))
    assert database.commits - before == 1 + 5
    await database.close()


async def test_a_work_that_ends_the_whole_transaction_fails_alone(database: SqliteDatabase) -> None:
    """Some errors make SQLite undo everything since `begin`; the neighbours are then run once more."""
    await database.write(add, "t-there")

    def end_all(tx: Tx) -> None:
        add(tx, "t-gone")
        tx.execute("insert or rollback into meta (name, value) values ('t-there', '')")

    for position in (0, 5, 9):
        works: list[Callable[[], Awaitable[object]]] = [
            partial(database.write, add, f"t{position}-{n}") for n in range(9)
        ]
        works.insert(position, lambda: database.write(end_all))
        outcomes = await in_one_group(database, *works)
        assert isinstance(outcomes.pop(position), Conflict)
        assert outcomes == [f"t{position}-{n}" for n in range(9)]
    assert await database.point(count) == 1 + 27


async def test_a_commit_that_fails_harms_only_who_is_to_blame(database: SqliteDatabase) -> None:
    def make_tables(tx: Tx) -> None:
        tx.execute("create table parent (id bigint primary key)")
        tx.execute("create table child (id bigint references parent (id) deferrable initially deferred)")

    await database.write(make_tables)
    outcomes = await in_one_group(
        database,
        lambda: database.write(add, "t1"),
        lambda: database.write(lambda tx: tx.execute("insert into child values (7)")),
        lambda: database.write(add, "t2"),
    )
    assert outcomes[0] == "t1"
    assert isinstance(outcomes[1], Conflict)
    assert outcomes[2] == "t2"
    assert await database.point(count) == 2


async def test_wake_ups_of_works_that_ran_twice_come_once(database: SqliteDatabase) -> None:
    woken: list[str] = []
    watches = [database.watch(topic, partial(woken.append, topic)) for topic in ("good", "bad")]

    def wake(tx: Tx, topic: str) -> None:
        tx.wake(topic)
        if topic == "bad":
            tx.execute("insert or rollback into meta select 'x', '' union all select 'x', ''")

    await in_one_group(database, lambda: database.write(wake, "good"), lambda: database.write(wake, "bad"))
    await asyncio.sleep(0)
    assert woken == ["good"]
    for watch in watches:
        watch.close()


class CountingFile(apsw.VFSFile):
    """A file that counts the fsyncs of WALs."""

    syncs = 0

    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._is_wal = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
        CountingFile.syncs += self._is_wal
        super().xSync(flags)


class CountingSystem(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("counting", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # SQLite's name
        return CountingFile(name, flags)


@pytest.fixture
def counting() -> Iterator[type[CountingFile]]:
    usual = apsw.vfs_names()[0]
    system = CountingSystem()
    yield CountingFile
    apsw.set_default_vfs(usual)
    system.unregister()


async def test_each_durable_group_is_one_fsync_and_a_relaxed_one_none(
    counting: type[CountingFile], database: SqliteDatabase
) -> None:
    await database.write(add, "t")
    for durable in range(5):
        before = counting.syncs
        await database.write(add, f"t-durable{durable}")
        assert counting.syncs - before == 1
    before = counting.syncs
    for relaxed in range(5):
        await database.write_relaxed(add, f"t-relaxed{relaxed}")
    assert counting.syncs - before == 0
    before = counting.syncs
    await in_one_group(
        database,
        lambda: database.write(add, "t1"),
        lambda: database.write_relaxed(add, "t2"),
        lambda: database.write(add, "t3"),
    )
    assert counting.syncs - before == 1


async def test_relaxed_writes_reach_the_disk_within_a_second(database: SqliteDatabase) -> None:
    await database.write_relaxed(add, "t")
    before = database.syncs
    async with asyncio.timeout(30):  # a second where nothing else runs
        while database.syncs == before:  # noqa: ASYNC110 - the writer's thread has no event to offer
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.7)
    assert database.syncs == before + 1  # and once is enough


async def test_relaxed_writes_reach_the_disk_among_others(database: SqliteDatabase) -> None:
    """A writer that is never idle syncs, too."""
    before = database.syncs
    async with asyncio.timeout(5):
        number = 0
        while database.syncs == before:
            number += 1
            await database.write_relaxed(add, f"t{number}")


async def test_an_fsync_that_fails_is_told_once_and_tried_again(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def refuse(descriptor: int) -> None:
        tried.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with capture_logs() as logs:
        await database.write_relaxed(add, "t-not-synced")
        before = database.syncs
        async with asyncio.timeout(30):
            while len(tried) < 3:  # noqa: ASYNC110 - the writer's thread has no event to offer
                await asyncio.sleep(0.05)
            monkeypatch.undo()
            while database.syncs == before:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.05)
    assert [(log["event"], "Input/output error" in log["reason"]) for log in logs] == [("store.troubled", True)]
    # What the kernel could not write it takes for written from then on: so it is copied to where it is synced anew.
    async with asyncio.timeout(30):
        while b"t-not-synced" not in database.path.read_bytes():  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.05)


async def test_a_full_database_is_said_and_goes_on(database: SqliteDatabase) -> None:
    [(pages,)] = await database.write(lambda tx: tx.execute("pragma page_count"))
    await database.write(lambda tx: tx.execute(f"pragma max_page_count = {pages + 4}"))
    outcomes = await in_one_group(
        database,
        lambda: database.write(add, "t-small"),
        lambda: database.write(add, "t-large", "x" * 100_000),
        lambda: database.write(add, "t-other"),
    )
    assert outcomes[0] == "t-small"
    assert isinstance(outcomes[1], StorageFull)
    assert outcomes[2] == "t-other"
    assert await database.read(count) == 2
    await database.write(lambda tx: tx.execute("pragma max_page_count = 1000000"))
    await database.write(add, "t-large", "x" * 100_000)


async def test_a_disk_that_refuses_is_said_and_goes_on(database: SqliteDatabase) -> None:
    await database.write(add, "t-before")
    with largest_file(os.stat(f"{database.path}-wal").st_size + 20_000):
        with pytest.raises((StorageFull, StorageUnavailable)):
            await database.write(add, "t-large", "x" * 200_000)
        assert await database.read(count) == 1
    await database.write(add, "t-large", "x" * 200_000)
    assert await database.point(count) == 2


async def test_another_program_may_write_too(tmp_path: Path) -> None:
    database = await open_sqlite(tmp_path / "mailhost.db", SqliteOptions(busy_seconds=0.1))
    other = apsw.Connection(str(tmp_path / "mailhost.db"))
    other.execute("begin immediate")
    with pytest.raises(StorageUnavailable):
        await database.write(add, "t")
    other.execute("commit")
    other.close()
    await database.write(add, "t")
    await database.close()


async def test_reads_one_after_the_other_keep_to_the_reader_whose_cache_is_warm(database: SqliteDatabase) -> None:
    def who(_tx: Tx) -> int:
        return threading.get_ident()

    seen: Counter[int] = Counter()
    for _ in range(30):
        seen[await database.read(who)] += 1
        await asyncio.sleep(0.001)  # until it rests again, mostly
    assert seen.most_common(1)[0][1] > 15  # of three who take turns each would have ten

    together = threading.Barrier(3)
    threads = await asyncio.gather(*(database.read(lambda _: (together.wait(10), who(_))[1]) for _ in range(3)))
    assert len(set(threads)) == 3  # and all of them work where there is work for all


async def test_too_many_waiting_writes_are_refused(tmp_path: Path) -> None:
    database = await open_sqlite(tmp_path / "mailhost.db", SqliteOptions(queue_limit=10))
    outcomes = await in_one_group(database, *(partial(database.write, add, f"t{n}") for n in range(30)))
    refused = [outcome for outcome in outcomes if isinstance(outcome, StorageUnavailable)]
    assert 0 < len(refused) < 30
    assert await database.point(count) == 30 - len(refused)
    await database.close()


async def test_a_place_that_cannot_hold_a_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageUnavailable, match="cannot be opened"):
        await open_sqlite(tmp_path / "file" / "mailhost.db")
    (tmp_path / "mailhost.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageDamaged):
        await open_sqlite(tmp_path / "mailhost.db")


async def test_work_that_raises_stop_iteration_is_an_error_and_not_a_hang(database: SqliteDatabase) -> None:
    with pytest.raises(RuntimeError):
        await database.write(lambda _: next(iter(())))


def test_a_store_in_a_file_loads_no_driver_of_another() -> None:
    code = "import sys, mailhost.app.serving; sys.exit(int('psycopg' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
