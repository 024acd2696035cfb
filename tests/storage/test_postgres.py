"""What only PostgreSQL can do to us: collisions, lost servers, commits whose end is unknown."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncIterator
from typing import Protocol
from unittest.mock import Mock

import psycopg
import pytest
from psycopg import pq

from mailhost.storage.database import Tx
from mailhost.storage.errors import AmbiguousWrite, StorageUnavailable
from mailhost.storage.postgres import PostgresDatabase, longest_rest, open_postgres
from mailhost.storage.postgres_connection import command, connect, translate_sql
from mailhost.storage.postgres_options import PostgresOptions
from mailhost.storage.sql import read_meta, write_meta


class Server(Protocol):
    """What these tests use of the fixture."""

    def start(self) -> None: ...
    def stop(self, how: signal.Signals = ...) -> None: ...
    def execute(self, sql: str) -> None: ...
    async def new_database(self) -> str: ...
    def release(self, url: str) -> None: ...


@pytest.fixture
async def url(postgres_server: Server) -> AsyncIterator[str]:
    url = await postgres_server.new_database()
    yield url
    postgres_server.release(url)


@pytest.fixture
async def database(url: str) -> AsyncIterator[PostgresDatabase]:
    database = await open_postgres(url)
    yield database
    await database.close()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("select :a, :long_name2", "select %(a)s, %(long_name2)s"),
        ("select ':a' || :a", "select ':a' || %(a)s"),
        ("select 'it''s :a', \":a\"", "select 'it''s :a', \":a\""),
        ("select x::bigint, :a::text", "select x::bigint, %(a)s::text"),
        ("select a -- not :this\n, :b", "select a -- not :this\n, %(b)s"),
        ("where a like 'x%' and b % 2 = :c", "where a like 'x%%' and b %% 2 = %(c)s"),
        ("select (:a)", "select (%(a)s)"),
        ("insert into t values (:a,:b)", "insert into t values (%(a)s,%(b)s)"),
    ],
)
def test_parameters_are_translated(ours: str, theirs: str) -> None:
    assert translate_sql(ours) == theirs


def test_however_often_a_lost_server_was_tried_the_rest_is_short() -> None:
    """A backup waits for it for a day: two raised to the ten-thousandth is no number of seconds."""
    assert longest_rest(1) == 0.002
    assert longest_rest(10_000) == 0.5


async def test_a_deadlock_is_tried_again(database: PostgresDatabase) -> None:
    for name in ("a", "b"):
        await database.write(write_meta, name, "0")
    meeting = threading.Barrier(2)

    def take_both(tx: Tx, first: str, second: str) -> None:
        write_meta(tx, first, "1")
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(0.5)  # the second try meets nobody
        write_meta(tx, second, "1")

    await asyncio.gather(database.write(take_both, "a", "b"), database.write(take_both, "b", "a"))
    assert await database.point(read_meta, "a") == "1"


SLOW_COMMIT = """
create function pause() returns trigger language plpgsql as 'begin perform pg_sleep(20); return null; end';
create constraint trigger slow after insert on meta deferrable initially deferred
    for each row when (new.name = 'slow') execute function pause()
"""


async def test_a_commit_past_the_deadline_is_ambiguous(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SLOW_COMMIT)
    database = await open_postgres(url, PostgresOptions(deadline_seconds=0.3))
    with pytest.raises(AmbiguousWrite):
        await asyncio.wait_for(database.write(write_meta, "slow", ""), 10)
    await database.write(write_meta, "quick", "1")
    assert await database.point(read_meta, "quick") == "1"
    await database.close()


async def test_a_work_past_the_deadline_is_not_kept(url: str) -> None:
    database = await open_postgres(url, PostgresOptions(deadline_seconds=0.3))

    def dawdle(tx: Tx) -> None:
        write_meta(tx, "slow", "")
        tx.execute("select pg_sleep(20)")

    with pytest.raises(StorageUnavailable):
        await asyncio.wait_for(database.write(dawdle), 10)
    with pytest.raises(StorageUnavailable):
        await asyncio.wait_for(database.read(lambda tx: tx.execute("select pg_sleep(20)")), 10)
    assert await database.point(read_meta, "slow") is None
    await database.close()


async def test_a_commit_no_standby_has_seen_is_ambiguous(
    database: PostgresDatabase, postgres_server: Server, url: str
) -> None:
    """Cancelled while it waits for a standby, PostgreSQL answers COMMIT and a warning."""

    async def is_ambiguous() -> bool:
        write = asyncio.ensure_future(database.write(write_meta, "slow", ""))
        while not write.done():
            await asyncio.sleep(0.05)
            postgres_server.execute("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
        try:
            await write
        except AmbiguousWrite:
            return True
        return False

    await database.write(write_meta, "before", "")
    postgres_server.execute("alter system set synchronous_standby_names = 'nobody'")
    postgres_server.execute("select pg_reload_conf()")
    try:
        async with asyncio.timeout(10):
            while not await is_ambiguous():  # a busy server may hear of the standby a little later
                pass
    finally:
        postgres_server.execute("alter system reset synchronous_standby_names")
        postgres_server.execute("select pg_reload_conf()")
    await database.write(write_meta, "after", "")


async def test_a_server_that_comes_back_is_found_again(url: str, postgres_server: Server) -> None:
    database = await open_postgres(url, serving=True)
    assert not database.unclean
    await database.write(write_meta, "before", "1")
    woken = asyncio.Event()
    watch = database.watch("topic", woken.set)
    await asyncio.to_thread(postgres_server.stop, signal.SIGQUIT)
    try:
        waiting = asyncio.ensure_future(database.write(write_meta, "meanwhile", "1"))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    finally:
        await asyncio.to_thread(postgres_server.start)
    await asyncio.wait_for(waiting, 10)
    assert await database.point(read_meta, "before") == "1"
    assert await database.point(read_meta, "meanwhile") == "1"
    await asyncio.wait_for(woken.wait(), 10)  # wake-ups may have been missed
    watch.close()
    await database.close()
    database = await open_postgres(url, serving=True)
    assert database.unclean
    await database.close()
    database = await open_postgres(url, serving=True)
    assert not database.unclean
    await database.close()


def test_a_line_that_libpq_has_lost_is_closed_whatever_libpq_calls_it(url: str) -> None:
    """As seen with libpq 18, whose server was gone for a minute: an error of its own, and a connection called OK."""
    with connect(url) as real:
        lost = Mock(wraps=real.pgconn, status=pq.ConnStatus.OK)
        lost.exec_.return_value = real.pgconn.make_empty_result(pq.ExecStatus.FATAL_ERROR)
        line = Mock(pgconn=lost)
        with pytest.raises(psycopg.OperationalError):
            command(line, b"begin")
        line.close.assert_called_once()
        with pytest.raises(psycopg.errors.SyntaxError):  # what the server itself says is another matter
            command(real, b"begin nonsense")
        assert not real.closed


async def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(StorageUnavailable, match="cannot be reached"):
        await open_postgres("postgresql://postgres@%2Fnowhere/mailhost")


async def test_many_topics_cross_processes_in_batches(database: PostgresDatabase, url: str) -> None:
    other = await open_postgres(url)
    missing = {f"topic {number}" for number in range(500)}
    watches = [database.watch(topic, lambda topic=topic: missing.discard(topic)) for topic in list(missing)]

    def wake(tx: Tx) -> None:
        for topic in list(missing):
            tx.wake(topic)

    await other.write(wake)
    async with asyncio.timeout(10):
        while missing:  # noqa: ASYNC110  # 500 events would be no clearer
            await asyncio.sleep(0.02)
    for watch in watches:
        watch.close()
    await other.close()
