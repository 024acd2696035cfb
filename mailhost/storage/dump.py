"""All rows of a store as one file that either engine can write and either can read.

The file is a zstd stream of MessagePack values: a header with the schema's steps, then for each table its name and
columns and its rows in batches. So a backup taken from SQLite can be restored into PostgreSQL, and the other way round.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mailhost.durable import sync
from mailhost.storage import sql
from mailhost.storage.errors import BadBackup, ChangedMigration, NewerStore, StoreNotEmpty
from mailhost.storage.migrate import known_migrations
from mailhost.storage.transaction import Row, Tx, Value
from mailhost.storage.zstandard import zstd

_FORMAT = 1
_BATCH = 200  # rows, some of which carry 64 KiB
_LENGTH = struct.Struct("<I")
_LARGEST = 256 * 1024 * 1024
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_SCHEMA = "migration"  # the table that says what the schema is; not loaded, but made by migrating


class Header(msgspec.Struct, forbid_unknown_fields=True):
    """What stands first in the file."""

    format: int
    migrations: list[tuple[int, str, str]]


class Table(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    """The rows that follow are of this table."""

    name: str
    columns: list[str]


class Rows(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    """Some rows, in the order of the table's columns."""

    rows: list[tuple[Any, ...]]


class End(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    """The file is whole."""


_encode = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(Header).decode
_decode_record = msgspec.msgpack.Decoder(Table | Rows | End).decode


def dump(tx: Tx, path: Path) -> int:
    """Write all rows of this snapshot to `path`, durably; returns how many there are."""
    unfinished = path.with_name(f"{path.name}.new")
    count = 0
    with zstd.open(unfinished, "wb") as file:
        _put(file, Header(_FORMAT, sql.applied_migrations(tx)))
        for table in sorted(sql.table_names(tx)):
            columns = sql.column_names(tx, table)
            _put(file, Table(table, columns))
            for rows in _pages(tx, table, columns):
                _put(file, Rows(rows))
                count += len(rows)
        _put(file, End())
    sync(unfinished)
    unfinished.rename(path)
    sync(path.parent)  # else a power cut can bring back the backup of before, or none
    return count


def read_header(path: Path) -> Header:
    """What schema the dump at `path` has. Raises BadBackup, NewerStore, ChangedMigration."""
    try:
        with zstd.open(path, "rb") as file:
            header = _decode_header(_take(file))
    except (OSError, EOFError, zstd.ZstdError, msgspec.MsgspecError) as error:
        raise BadBackup(f"{path} is not a dump of a Mailhost store") from error
    if header.format != _FORMAT:
        raise NewerStore(f"the dump was made by a newer Mailhost (its format is {header.format})")
    known = {migration.number: migration for migration in known_migrations()}
    for number, name, checksum in header.migrations:
        if number not in known:
            raise NewerStore(f"the dump was made by a newer Mailhost (schema step {number:04} {name} is unknown here)")
        if known[number].checksum != checksum:
            raise ChangedMigration(f"schema step {number:04} {name} of the dump has another text than here")
    return header


def load(tx: Tx, path: Path) -> int:
    """Fill the empty tables of a store of the same schema; returns the number of rows.

    Raises BadBackup, StoreNotEmpty.
    """
    count = 0
    try:
        with zstd.open(path, "rb") as file:
            _take(file)  # the header, read before
            insert = ""
            while not isinstance(record := _decode_record(_take(file)), End):
                if isinstance(record, Table):
                    insert, columns = _insert(tx, record), record.columns
                elif insert:
                    tx.execute_many(insert, (dict(zip(columns, row, strict=True)) for row in record.rows))
                    count += len(record.rows)
    except (EOFError, zstd.ZstdError, msgspec.MsgspecError, ValueError) as error:
        raise BadBackup(f"{path} is damaged") from error
    return count


def _insert(tx: Tx, table: Table) -> str:
    """The statement that takes this table's rows, or nothing when they are not wanted."""
    if not all(_NAME.fullmatch(name) for name in (table.name, *table.columns)):
        raise ValueError("a name that none of our tables has")
    if table.name == _SCHEMA:
        return ""
    if sql.has_rows(tx, table.name):
        raise StoreNotEmpty(f"the store has rows already (in {table.name}); restore into an empty one")
    return sql.insert_statement(table.name, table.columns)


def _pages(tx: Tx, table: str, columns: list[str]) -> Iterator[list[Row]]:
    """All rows in the order of their key, a bounded number at a time."""
    key = sql.key_columns(tx, table)
    places = [columns.index(column) for column in key]
    after: list[Value] | None = None
    while rows := sql.page(tx, table, columns, key, after, _BATCH):
        yield rows
        after = [rows[-1][place] for place in places]


def _put(file: zstd.ZstdFile, record: msgspec.Struct) -> None:
    data = _encode(record)
    file.write(_LENGTH.pack(len(data)))
    file.write(data)


def _take(file: zstd.ZstdFile) -> bytes:
    (length,) = _LENGTH.unpack(_read(file, _LENGTH.size))
    if length > _LARGEST:
        raise EOFError
    return _read(file, length)


def _read(file: zstd.ZstdFile, length: int) -> bytes:
    data = file.read(length)
    if len(data) != length:
        raise EOFError
    return data
