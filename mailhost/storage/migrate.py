"""Numbered migrations: `migrations/NNNN_name.sql`, one text for both engines, each run once and never edited again.

`{clustered}` after a table's closing bracket becomes ` without rowid` on SQLite and nothing on PostgreSQL.
Statements end in a semicolon at the end of a line; `--` begins a comment wherever it stands.
"""

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from mailhost.storage import sql
from mailhost.storage.errors import ChangedMigration, NewerStore
from mailhost.storage.transaction import Engine, Tx

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_COMMENT = re.compile(r"[ \t]*--.*$", re.MULTILINE)
_END_OF_STATEMENT = re.compile(r";[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step from an older schema to a newer one."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Tells whether the text is still the one that ran."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, engine: Engine) -> list[str]:
        """The statements in the words of `engine`."""
        text = self.text.replace("{clustered}", " without rowid" if engine == "sqlite" else "")
        pieces = _END_OF_STATEMENT.split(_COMMENT.sub("", text))
        return [piece.strip() for piece in pieces if piece.strip()]


def known_migrations(until: int | None = None) -> list[Migration]:
    """The migrations this program carries, in order; all of them, or those numbered up to `until`."""
    found = []
    for entry in resources.files("mailhost.storage.migrations").iterdir():
        if match := _NAME.fullmatch(entry.name):
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.number)
    return [migration for migration in found if until is None or migration.number <= until]


def migrate(tx: Tx, migrations: Sequence[Migration]) -> list[Migration]:
    """Bring the store up to date; returns what ran. The caller holds the store's migration lock.

    Raises NewerStore or ChangedMigration, having changed nothing.
    """
    sql.make_migration_table(tx)
    applied = {number: (name, checksum) for number, name, checksum in sql.applied_migrations(tx)}
    known = {migration.number: migration for migration in migrations}
    for number, (name, checksum) in applied.items():
        if number not in known:
            raise NewerStore(
                f"the store was written by a newer Mailhost (schema step {number:04} {name} is unknown here); "
                "use that version or a backup made before it"
            )
        if known[number].checksum != checksum:
            raise ChangedMigration(
                f"schema step {number:04} {name} ran with another text than this program carries; "
                "a step that has landed must not be edited"
            )
    missing = [migration for migration in migrations if migration.number not in applied]
    for migration in missing:
        for statement in migration.statements(tx.engine):
            tx.execute(statement)
        sql.record_migration(tx, migration.number, migration.name, migration.checksum, int(time.time()))
    return missing
