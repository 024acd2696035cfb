"""Checkpoints of SQLite's WAL, beside the writer: who waits for a commit need not wait for these.

A checkpoint beside writers who never pause does not reach the WAL's end, and only when it was reached is the WAL written
from its start again. So when the WAL has grown long after all, the last of it is copied while writers are held off:
that is little, for all before it was copied just then.
"""

import contextlib
import fcntl
import queue
from pathlib import Path

import apsw

LONG = 8
"""So many times the pages between two checkpoints, and the WAL is long."""


class Checkpointer:
    """Copies what was committed from the WAL into the file at `path`, in a thread of its own, every so many pages.

    `turn` is the file whose lock writers hold while they write.
    """

    def __init__(self, path: Path, turn: Path, every: int) -> None:
        self._path = path
        self._turn = turn
        self._every = every
        self._next = every
        self._lengths: queue.SimpleQueue[int] = queue.SimpleQueue()

    def note(self, pages: int) -> None:
        """From the writer's thread, after each commit: so many pages the WAL has now."""
        if pages < self._next - self._every:  # it began anew
            self._next = self._every
        if pages >= self._next:
            self._next = pages + self._every
            self._lengths.put(pages)

    def stop(self) -> None:
        """Let `run` end; nothing is noted any more."""
        self._lengths.put(0)

    def run(self) -> None:
        """The thread's work, until `stop`."""
        while pages := self._lengths.get():
            # The WAL still has what could not be copied, and writers hear of a full or broken disk by themselves.
            with contextlib.suppress(apsw.Error, OSError):
                self._copy(is_long=pages >= self._every * LONG)

    def _copy(self, *, is_long: bool) -> None:
        with contextlib.closing(apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.execute("pragma user_version").fetchall()  # who has read nothing does not know of the WAL
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if is_long:
                with self._turn.open("rb") as turn:
                    fcntl.flock(turn, fcntl.LOCK_EX)
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
