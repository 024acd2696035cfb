"""kill -9 in the middle of writing: whatever was acknowledged is there."""

import asyncio
import sys

import pytest

from mailhost.storage.database import Tx, open_database

WRITER = """
import asyncio, os, sys
from mailhost.storage.database import open_database

def add(tx, name):
    tx.execute("insert into meta (name, value) values (:name, '')", name=name)

async def main(url, kind):
    database = await open_database(url, serving=True)
    write = database.write if kind == "durable" else database.write_relaxed
    async def work(worker):
        for number in range(100_000):
            name = f"t-{worker}-{number}"
            await write(add, name)
            os.write(1, f"{name}\\n".encode())
    await asyncio.gather(*(work(worker) for worker in range(8)))

asyncio.run(main(*sys.argv[1:]))
"""


def names(tx: Tx) -> set[str]:
    return {name for (name,) in tx.execute("select name from meta where name like 't-%'")}


@pytest.mark.parametrize("kind", ["durable", "relaxed"])
async def test_nothing_acknowledged_is_lost(database_url: str, kind: str) -> None:
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, database_url, kind, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    told = [await writer.stdout.readline() for _ in range(500)]
    writer.kill()
    told += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    acknowledged = {line.decode().strip() for line in told if line.endswith(b"\n")}
    assert len(acknowledged) >= 500
    database = await open_database(database_url, serving=True)
    assert acknowledged <= await database.read(names)
    assert database.unclean == (database.engine == "sqlite")  # PostgreSQL itself went on
    await database.write(lambda tx: tx.execute("insert into meta (name, value) values ('t-after', '')"))
    await database.close()
