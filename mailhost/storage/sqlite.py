"""SQLite as the store: one writer thread with group commit, a few reader threads, and point reads where they stand.

All waiting writes share one transaction, a savepoint each, and one fsync; so a failing write harms no neighbour.
Readers never wait for the writer (WAL). A group of relaxed writes alone is committed without an fsync, which then
follows within a second.
"""

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate

import apsw

from mailhost.storage.errors import Conflict, StorageDamaged, StorageError, StorageFull, StorageUnavailable
from mailhost.storage.jobs import Bridge, Job
from mailhost.storage.migrate import known_migrations, migrate
from mailhost.storage.sql import SERVING, delete_meta, read_meta, write_meta
from mailhost.storage.transaction import Engine, P, R, Row, Value, Watch

_TICK_SECONDS = 0.5  # how long a relaxed write may stay out of reach of an fsync; twice that is promised
_STATEMENTS_CACHED = 512


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """What can be tuned."""

    readers: int = 3
    cache_kib: int = 16 * 1024  # page cache of each connection
    group_count: int = 256  # writes that share one commit, at most
    group_seconds: float = 0.02  # and how long a group may collect, so that its first writer is not kept waiting
    queue_limit: int = 20_000  # waiting writes; more are refused, as the disk is not keeping up
    busy_seconds: float = 10.0  # how long another process may hold the write lock
    checkpoint_pages: int = 500  # as fast as more, and the writer who has to wait for it waits 13 ms instead of 58


class SqliteTx:
    """A transaction on one connection; the object is reused, as each connection runs one transaction at a time."""

    engine: Engine = "sqlite"

    def __init__(self, connection: apsw.Connection) -> None:
        self.cursor = connection.cursor()
        self.topics: list[str] = []
        self.queries = 0

    def execute(self, sql: str, /, **parameters: Value) -> list[Row]:
        """Run one statement; all its rows."""
        self.queries += 1
        return self.cursor.execute(sql, parameters).fetchall()

    def execute_many(self, sql: str, /, rows: Iterable[Mapping[str, Value]]) -> None:
        """Run one statement for each of `rows`."""
        self.queries += 1
        self.cursor.executemany(sql, rows).fetchall()

    def wake(self, topic: str) -> None:
        """Remember to wake `topic` after the commit."""
        self.topics.append(topic)


def translate(error: BaseException) -> BaseException:
    """An engine's error in the store's words; any other error as it is."""
    if not isinstance(error, apsw.Error):
        return error
    match error:
        case apsw.FullError():
            translated: StorageError = StorageFull("the disk is full")
        case apsw.IOError():
            translated = StorageUnavailable(f"the database file cannot be read or written: {error}")
        case apsw.BusyError() | apsw.LockedError():
            translated = StorageUnavailable("another program holds the database's write lock")
        case apsw.CantOpenError():
            translated = StorageUnavailable("the database file cannot be opened or created")
        case apsw.NotADBError() | apsw.CorruptError():
            translated = StorageDamaged(f"the database file is not in order: {error}")
        case apsw.ConstraintError():
            translated = Conflict(str(error))
        case _:
            translated = StorageError(str(error))
    translated.__cause__ = error
    return translated


def connect(path: Path, options: SqliteOptions, busy_seconds: float) -> apsw.Connection:
    """A connection with our pragmas. `page_size` counts only for a file that does not exist yet."""
    connection = apsw.Connection(str(path), statementcachesize=_STATEMENTS_CACHED)
    connection.set_busy_timeout(int(busy_seconds * 1000))
    # Without this, SQLite plans a statement anew whenever a bound value might change the plan: 33 µs instead of 9.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    for pragma in (
        "page_size=8192",
        "journal_mode=wal",
        "synchronous=full",
        "foreign_keys=on",
        "temp_store=memory",
        f"cache_size=-{options.cache_kib}",
    ):
        connection.execute(f"pragma {pragma}").fetchall()
    return connection


@contextlib.contextmanager
def immediate(connection: apsw.Connection) -> Iterator[None]:
    """A write transaction that has the write lock from its first moment."""
    connection.execute("begin immediate")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    connection.execute("commit")


class Writer:
    """The thread that owns the only writing connection and commits in groups."""

    def __init__(self, path: Path, options: SqliteOptions, bridge: Bridge) -> None:
        self._options = options
        self._bridge = bridge
        self.queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.connection = connect(path, options, options.busy_seconds)
        self.connection.wal_autocheckpoint(options.checkpoint_pages)
        self.tx = SqliteTx(self.connection)
        self._command = self.connection.cursor()
        self._wal = Path(f"{path}-wal")
        self._synchronous = True
        self._unsynced_since: float | None = None
        self._next_tick = 0.0
        self._data_version = self._read_data_version()
        self.commits = 0
        self.syncs = 0
        self.thread = threading.Thread(target=self._run, name="mailhost-writer", daemon=True)

    def _run(self) -> None:
        job = self._next()
        while job is not None:
            job = self._group(job)
        with contextlib.suppress(OSError):
            self._sync_relaxed()

    def _next(self) -> Job | None:
        while True:
            try:
                return self.queue.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                self._tick()

    def _group(self, job: Job) -> Job | None:
        """Run `job` and those that wait behind it in one transaction; returns the first job of the next group."""
        relaxed = job.relaxed
        done: list[Job] = []
        following: Job | None = None
        is_ended = False
        try:
            self._set_synchronous(not relaxed)
            self._command.execute("begin immediate")
        except apsw.Error as error:
            job.error = translate(error)
            self._bridge.settle((job,))
            return self._next()
        give_up = time.monotonic() + self._options.group_seconds
        while True:
            self._attempt(job)
            done.append(job)
            if (
                self.queue.empty()
                or len(done) >= self._options.group_count
                or not self.connection.in_transaction
                or time.monotonic() > give_up
            ):
                break
            following = self.queue.get_nowait()
            is_ended = following is None
            if following is None or (relaxed and not following.relaxed):
                break
            job, following = following, None
        self._finish(done, relaxed)
        if time.monotonic() >= self._next_tick:
            self._tick()
        return following if following is not None or is_ended else self._next()

    def _attempt(self, job: Job) -> None:
        """Run one work inside a savepoint; on failure nothing of it remains."""
        tx = self.tx
        tx.topics = []
        job.topics = ()
        job.error = None
        if job.future.cancelled():
            return
        try:
            self._command.execute("savepoint work")
            try:
                job.result = job.work(tx, *job.args, **job.kwargs)
            except BaseException as error:  # noqa: BLE001  # whatever it is belongs to the one who asked
                job.error = translate(error)
                if self.connection.in_transaction:
                    self._command.execute("rollback to work")
            else:
                job.topics = tx.topics
            if self.connection.in_transaction:
                self._command.execute("release work")
        except apsw.Error as error:  # of the savepoint itself: this transaction is not to be trusted
            job.error = job.error or translate(error)
            job.topics = ()
            self._undo()

    def _finish(self, done: list[Job], relaxed: bool) -> None:
        try:
            self._commit(relaxed)
        except apsw.Error as error:
            self._undo()
            if len(done) == 1:
                done[0].error = done[0].error or translate(error)
                done[0].topics = ()
            else:  # each once more on its own, so that only those fail that must
                for job in done:
                    self._alone(job, relaxed)
        self._bridge.settle(done, dict.fromkeys(topic for job in done for topic in job.topics))

    def _alone(self, job: Job, relaxed: bool) -> None:
        if job.error is not None:
            return
        try:
            self._command.execute("begin immediate")
            self._attempt(job)
            self._commit(relaxed)
        except apsw.Error as error:
            self._undo()
            job.error = job.error or translate(error)
            job.topics = ()

    def _commit(self, relaxed: bool) -> None:
        self._command.execute("commit")  # fails as well when a work's error has ended the whole transaction
        self.commits += 1
        if not relaxed:
            self.syncs += 1
            self._unsynced_since = None
        elif self._unsynced_since is None:
            self._unsynced_since = time.monotonic()

    def _undo(self) -> None:
        if self.connection.in_transaction:
            with contextlib.suppress(apsw.Error):
                self._command.execute("rollback")

    def _set_synchronous(self, full: bool) -> None:
        if full != self._synchronous:
            self._command.execute("pragma synchronous=full" if full else "pragma synchronous=normal")
            self._synchronous = full

    def _tick(self) -> None:
        self._next_tick = time.monotonic() + _TICK_SECONDS
        try:
            self._sync_relaxed()
            version = self._read_data_version()
        except (OSError, apsw.Error):  # the next tick tries again; this thread must not end
            return
        if version != self._data_version:  # another process has committed: its wake-ups cannot reach us
            self._data_version = version
            self._bridge.fire_all()

    def _sync_relaxed(self) -> None:
        """Fsync what relaxed groups left in the WAL (a durable group that came later has done it already)."""
        if self._unsynced_since is None:
            return
        descriptor = os.open(self._wal, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.syncs += 1
        self._unsynced_since = None

    def _read_data_version(self) -> int:
        return int(self.connection.pragma("data_version"))


class Reader:
    """A thread that runs reads, each on one snapshot of its own connection."""

    def __init__(
        self, path: Path, options: SqliteOptions, bridge: Bridge, jobs: "queue.SimpleQueue[Job | None]"
    ) -> None:
        self._bridge = bridge
        self._jobs = jobs
        self.connection = connect_reader(path, options)
        self.tx = SqliteTx(self.connection)
        self.thread = threading.Thread(target=self._run, name="mailhost-reader", daemon=True)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.future.cancelled():
                continue
            try:
                job.result = run_snapshot(self.tx, job.work, *job.args, **job.kwargs)
            except BaseException as error:  # noqa: BLE001  # whatever it is belongs to the one who asked
                job.error = translate(error)
            self._bridge.settle((job,))
            del job  # its result may be large


def connect_reader(path: Path, options: SqliteOptions) -> apsw.Connection:
    """A connection that cannot write."""
    connection = connect(path, options, options.busy_seconds)
    connection.execute("pragma query_only=on").fetchall()
    return connection


def run_snapshot(tx: SqliteTx, work: Callable[Concatenate[SqliteTx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` between `begin` and the end of the snapshot."""
    cursor = tx.cursor  # `work` has read all its rows whenever we use it
    cursor.execute("begin")
    try:
        return work(tx, *args, **kwargs)
    finally:
        cursor.execute("rollback")


class SqliteDatabase:
    """The embedded store. Made by `open_sqlite`."""

    engine: Engine = "sqlite"

    def __init__(self, path: Path, options: SqliteOptions, serving: bool, schema: int | None) -> None:
        self.path = path
        self.unclean = False
        self._options = options
        self._serving = serving
        self._bridge = Bridge(asyncio.get_running_loop())
        self._loop = self._bridge.loop
        self._writer = Writer(path, options, self._bridge)
        try:
            self._prepare(schema)
        except BaseException:
            self._writer.connection.close()
            raise
        self._read_jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._readers = [Reader(path, options, self._bridge, self._read_jobs) for _ in range(options.readers)]
        self._point_connection = connect_reader(path, options)
        self._point_tx = SqliteTx(self._point_connection)
        self._write_jobs = self._writer.queue
        self._is_closed = False
        for thread in self._threads():
            thread.start()

    def _prepare(self, schema: int | None) -> None:
        """Migrate, and note that a server runs, on the writer's connection before its thread starts."""
        connection, tx = self._writer.connection, self._writer.tx
        try:
            with immediate(connection):  # it is the migration lock, too
                migrate(tx, known_migrations(schema))
                if self._serving:
                    self.unclean = read_meta(tx, SERVING) is not None
                    write_meta(tx, SERVING, str(int(time.time())))
        except apsw.Error as error:
            raise translate(error) from error

    def _threads(self) -> list[threading.Thread]:
        return [self._writer.thread, *(reader.thread for reader in self._readers)]

    @property
    def queries(self) -> int:
        """Statements run so far; for tests and benchmarks."""
        return sum(tx.queries for tx in (self._writer.tx, self._point_tx, *(reader.tx for reader in self._readers)))

    @property
    def commits(self) -> int:
        """Write transactions committed so far, each a group of writes."""
        return self._writer.commits

    @property
    def syncs(self) -> int:
        """Fsyncs the writer waited for so far (those of checkpoints not counted)."""
        return self._writer.syncs

    async def read(self, work: Callable[Concatenate[SqliteTx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on one snapshot in a reader thread."""
        self._check_open()
        future: asyncio.Future[R] = self._loop.create_future()
        self._read_jobs.put(Job(future, work, args, kwargs))
        return await future

    async def point(self, work: Callable[Concatenate[SqliteTx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on one snapshot, here and now."""
        self._check_open()
        try:
            return run_snapshot(self._point_tx, work, *args, **kwargs)
        except apsw.Error as error:
            raise translate(error) from error

    async def write(self, work: Callable[Concatenate[SqliteTx, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` and commit durably, together with other waiting writes."""
        return await self._submit(work, args, kwargs, relaxed=False)

    async def write_relaxed(
        self, work: Callable[Concatenate[SqliteTx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `work` and commit; the fsync may follow within a second."""
        return await self._submit(work, args, kwargs, relaxed=True)

    def _submit(
        self, work: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any], relaxed: bool
    ) -> "asyncio.Future[R]":
        self._check_open()
        if self._write_jobs.qsize() > self._options.queue_limit:
            raise StorageUnavailable("too many writes are waiting for the disk")
        future: asyncio.Future[R] = self._loop.create_future()
        self._write_jobs.put(Job(future, work, args, kwargs, relaxed))
        return future

    def watch(self, topic: str, callback: Callable[[], None]) -> Watch:
        """Call `callback` after commits that woke `topic`, or after another process has committed anything."""
        return self._bridge.wakes.watch(topic, callback)

    def _check_open(self) -> None:
        if self._is_closed:
            raise StorageUnavailable("the store is closed")

    async def close(self) -> None:
        """Finish what is queued, record the clean end, close the file."""
        if self._is_closed:
            return
        self._is_closed = True
        self._write_jobs.put(None)
        for _ in self._readers:
            self._read_jobs.put(None)
        await asyncio.to_thread(self._join)
        self._point_connection.close()

    def _join(self) -> None:
        for thread in self._threads():
            thread.join()
        for reader in self._readers:
            reader.connection.close()
        connection = self._writer.connection
        try:
            if self._serving:
                with immediate(connection):
                    delete_meta(self._writer.tx, SERVING)
        except apsw.Error as error:
            raise translate(error) from error
        finally:
            connection.close()


async def open_sqlite(
    path: Path, options: SqliteOptions | None = None, *, serving: bool = False, schema: int | None = None
) -> SqliteDatabase:
    """Open or create the file at `path` and migrate it. `serving` keeps the mark that tells an unclean stop."""
    try:
        return SqliteDatabase(path, options or SqliteOptions(), serving, schema)
    except apsw.Error as error:
        raise translate(error) from error
