"""Connections to SQLite: their pragmas, their transactions, and their errors in the store's words."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import apsw

from mailhost.storage.errors import (
    Conflict,
    StorageDamaged,
    StorageError,
    StorageFull,
    StorageUnavailable,
    StorageUnreadable,
)
from mailhost.storage.transaction import Engine, Row, Value

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
    checkpoint_pages: int = 500  # of the WAL between two checkpoints
    long_pages: int = 4_000  # of the WAL, 32 MB; then the writer helps to have it begin anew


class SqliteTx:
    """A transaction on one connection; the object is reused, as each connection runs one transaction at a time."""

    engine: Engine = "sqlite"

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.cursor = connection.cursor()
        self.topics: list[str] = []
        self.queries = 0

    def execute(self, sql: str, /, **parameters: Value) -> list[Row]:
        """Run one statement; all its rows."""
        self.queries += 1
        return self.cursor.execute(sql, parameters).fetchall()

    def change(self, sql: str, /, **parameters: Value) -> int:
        """Run one statement; how many rows it changed."""
        self.queries += 1
        self.cursor.execute(sql, parameters)
        return self._connection.changes()

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
            translated = StorageUnreadable(f"the database file cannot be read or written: {error}")
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


def connect(path: Path, options: SqliteOptions) -> apsw.Connection:
    """A connection with our pragmas. What shapes the file counts only where there is none yet."""
    connection = apsw.Connection(str(path), statementcachesize=_STATEMENTS_CACHED)
    connection.set_busy_timeout(int(options.busy_seconds * 1000))
    # Without this, SQLite plans a statement anew whenever a bound value might change the plan: 33 µs instead of 9.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    # So 0 and 1 take an octet like other small numbers, in a new file, and a row whose flags change is written over the
    # old one instead of making room: that takes a fifth off a STORE.
    connection.config(apsw.SQLITE_DBCONFIG_LEGACY_FILE_FORMAT, 1)
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
