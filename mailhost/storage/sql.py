"""Small statements that several models need."""

from mailhost.storage.transaction import Tx


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


def delete_meta(tx: Tx, name: str) -> None:
    """Forget a fact about the store."""
    tx.execute("delete from meta where name = :name", name=name)
