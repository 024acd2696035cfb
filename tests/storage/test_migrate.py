"""The schema moves forward only, from every state it has ever landed in, and never under a program that is too old."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailhost.storage.database import Tx, end_serving, open_database
from mailhost.storage.errors import BadDatabaseUrl, ChangedMigration, NewerStore
from mailhost.storage.migrate import Migration, known_migrations
from mailhost.storage.sql import read_meta, write_meta

LANDED = Path(__file__).with_name("landed.txt")


def applied(tx: Tx) -> list[int]:
    return [number for (number,) in tx.execute("select number from migration order by number")]


@pytest.fixture(params=["sqlite", "postgres"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any schema."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/bare.db"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.new_bare_database()
    yield url
    server.drop(url)


def test_no_number_stands_for_two_steps() -> None:
    numbers = [migration.number for migration in known_migrations()]
    assert sorted(set(numbers)) == numbers


def test_landed_steps_are_not_edited() -> None:
    lines = [line.split() for line in LANDED.read_text().splitlines() if not line.startswith("#")]
    known = {f"{migration.number:04}": migration for migration in known_migrations()}
    for number, name, checksum in lines:
        assert (known[number].name, known[number].checksum) == (name, checksum)


@pytest.mark.parametrize("schema", [migration.number for migration in known_migrations()])
async def test_every_older_schema_is_brought_up_to_date(bare_url: str, schema: int) -> None:
    old = await open_database(bare_url, schema=schema)
    await old.write(write_meta, "t", "kept")
    assert await old.read(applied) == [migration.number for migration in known_migrations(schema)]
    await old.close()
    new = await open_database(bare_url)
    assert await new.read(applied) == [migration.number for migration in known_migrations()]
    assert await new.read(read_meta, "t") == "kept"
    await new.close()


async def test_several_programs_may_start_at_once(bare_url: str) -> None:
    async def start() -> None:
        await (await open_database(bare_url)).close()

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, start()) for _ in range(4)))
    database = await open_database(bare_url)
    assert len(await database.read(applied)) == len(known_migrations())
    await database.close()


async def test_a_newer_store_is_refused_untouched(bare_url: str) -> None:
    database = await open_database(bare_url, schema=1)
    await database.write(
        lambda tx: tx.execute("insert into migration (number, name, checksum, applied_at) values (9999, 'x', 'y', 0)")
    )
    with pytest.raises(NewerStore, match="9999"):
        await open_database(bare_url)
    assert await database.read(applied) == [1, 9999]
    await database.close()


async def test_an_edited_step_is_refused_untouched(bare_url: str) -> None:
    database = await open_database(bare_url, schema=1)
    await database.write(lambda tx: tx.execute("update migration set checksum = 'other' where number = 1"))
    with pytest.raises(ChangedMigration, match="0001"):
        await open_database(bare_url)
    assert await database.read(applied) == [1]
    await database.close()


def test_statements_are_told_apart_and_put_into_the_engines_words() -> None:
    migration = Migration(
        1, "x", "-- one; two;\ncreate table a (\n  b text -- why;\n){clustered};\n\n  create index c on a (b);\n"
    )
    assert migration.statements("sqlite") == [
        "create table a (\n  b text\n) without rowid",
        "create index c on a (b)",
    ]
    assert migration.statements("postgres") == ["create table a (\n  b text\n)", "create index c on a (b)"]


async def test_an_unclean_stop_is_told_at_the_next_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mailhost.db"
    database = await open_database(url, serving=True)
    assert not database.unclean
    operator = await open_database(url)  # a command beside the running server
    assert not operator.unclean
    await operator.close()
    await database.write(end_serving)
    await database.close()
    database = await open_database(url, serving=True)
    assert not database.unclean
    await database.close()
    database = await open_database(url, serving=True)
    assert database.unclean
    await database.close()


@pytest.mark.parametrize("url", ["", "mailhost.db", "mysql://host/db", "sqlite:/x"])
async def test_an_unknown_url_is_one_sentence(url: str) -> None:
    with pytest.raises(BadDatabaseUrl):
        await open_database(url)
