"""SQLite as the store: one writer with group commit, a few reader threads, and point reads where they stand.

Readers never wait for the writer (WAL).
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate

import apsw

from mailhost.storage.errors import StorageUnavailable
from mailhost.storage.jobs import Bridge, Job, WarmQueue
from mailhost.storage.migrate import known_migrations, migrate
from mailhost.storage.neighbours import Neighbours
from mailhost.storage.sql import SERVING, read_meta, write_meta
from mailhost.storage.sqlite_connection import SqliteOptions, SqliteTx, connect, immediate, translate
from mailhost.storage.sqlite_writer import Writer
from mailhost.storage.transaction import Engine, P, R, Watch


class Reader:
    """A thread that runs reads, each on one snapshot of its own connection."""

    def __init__(self, path: Path, options: SqliteOptions, bridge: Bridge, jobs: WarmQueue) -> None:
        self._bridge = bridge
        self._jobs = jobs
        self.connection = connect_reader(path, options)
        self.tx = SqliteTx(self.connection)
        self.thread = threading.Thread(target=self._run, name="mailhost-reader", daemon=True)

    def _run(self) -> None:
        own: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        while (job := self._jobs.get(own)) is not None:
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
    connection = connect(path, options)
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

    def __init__(
        self, path: Path, options: SqliteOptions, serving: bool, schema: int | None, neighbours: Neighbours | None
    ) -> None:
        self.path = path
        self.unclean = False
        self._options = options
        self._neighbours = neighbours
        self._bridge = Bridge(asyncio.get_running_loop())
        self._loop = self._bridge.loop
        self._writer = Writer(path, options, self._bridge, neighbours)
        try:
            self._prepare(serving, schema)
        except BaseException:
            self._writer.close()
            raise
        self._read_jobs = WarmQueue()
        self._readers = [Reader(path, options, self._bridge, self._read_jobs) for _ in range(options.readers)]
        self._point_connection = connect_reader(path, options)
        self._point_tx = SqliteTx(self._point_connection)
        self._write_jobs = self._writer.queue
        self._is_closed = False
        for thread in self._threads():
            thread.start()
        if neighbours is not None:
            self._loop.add_reader(
                neighbours.fileno(), neighbours.hear, self._bridge.wakes.fire, self._bridge.wakes.fire_all
            )

    def _prepare(self, serving: bool, schema: int | None) -> None:
        """Migrate, and note that a server runs, on the writer's connection before its thread starts."""
        connection, tx = self._writer.connection, self._writer.tx
        try:
            with immediate(connection):  # it is the migration lock, too
                migrate(tx, known_migrations(schema))
                if serving:
                    self.unclean = read_meta(tx, SERVING) is not None
                    write_meta(tx, SERVING, str(int(time.time())))
        except apsw.Error as error:
            raise translate(error) from error

    def _threads(self) -> list[threading.Thread]:
        return [*self._writer.threads, *(reader.thread for reader in self._readers)]

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
        """Call `callback` after commits that woke `topic`, or when others may have woken it that cannot tell us."""
        return self._bridge.wakes.watch(topic, callback)

    def _check_open(self) -> None:
        if self._is_closed:
            raise StorageUnavailable("the store is closed")

    async def close(self) -> None:
        """Finish what is queued, close the file."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._neighbours is not None:
            self._loop.remove_reader(self._neighbours.fileno())
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
        self._writer.close()


async def open_sqlite(
    path: Path,
    options: SqliteOptions | None = None,
    *,
    serving: bool = False,
    schema: int | None = None,
    neighbours: Neighbours | None = None,
) -> SqliteDatabase:
    """Open or create the file at `path` and migrate it; as `open_database`."""
    try:
        return SqliteDatabase(path, options or SqliteOptions(), serving, schema, neighbours)
    except apsw.Error as error:
        raise translate(error) from error
