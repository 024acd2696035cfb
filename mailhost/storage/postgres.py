"""PostgreSQL as the store: worker threads, each with a connection of its own.

A commit is never cancelled, as PostgreSQL would call that a success: when our deadline passes we cut the line and say
that the end is unknown. The account's row, changed first, orders the writers of one account; hence `read committed`.
"""

import asyncio
import itertools
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Concatenate

import psycopg

from mailhost.storage.errors import AmbiguousWrite, StorageError, StorageUnavailable
from mailhost.storage.jobs import Bridge, Job
from mailhost.storage.migrate import known_migrations, migrate
from mailhost.storage.postgres_connection import (
    Connection,
    PostgresTx,
    command,
    connect,
    drop,
    is_collision,
    is_demoted,
    translate,
)
from mailhost.storage.postgres_options import PostgresOptions
from mailhost.storage.postgres_wakes import Listener, Notifier
from mailhost.storage.sql import SERVING, read_meta, write_meta
from mailhost.storage.transaction import Engine, P, R, Watch

_MIGRATION_LOCK = 0x6D61696C  # "mail"
_WATCHDOG_SECONDS = 1.0
_RETRIES = 8
_LISTENING_SECONDS = 5.0

_BEGIN_READ = b"begin isolation level repeatable read, read only"
_BEGIN_WRITE = b"begin isolation level read committed"
_BEGIN_RELAXED = _BEGIN_WRITE + b"; set local synchronous_commit = off"


def longest_rest(attempt: int) -> float:
    """Seconds before a work is tried again, at most; a server that is away for hours is tried thousands of times."""
    return float(min(0.001 * 2 ** min(attempt, 9), 0.5))


class Worker:
    """A thread with a connection. Runs the works of one queue, each in a transaction."""

    def __init__(
        self,
        conninfo: str,
        deadline_seconds: float,
        bridge: Bridge,
        notifier: Notifier,
        jobs: "queue.SimpleQueue[Job | None]",
        writes: bool,
    ) -> None:
        self._conninfo = conninfo
        self._deadline_seconds = deadline_seconds
        self._bridge = bridge
        self._notifier = notifier
        self._jobs = jobs
        self._writes = writes
        self._connection: Connection | None = None
        self._tx: PostgresTx | None = None
        self._is_unreplicated = False
        self._began: float | None = None
        self.queries = 0
        self.commits = 0
        self.thread = threading.Thread(target=self._run, name="mailhost-postgres", daemon=True)

    def enforce_deadline(self) -> None:
        """From the loop: cut the line of a transaction that takes too long."""
        began, connection = self._began, self._connection
        if began is not None and connection is not None and time.monotonic() - began > self._deadline_seconds:
            drop(connection)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.future.cancelled():
                continue
            self._persist(job)
            self._bridge.settle((job,), job.topics)
            if job.topics:
                self._notifier.send(job.topics)
            del job  # its result may be large
        self._hang_up()

    def _persist(self, job: Job) -> None:
        """Run a work until it is done, has failed for good, or there is no time left."""
        give_up = time.monotonic() + self._deadline_seconds
        for attempt in itertools.count(1):
            try:
                self._attempt(job)
            except psycopg.Error as error:
                collided = is_collision(error)
                lost = self._is_lost(error)
                if lost:
                    self._hang_up()
                if (collided and attempt < _RETRIES) or (lost and time.monotonic() < give_up):
                    time.sleep(random.uniform(0, longest_rest(attempt)))  # noqa: S311  # only to part two writers
                    continue
                job.error = translate(error)
            except BaseException as error:  # noqa: BLE001  # whatever it is belongs to the one who asked
                job.error = error
            return

    def _is_lost(self, error: psycopg.Error) -> bool:
        connection = self._connection
        return connection is None or connection.closed or (self._writes and is_demoted(error))

    def _attempt(self, job: Job) -> None:
        connection, tx = self._connected()
        tx.topics = []
        before = tx.queries
        self._began = time.monotonic()
        try:
            command(connection, self._begin(job))
            try:
                job.result = job.work(tx, *job.args, **job.kwargs)
            except BaseException:
                if not connection.closed:
                    command(connection, b"rollback")
                raise
            self._commit(connection)
            job.topics = tx.topics
        finally:
            self._began = None
            self.queries += tx.queries - before

    def _begin(self, job: Job) -> bytes:
        if not self._writes:
            return _BEGIN_READ
        return _BEGIN_RELAXED if job.relaxed else _BEGIN_WRITE

    def _commit(self, connection: Connection) -> None:
        self._is_unreplicated = False
        try:
            outcome = command(connection, b"commit")
        except psycopg.OperationalError as error:
            if not self._writes or is_collision(error) or not connection.closed:
                raise
            self._hang_up()
            raise AmbiguousWrite("the database server was lost during the commit") from error
        if outcome != b"COMMIT":
            raise StorageError("the transaction had failed before it was committed")
        if self._is_unreplicated:
            raise AmbiguousWrite("the database server kept the write, but no standby has acknowledged it")
        self.commits += self._writes

    def _connected(self) -> tuple[Connection, PostgresTx]:
        if self._connection is None or self._tx is None:
            self._connection = connect(self._conninfo)
            self._connection.add_notice_handler(self._notice)
            self._tx = PostgresTx(self._connection)
        return self._connection, self._tx

    def _notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        # "canceling wait for synchronous replication …": the text is translated, the function's name is not
        if diagnostic.source_function == "SyncRepWaitForLSN":
            self._is_unreplicated = True

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._tx = None


class PostgresDatabase:
    """The store of a cluster. Made by `open_postgres`."""

    engine: Engine = "postgres"

    def __init__(self, conninfo: str, options: PostgresOptions, unclean: bool) -> None:
        self.unclean = unclean
        self._options = options
        self._bridge = Bridge(asyncio.get_running_loop())
        self._loop = self._bridge.loop
        self._read_jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._write_jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._notifier = Notifier(conninfo)
        self._listener = Listener(conninfo, self._bridge, self._notifier)

        def worker(jobs: "queue.SimpleQueue[Job | None]", writes: bool) -> Worker:
            return Worker(conninfo, options.deadline_seconds, self._bridge, self._notifier, jobs, writes)

        self._readers = [worker(self._read_jobs, writes=False) for _ in range(options.readers)]
        self._writers = [worker(self._write_jobs, writes=True) for _ in range(options.writers)]
        self._is_closed = False
        for thread in self._threads():
            thread.start()
        self._watchdog = self._loop.call_later(_WATCHDOG_SECONDS, self._watch_deadlines)

    def _threads(self) -> list[threading.Thread]:
        return [self._notifier.thread, self._listener.thread, *(worker.thread for worker in self._workers())]

    def _workers(self) -> list[Worker]:
        return [*self._readers, *self._writers]

    def _watch_deadlines(self) -> None:
        for worker in self._workers():
            worker.enforce_deadline()
        self._watchdog = self._loop.call_later(_WATCHDOG_SECONDS, self._watch_deadlines)

    @property
    def queries(self) -> int:
        """Statements run so far, without `begin` and `commit`; for tests and benchmarks."""
        return sum(worker.queries for worker in self._workers())

    @property
    def commits(self) -> int:
        """Write transactions committed so far."""
        return sum(worker.commits for worker in self._workers())

    async def read(self, work: Callable[Concatenate[PostgresTx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on one snapshot."""
        return await self._submit(self._read_jobs, work, args, kwargs)

    async def point(self, work: Callable[Concatenate[PostgresTx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on one snapshot."""
        return await self._submit(self._read_jobs, work, args, kwargs)

    async def write(self, work: Callable[Concatenate[PostgresTx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` and commit durably. Raises AmbiguousWrite when the end is unknown."""
        return await self._submit(self._write_jobs, work, args, kwargs)

    async def write_relaxed(
        self, work: Callable[Concatenate[PostgresTx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `work` and commit; the server's fsync follows within a second."""
        return await self._submit(self._write_jobs, work, args, kwargs, relaxed=True)

    def _submit(
        self,
        jobs: "queue.SimpleQueue[Job | None]",
        work: Callable[..., R],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        relaxed: bool = False,
    ) -> "asyncio.Future[R]":
        if self._is_closed:
            raise StorageUnavailable("the store is closed")
        if jobs.qsize() > self._options.queue_limit:
            raise StorageUnavailable("too many works are waiting for the database server")
        future: asyncio.Future[R] = self._loop.create_future()
        jobs.put(Job(future, work, args, kwargs, relaxed))
        return future

    def watch(self, topic: str, callback: Callable[[], None]) -> Watch:
        """Call `callback` after commits, of any process, that woke `topic`."""
        return self._bridge.wakes.watch(topic, callback)

    async def listening(self) -> None:
        """Wait a moment for the line that hears other processes; without it, their wake-ups come late."""
        await asyncio.to_thread(self._listener.listening.wait, _LISTENING_SECONDS)

    async def close(self) -> None:
        """Finish what is queued and hang up."""
        if self._is_closed:
            return
        self._is_closed = True
        for _ in self._readers:
            self._read_jobs.put(None)
        for _ in self._writers:
            self._write_jobs.put(None)
        await asyncio.to_thread(self._join)
        self._watchdog.cancel()

    def _join(self) -> None:
        for worker in self._workers():
            worker.thread.join()
        self._notifier.close()
        self._listener.close()
        self._notifier.thread.join()
        self._listener.thread.join()


async def open_postgres(
    conninfo: str, options: PostgresOptions | None = None, *, serving: bool = False, schema: int | None = None
) -> PostgresDatabase:
    """Connect to the database at `conninfo` and migrate it."""
    unclean = await asyncio.to_thread(_prepare, conninfo, serving, schema)
    database = PostgresDatabase(conninfo, options or PostgresOptions(), unclean)
    await database.listening()
    return database


def _prepare(conninfo: str, serving: bool, schema: int | None) -> bool:
    """Migrate; returns whether the server has been restarted since it last took relaxed writes."""
    try:
        with connect(conninfo) as connection, connection.transaction():
            tx = PostgresTx(connection)
            tx.execute("select pg_advisory_xact_lock(:key)", key=_MIGRATION_LOCK)
            migrate(tx, known_migrations(schema))
            if not serving:
                return False
            [(started,)] = tx.execute("select cast(pg_postmaster_start_time() as text)")
            known = read_meta(tx, SERVING)
            write_meta(tx, SERVING, started)
            return known is not None and known != started
    except psycopg.Error as error:
        raise translate(error) from error
