"""Connections to PostgreSQL that behave like our SQLite ones: same parameters, same values, same words for errors."""

import os
import re
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import errors, pq
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.types.numeric import Int8Dumper, NumericBinaryLoader, NumericLoader
from psycopg.types.string import StrDumper

from mailhost.storage.errors import Conflict, StorageError, StorageFull, StorageUnavailable
from mailhost.storage.transaction import Engine, Row, Value

Connection = psycopg.Connection[Row]

_NOTICE_HANGUPS = "-c client_connection_check_interval=5s"  # else a long statement outlives the line we cut

_TOKEN = re.compile(
    r"""
    '(?:[^']|'')*'              # a string literal
    | "(?:[^"]|"")*"            # a quoted name
    | --[^\n]*                  # a comment
    | ::                        # a cast
    | (?<!:) : ([a-z_][a-z0-9_]*)   # a parameter
    | %
    """,
    re.VERBOSE | re.IGNORECASE,
)


@lru_cache(maxsize=2048)
def translate_sql(sql: str) -> str:
    """Our `:name` parameters as psycopg's `%(name)s`; literals, names, comments and casts stay what they are."""

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        return f"%({name})s" if name is not None else match[0].replace("%", "%%")

    return _TOKEN.sub(replace, sql)


class PostgresTx:
    """A transaction on one connection; the object is reused, as each connection runs one transaction at a time."""

    engine: Engine = "postgres"

    def __init__(self, connection: Connection) -> None:
        self._cursor = connection.cursor(binary=True)  # a third faster than text for wide answers
        self.topics: list[str] = []
        self.queries = 0

    def execute(self, sql: str, /, **parameters: Value) -> list[Row]:
        """Run one statement; all its rows."""
        self.queries += 1
        cursor = self._cursor
        cursor.execute(translate_sql(sql), parameters)
        return cursor.fetchall() if cursor.description is not None else []

    def change(self, sql: str, /, **parameters: Value) -> int:
        """Run one statement; how many rows it changed."""
        self.queries += 1
        self._cursor.execute(translate_sql(sql), parameters)
        return self._cursor.rowcount

    def execute_many(self, sql: str, /, rows: Iterable[Mapping[str, Value]]) -> None:
        """Run one statement for each of `rows`, pipelined."""
        self.queries += 1
        self._cursor.executemany(translate_sql(sql), rows)

    def wake(self, topic: str) -> None:
        """Remember to wake `topic` after the commit."""
        self.topics.append(topic)


def connect(conninfo: str, *, synchronous: bool = True) -> Connection:
    """A connection that begins and ends transactions only when told to."""
    connection = psycopg.connect(
        conninfo,
        autocommit=True,
        connect_timeout=5,  # for each host
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        application_name="mailhost",
        options=" ".join(["-c jit=off", _NOTICE_HANGUPS, *([] if synchronous else ["-c synchronous_commit=off"])]),
    )
    adapters = connection.adapters
    adapters.register_dumper(int, Int8Dumper)  # the default picks a type by value: many plans for one statement
    adapters.register_dumper(bool, _BoolDumper)
    adapters.register_dumper(str, StrDumper)
    adapters.register_loader("numeric", _WholeLoader)
    adapters.register_loader("numeric", _WholeBinaryLoader)
    return connection


def command(connection: Connection, text: bytes) -> bytes:
    """Run a statement without parameters or rows, such as `begin`, at a third of the usual cost; returns its tag."""
    result = connection.pgconn.exec_(text)
    if result.status != pq.ExecStatus.COMMAND_OK:
        # An error without a code is libpq's own: the line is lost, whether libpq has noticed or calls it good as yet.
        if connection.pgconn.status == pq.ConnStatus.BAD or not result.error_field(pq.DiagnosticField.SQLSTATE):
            connection.close()
            raise psycopg.OperationalError(result.get_error_message())
        raise errors.error_from_result(result)
    return result.command_status or b""


def drop(connection: Connection) -> None:
    """From any thread: cut the line, so that whoever waits for the server gets an error. Never cancels a commit."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def translate(error: BaseException) -> BaseException:
    """An engine's error in the store's words; any other error as it is."""
    if not isinstance(error, psycopg.Error):
        return error
    match error:
        case errors.DiskFull() | errors.OutOfMemory():
            translated: StorageError = StorageFull("the database server has no room left")
        case psycopg.IntegrityError():
            translated = Conflict(str(error))
        case psycopg.OperationalError() | psycopg.InterfaceError():
            translated = StorageUnavailable(f"the database server cannot be reached: {error}")
        case _:
            translated = StorageError(str(error))
    translated.__cause__ = error
    return translated


def is_collision(error: psycopg.Error) -> bool:
    """Whether two transactions got in each other's way, so that trying again will do."""
    return isinstance(error, errors.SerializationFailure | errors.DeadlockDetected)


def is_demoted(error: psycopg.Error) -> bool:
    """Whether a write met a server that is no longer the primary; a new connection may find the one that is."""
    return isinstance(error, errors.ReadOnlySqlTransaction)


class _BoolDumper(Dumper):
    """A truth value is a number, as in SQLite."""

    oid = 20  # bigint

    def dump(self, obj: Any) -> Buffer | None:
        return b"1" if obj else b"0"


class _WholeLoader(NumericLoader):
    """`sum(bigint)` is a numeric in PostgreSQL; a whole number is an int for us."""

    def load(self, data: Buffer) -> Any:
        number = super().load(data)
        return int(number) if number == number.to_integral_value() else float(number)


class _WholeBinaryLoader(NumericBinaryLoader):
    """The same in the binary format."""

    def load(self, data: Buffer) -> Any:
        number = super().load(data)
        return int(number) if number == number.to_integral_value() else float(number)
