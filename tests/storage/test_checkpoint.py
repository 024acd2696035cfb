"""Checkpoints of SQLite's WAL go on beside the writer, and keep the WAL short even if he never pauses."""

import asyncio
import sys
from pathlib import Path

import pytest

from mailhost.storage.database import Tx
from mailhost.storage.sqlite import SqliteDatabase, open_sqlite
from mailhost.storage.sqlite_connection import SqliteOptions

EVERY = 20
PAGE = 8_192
WRITES = 2_000
OPTIONS = SqliteOptions(checkpoint_pages=EVERY, long_pages=8 * EVERY, group_count=1)


def add(tx: Tx, number: int) -> None:
    tx.execute("insert into meta (name, value) values (:name, :value)", name=f"t{number}", value="x" * 6_000)


async def fill(database: SqliteDatabase, first: int, count: int) -> None:
    """So many writes one after the other, two pages each or a little more."""
    for number in range(first, first + count):
        await database.write_relaxed(add, number)


async def test_what_is_committed_comes_into_the_file_while_it_is_served(tmp_path: Path) -> None:
    database = await open_sqlite(tmp_path / "mailhost.db", OPTIONS)
    before = database.path.stat().st_size
    await fill(database, 0, EVERY)
    for _ in range(100):
        if database.path.stat().st_size > before:
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("nothing was copied within five seconds")
    await database.close()


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_writer_who_never_pauses_does_not_let_the_wal_grow(tmp_path: Path, processes: int) -> None:
    databases = [await open_sqlite(tmp_path / "mailhost.db", OPTIONS) for _ in range(processes)]
    await asyncio.gather(*(fill(database, place * WRITES, WRITES) for place, database in enumerate(databases)))
    wal = tmp_path / "mailhost.db-wal"
    assert wal.stat().st_size < WRITES * PAGE  # half of what was written, at least
    for database in databases:
        await database.close()
    assert not wal.exists()


WRITER = """
import asyncio, os, sys
from pathlib import Path
from mailhost.storage.sqlite import open_sqlite
from mailhost.storage.sqlite_connection import SqliteOptions

def add(tx, name):
    tx.execute("insert into meta (name, value) values (:name, :value)", name=name, value="x" * 6_000)

async def main(path, start):
    database = await open_sqlite(Path(path), SqliteOptions(checkpoint_pages=5, long_pages=20))
    async def work(worker):
        for number in range(100_000):
            name = f"t-{start}-{worker}-{number}"
            await database.write(add, name)
            os.write(1, f"{name}\\n".encode())
    await asyncio.gather(*(work(worker) for worker in range(4)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_kill_amid_checkpoints_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mailhost.db"
    acknowledged: set[str] = set()
    for start in range(5):
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(path), str(start), stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        told = [await writer.stdout.readline() for _ in range(60 + 17 * start)]
        writer.kill()
        told += (await writer.stdout.read()).splitlines(keepends=True)
        await writer.wait()
        acknowledged |= {line.decode().strip() for line in told if line.endswith(b"\n")}
    database = await open_sqlite(path)
    assert acknowledged <= await database.read(_names)
    assert await database.read(lambda tx: tx.execute("pragma integrity_check")) == [("ok",)]
    await database.close()


def _names(tx: Tx) -> set[str]:
    return {name for (name,) in tx.execute("select name from meta where name like 't-%'")}
