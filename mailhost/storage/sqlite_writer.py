"""The writer of SQLite: all waiting writes share one transaction, a savepoint each, and one fsync.

So a durable write costs little under load, and a failing one harms no other. A group of relaxed writes alone is
committed without an fsync, which then follows within a second.

Writers of several processes take turns by a lock of the kernel, who wakes the next one at once; SQLite's own lock,
which still holds off every other program, would have them look again every few milliseconds.
"""

import contextlib
import fcntl
import os
import queue
import threading
import time
from pathlib import Path

import apsw

from mailhost import observe
from mailhost.durable import sync
from mailhost.storage.jobs import Bridge, Job
from mailhost.storage.neighbours import FILES_REPLACED, Neighbours
from mailhost.storage.sql import count_outside_write, outside_writes
from mailhost.storage.sqlite_checkpoint import Checkpointer
from mailhost.storage.sqlite_connection import SqliteOptions, SqliteTx, connect, translate

log = observe.logger()

_LOOK_SECONDS = 0.02  # between two looks whether the WAL still has its name: to look at each commit costs deliveries
_TICK_SECONDS = 0.5  # how long a relaxed write may stay out of reach of an fsync; twice that is promised


class Writer:
    """The thread that owns the only writing connection and commits in groups."""

    def __init__(self, path: Path, options: SqliteOptions, bridge: Bridge, neighbours: Neighbours | None) -> None:
        self._options = options
        self._bridge = bridge
        self._neighbours = neighbours
        self.queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.connection = connect(path, options)
        self.connection.set_wal_hook(self._note_pages)  # in place of SQLite's own, who would keep us waiting
        self.tx = SqliteTx(self.connection)
        self._command = self.connection.cursor()
        self._wal = Path(f"{path}-wal")
        self._shared = (self._wal, Path(f"{path}-shm"))
        self._inodes: list[int] = []  # of those, once they are open
        self._next_look = 0.0
        self._turn = os.open(f"{path}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._checkpointer = Checkpointer(path, options.checkpoint_pages, options.long_pages)
        self._synchronous = True
        self._unsynced_since: float | None = None
        self._next_tick = 0.0
        self._trouble = ""  # why the last tick failed, which is told once
        self._data_version = self._read_data_version()
        self._outside_writes = 0
        self.commits = 0
        self.syncs = 0
        self.threads = (
            threading.Thread(target=self._run, name="mailhost-writer", daemon=True),
            threading.Thread(target=self._checkpointer.run, name="mailhost-checkpoint", daemon=True),
        )

    def _run(self) -> None:
        job = self._next()
        while job is not None:
            job = self._group(job)
        with contextlib.suppress(OSError):
            self._sync_relaxed()
        self._checkpointer.stop()

    def close(self) -> None:
        """After the threads' end, or in place of their start."""
        self.connection.close()
        os.close(self._turn)

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
            self._begin(relaxed)
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
        try:
            self._finish(done, relaxed)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
        self._tell(done)
        if self._checkpointer.is_long:
            self._shorten_wal()
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
            self._commit(done, relaxed)
        except apsw.Error as error:
            self._undo()
            if len(done) == 1:
                done[0].error = done[0].error or translate(error)
                done[0].topics = ()
            else:  # each once more on its own, so that only those fail that must
                for job in done:
                    self._alone(job, relaxed)

    def _tell(self, done: list[Job]) -> None:
        """Answer those who wait, then wake whoever watches, here and next door."""
        topics = dict.fromkeys(topic for job in done for topic in job.topics)
        self._bridge.settle(done, topics)
        if topics and self._neighbours is not None:
            self._neighbours.tell(topics)

    def _alone(self, job: Job, relaxed: bool) -> None:
        if job.error is not None:
            return
        try:
            self._command.execute("begin immediate")
            self._attempt(job)
            self._commit([job], relaxed)
        except apsw.Error as error:
            self._undo()
            job.error = job.error or translate(error)
            job.topics = ()

    def _begin(self, relaxed: bool) -> None:
        """Wait for our turn, and begin; without the turn when it fails."""
        self._set_synchronous(not relaxed)
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            self._command.execute("begin immediate")
        except apsw.Error:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            raise
        if self._neighbours is not None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_SECONDS
            self._inodes = self._inodes or self._inodes_now()
            if self._inodes != self._inodes_now():
                self._undo()
                self._save_and_end()

    def _inodes_now(self) -> list[int]:
        return [_inode(path) for path in self._shared]

    def _save_and_end(self) -> None:
        """In our turn: somebody has removed the WAL or its index, which all still have open. What is committed from now
        on would be lost to whoever opens the database anew; so end, and have all others ended and begin together."""
        log.error("store.removed")
        ends = time.monotonic() + self._options.busy_seconds
        while time.monotonic() < ends:
            try:  # only we can still read what was committed to a WAL without a name
                pages, copied = self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error:  # another process copies, or the disk is full; until the end of our patience
                pages, copied = 1, 0
            if pages == copied:
                break
            time.sleep(0.01)  # somebody else copies, or reads an older state
        os._exit(FILES_REPLACED)

    def _commit(self, done: list[Job], relaxed: bool) -> None:
        if self._neighbours is None and any(job.topics for job in done):
            count_outside_write(self.tx)
        self._command.execute("commit")  # fails as well when a work's error has ended the whole transaction
        self.commits += 1
        if not relaxed:
            self.syncs += 1
            self._unsynced_since = None
        elif self._unsynced_since is None:
            self._unsynced_since = time.monotonic()

    def _note_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._checkpointer.note(pages)
        return apsw.SQLITE_OK

    def _shorten_wal(self) -> None:
        """Now, as those who waited for the last group have their answers."""
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            self._checkpointer.finish(self.connection)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

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
        trouble = ""
        if self._inodes and self._inodes != self._inodes_now():
            fcntl.flock(self._turn, fcntl.LOCK_EX)
            self._save_and_end()
        try:
            self._sync_relaxed()
            if self._neighbours is not None:
                self._neighbours.remind()
            if self._others_have_written():
                self._bridge.fire_all()
        except (OSError, apsw.Error) as error:  # the next tick tries again; this thread must not end
            trouble = str(error)
            self._checkpointer.demand()
        if trouble and not self._trouble:
            log.error("store.troubled", reason=trouble)
        self._trouble = trouble

    def _others_have_written(self) -> bool:
        """Whether a process has committed whose wake-ups do not reach us: one that is no neighbour."""
        version = self._read_data_version()
        if version == self._data_version:
            return False
        self._data_version = version
        if self._neighbours is None:
            return True
        known, self._outside_writes = self._outside_writes, outside_writes(self.tx)
        return known != self._outside_writes

    def _sync_relaxed(self) -> None:
        """Fsync what relaxed groups left in the WAL (a durable group that came later has done it already)."""
        if self._unsynced_since is None:
            return
        sync(self._wal)
        self.syncs += 1
        self._unsynced_since = None

    def _read_data_version(self) -> int:
        return int(self.connection.pragma("data_version"))


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:  # it is gone
        return 0
