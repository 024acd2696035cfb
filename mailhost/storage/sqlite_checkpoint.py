"""Checkpoints of SQLite's WAL, beside the writer: who waits for a commit need not wait for these.

A checkpoint beside writers who never pause does not reach the WAL's end, and only when it was reached is the WAL
written from its start again. So when the WAL has grown long after all, the writer copies the last of it himself between
two groups: that is little, for all before it was copied just then.
"""

import contextlib
import threading
from pathlib import Path

import apsw


class Checkpointer:
    """Copies what was committed from the WAL into the file at `path`, in a thread of its own, every so many pages.

    With `long` pages the WAL is long; with twice as many the writer does not wait for the thread to come near its end.
    """

    def __init__(self, path: Path, every: int, long: int) -> None:
        self._path = path
        self._every = every
        self._long = long
        self._next = every
        self._pages = 0
        self._due = threading.Event()
        self._copying = threading.Lock()  # one at a time: SQLite sends the second away
        self._is_stopped = False
        self.is_long = False  # the writer is to copy the rest

    def note(self, pages: int) -> None:
        """From the writer's thread, after each commit: so many pages the WAL has now."""
        self._pages = pages
        if pages < self._next - self._every:  # it began anew
            self._next = self._every
        if pages >= self._next:
            self._next = pages + self._every
            self._due.set()
            self.is_long = self.is_long or pages >= 2 * self._long

    def demand(self) -> None:
        """From the writer's thread: copy now. The kernel forgets what it could not write, but the copy is another try:
        pages that are still readable in the WAL are written to the file, and synced there."""
        self._due.set()

    def finish(self, connection: apsw.Connection) -> None:
        """From the writer's thread, while it holds off other writers: copy the rest, so that the WAL begins anew."""
        with self._copying, contextlib.suppress(apsw.Error):
            self.is_long = False
            try:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.BusyError:  # another process copies; after the next group, then
                self.is_long = True

    def stop(self) -> None:
        """Let `run` end; nothing is noted any more."""
        self._is_stopped = True
        self._due.set()

    def run(self) -> None:
        """The thread's work, until `stop`."""
        while self._due.wait() and not self._is_stopped:
            self._due.clear()
            # The WAL still has what could not be copied, and writers hear of a full or broken disk by themselves.
            with self._copying, contextlib.suppress(apsw.Error):
                self._copy()

    def _copy(self) -> None:
        with contextlib.closing(apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.execute("pragma user_version").fetchall()  # who has read nothing does not know of the WAL
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self.is_long = self._pages >= self._long
