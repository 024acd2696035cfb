"""Statements over the store's own tables (counters, facts, migrations, blobs), and over any table for a dump."""

import secrets
from collections.abc import Iterable
from typing import Final, NamedTuple

from mailhost.storage.transaction import Row, Tx, Value

SERVING: Final = "serving"
"""The meta row that stands while a server runs: since when (SQLite), or on which run of the database server."""

_IDENTITY: Final = "identity"
_OUTSIDE_WRITES: Final = "outside_writes"

HELD_UNTIL: Final = "sweep_held_until"
"""The meta row that keeps the sweeper from erasing anything before that time, in unix seconds."""


def take_id(tx: Tx, name: str) -> int:
    """Draw the next number of the counter `name`; the first is 1. Numbers are never drawn twice, but may be skipped."""
    [(value,)] = tx.execute(
        """insert into counter (name, value) values (:name, 1)
        on conflict (name) do update set value = counter.value + 1 returning value""",
        name=name,
    )
    return int(value)


def read_meta(tx: Tx, name: str) -> str | None:
    """A fact about the store, or None."""
    rows = tx.execute("select value from meta where name = :name", name=name)
    return str(rows[0][0]) if rows else None


def write_meta(tx: Tx, name: str, value: str) -> None:
    """Record a fact about the store."""
    tx.execute(
        """insert into meta (name, value) values (:name, :value)
        on conflict (name) do update set value = excluded.value""",
        name=name,
        value=value,
    )


def count_outside_write(tx: Tx) -> None:
    """Note that somebody who is none of the serving processes has changed what they watch."""
    tx.execute(
        """insert into meta (name, value) values (:name, '1')
        on conflict (name) do update set value = cast(cast(meta.value as bigint) + 1 as text)""",
        name=_OUTSIDE_WRITES,
    )


def outside_writes(tx: Tx) -> int:
    """How many of them there were so far."""
    return int(read_meta(tx, _OUTSIDE_WRITES) or 0)


def delete_meta(tx: Tx, name: str) -> None:
    """Forget a fact about the store."""
    tx.execute("delete from meta where name = :name", name=name)


def end_serving(tx: Tx) -> None:
    """Note that the server stopped in good order, after the last of its writes."""
    if tx.engine == "sqlite":  # PostgreSQL itself goes on: its mark tells one run of it from another
        delete_meta(tx, SERVING)


def make_migration_table(tx: Tx) -> None:
    """The table of the steps this store has taken; it is there before the first of them."""
    tx.execute(
        """create table if not exists migration (number bigint not null primary key,
            name text not null, checksum text not null, applied_at bigint not null)"""
    )


def applied_migrations(tx: Tx) -> list[tuple[int, str, str]]:
    """(number, name, checksum) of each step that this store has taken, in order."""
    return tx.execute("select number, name, checksum from migration order by number")


def record_migration(tx: Tx, number: int, name: str, checksum: str, applied_at: int) -> None:
    """Note a step as taken."""
    tx.execute(
        """insert into migration (number, name, checksum, applied_at)
        values (:number, :name, :checksum, :applied_at)""",
        number=number,
        name=name,
        checksum=checksum,
        applied_at=applied_at,
    )


def store_identity(tx: Tx) -> str:
    """What tells this store from any other; made when first asked for, and kept by backup and restore."""
    identity = read_meta(tx, _IDENTITY) or secrets.token_hex(16)
    write_meta(tx, _IDENTITY, identity)
    return identity


class StoredBlob(NamedTuple):
    """One row of `blob`: where the bytes are."""

    size: int
    stored: int
    place: str | None
    payload: bytes | None


def insert_blob(tx: Tx, digest: bytes, size: int, stored: int, place: str | None, payload: bytes | None) -> None:
    """Make the row unless it is there; take it back from the sweeper. Holds the row until the commit."""
    tx.execute(
        """insert into blob (digest, size, stored, place, payload) values (:digest, :size, :stored, :place, :payload)
        on conflict (digest) do update set claimed_at = null where blob.claimed_at is not null""",
        digest=digest,
        size=size,
        stored=stored,
        place=place,
        payload=payload,
    )


def retain_blob(tx: Tx, digest: bytes) -> bool:
    """Take the row back from the sweeper and hold it until the commit; whether there is one."""
    return bool(tx.execute("update blob set claimed_at = null where digest = :digest returning 1", digest=digest))


def find_blob(tx: Tx, digest: bytes) -> StoredBlob | None:
    """The row with its payload."""
    rows = tx.execute("select size, stored, place, payload from blob where digest = :digest", digest=digest)
    return StoredBlob(*rows[0]) if rows else None


def add_candidate(tx: Tx, digest: bytes) -> None:
    """Ask the sweeper to look at this blob (once more)."""
    tx.execute(
        """insert into blob_candidate (digest, claimed_at) values (:digest, null)
        on conflict (digest) do update set claimed_at = null""",
        digest=digest,
    )


def find_candidates(tx: Tx, limit: int) -> list[bytes]:
    """Candidates nobody has looked at yet."""
    rows = tx.execute("select digest from blob_candidate where claimed_at is null limit :limit", limit=limit)
    return [digest for (digest,) in rows]


def find_claimed(tx: Tx, until: int, limit: int) -> list[tuple[bytes, int]]:
    """Candidates claimed at `until` or earlier, with the time of the claim."""
    return tx.execute(
        "select digest, claimed_at from blob_candidate where claimed_at <= :until order by claimed_at limit :limit",
        until=until,
        limit=limit,
    )


def claim_candidate(tx: Tx, digest: bytes, claimed_at: int | None) -> None:
    """Note the claim on the candidate, or that there is none any more; holds the candidate until the commit."""
    tx.execute(
        "update blob_candidate set claimed_at = :claimed_at where digest = :digest",
        digest=digest,
        claimed_at=claimed_at,
    )


def claim_blob(tx: Tx, digest: bytes, claimed_at: int | None) -> None:
    """Claim the blob for the sweeper, or give it back."""
    tx.execute("update blob set claimed_at = :claimed_at where digest = :digest", digest=digest, claimed_at=claimed_at)


def hold_claimed_blob(tx: Tx, digest: bytes, claimed_at: int) -> bool:
    """Hold the blob until the commit; whether the claim of `claimed_at` still stands."""
    return bool(
        tx.execute(
            """update blob set claimed_at = claimed_at where digest = :digest and claimed_at = :claimed_at
            returning 1""",
            digest=digest,
            claimed_at=claimed_at,
        )
    )


def delete_blob(tx: Tx, digest: bytes) -> str | None:
    """Delete the row; returns the name of the file that may now be erased, if it has one."""
    rows = tx.execute("delete from blob where digest = :digest returning place", digest=digest)
    return rows[0][0] if rows else None


def delete_candidate(tx: Tx, digest: bytes) -> None:
    """The sweeper is done with this blob."""
    tx.execute("delete from blob_candidate where digest = :digest", digest=digest)


def places_after(tx: Tx, after: bytes, limit: int) -> list[tuple[bytes, str]]:
    """Blobs that have a file, in the order of their digests, and the file's name."""
    return tx.execute(
        """select digest, place from blob where place is not null and digest > :after
        order by digest limit :limit""",
        after=after,
        limit=limit,
    )


def places_without_row(tx: Tx, places: Iterable[tuple[bytes, str]]) -> list[str]:
    """Of these files, each with the digest in its name, those that no row names."""
    return [
        place
        for digest, place in places
        if not tx.execute("select 1 from blob where digest = :digest and place = :place", digest=digest, place=place)
    ]


NOTIFY: Final = "select pg_notify(channel, topic) from unnest(%s::text[], %s::text[]) as hint (channel, topic)"
"""Many notifications as one statement; PostgreSQL's own words and psycopg's parameters."""


def table_names(tx: Tx) -> list[str]:
    """All tables of the store but those of the search index, which is made from them."""
    if tx.engine == "sqlite":
        rows = tx.execute("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
    else:
        rows = tx.execute("select tablename from pg_tables where schemaname = current_schema()")
    return [name for (name,) in rows if not name.startswith("search_")]


def column_names(tx: Tx, table: str) -> list[str]:
    """The columns of a table, in their order."""
    if tx.engine == "sqlite":
        rows = tx.execute("select name from pragma_table_info(:table) order by cid", table=table)
    else:
        rows = tx.execute(
            """select column_name from information_schema.columns
            where table_schema = current_schema() and table_name = :table order by ordinal_position""",
            table=table,
        )
    return [str(name) for (name,) in rows]


def key_columns(tx: Tx, table: str) -> list[str]:
    """The columns of the primary key, which every table of ours has."""
    if tx.engine == "sqlite":
        rows = tx.execute("select name from pragma_table_info(:table) where pk > 0 order by pk", table=table)
    else:
        rows = tx.execute(
            """select k.column_name from information_schema.table_constraints c
            join information_schema.key_column_usage k
              on k.constraint_name = c.constraint_name and k.table_schema = c.table_schema
            where c.constraint_type = 'PRIMARY KEY' and c.table_schema = current_schema() and c.table_name = :table
            order by k.ordinal_position""",
            table=table,
        )
    return [str(name) for (name,) in rows]


def page(tx: Tx, table: str, columns: list[str], key: list[str], after: list[Value] | None, limit: int) -> list[Row]:
    """The first rows in the order of `key`, or those that follow the key `after`. Names come from the schema."""
    order = ", ".join(key)
    values = {f"after_{column}": value for column, value in zip(key, after or (), strict=after is not None)}
    beyond = f"where ({order}) > ({', '.join(f':after_{column}' for column in key)})" if values else ""
    statement = f"select {', '.join(columns)} from {table} {beyond} order by {order} limit :page_limit"
    return tx.execute(statement, page_limit=limit, **values)


def has_rows(tx: Tx, table: str) -> bool:
    """Whether the table, whose name was checked, holds anything."""
    return bool(tx.execute(f"select 1 from {table} limit 1"))


def insert_statement(table: str, columns: list[str]) -> str:
    """A statement that takes one row; the names were checked."""
    values = ", ".join(f":{column}" for column in columns)
    return f"insert into {table} ({', '.join(columns)}) values ({values})"
