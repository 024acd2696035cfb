"""The door of the store: the shapes everybody writes against, and `open_database`."""

from pathlib import Path

from mailhost.storage.errors import BadDatabaseUrl
from mailhost.storage.neighbours import Neighbours
from mailhost.storage.postgres_options import PostgresOptions
from mailhost.storage.sql import end_serving
from mailhost.storage.sqlite import open_sqlite
from mailhost.storage.sqlite_connection import SqliteOptions
from mailhost.storage.transaction import Column, Database, Engine, Row, Tx, Value, Watch

__all__ = ["Column", "Database", "Engine", "Row", "Tx", "Value", "Watch", "end_serving", "open_database"]

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


async def open_database(
    url: str,
    *,
    serving: bool = False,
    sqlite: SqliteOptions | None = None,
    postgres: PostgresOptions | None = None,
    schema: int | None = None,
    neighbours: Neighbours | None = None,
) -> Database:
    """Open `sqlite:///path` (four slashes for an absolute path) and bring its schema up to date.

    `serving` begins the work of a server: it sets the mark that tells the next start of an unclean stop, unless
    `end_serving` was written when all was over. `neighbours` are the other processes of this server, where there are
    some (SQLite; those of PostgreSQL hear of each other through it).
    `schema` stops at that migration, for restoring what an older version has saved.
    Raises NewerStore, ChangedMigration, StorageUnavailable, BadDatabaseUrl.
    """
    if url.startswith(_SQLITE):
        path = Path(url.removeprefix(_SQLITE))
        return await open_sqlite(path, sqlite, serving=serving, schema=schema, neighbours=neighbours)
    if url.startswith(_POSTGRES):
        # The driver takes 13 MB and a tenth of a second, which nobody needs who keeps rows in a file.
        from mailhost.storage.postgres import open_postgres

        return await open_postgres(url, postgres, serving=serving, schema=schema)
    raise BadDatabaseUrl("the database URL must look like sqlite:///path or postgresql://host/name")
