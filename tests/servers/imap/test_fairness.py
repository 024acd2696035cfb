"""What one client makes the server do keeps no other waiting: others get their turn in between, which is counted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailhost import mailstore
from mailhost.mailstore.intake import Intake
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx, open_database
from mailhost.storage.files import DiskFiles
from tests.transcripts.house import ANNA, APP_PASSWORDS, House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = await open_database(f"sqlite:///{tmp_path}/mailhost.db")
    house = House(database, Blobs(database, DiskFiles(tmp_path / "blobs")), None)
    await house.build()
    yield house
    await house.close()
    await database.close()


@asynccontextmanager
async def longest(measure: Callable[[], int]) -> AsyncIterator[list[int]]:
    """How much `measure` grew between two turns of everybody else, at most."""
    worst = [0]

    async def look() -> None:
        last = measure()
        while True:
            await asyncio.sleep(0)
            last, before = measure(), last
            worst[0] = max(worst[0], last - before)

    looking = asyncio.create_task(look())
    try:
        yield worst
    finally:
        looking.cancel()


async def test_a_list_that_reads_of_each_mailbox_lets_others_in_between(house: House) -> None:
    def create(tx: Tx) -> None:
        for number in range(300):
            mailstore.create_mailbox(tx, house.ids[ANNA], f"m{number}")

    await house.database.write(create)
    async with house.connection("imap") as (reader, writer):
        writer.write(f'a LOGIN {ANNA} "{APP_PASSWORDS[ANNA]}"\r\n'.encode())
        await reader.readuntil(b"a OK")
        async with longest(lambda: house.database.queries) as reads:
            writer.write(b'b LIST "" * RETURN (METADATA (/private/comment))\r\n')
            await reader.readuntil(b"\r\nb OK")
    assert 30 <= reads[0] < 150


async def test_a_large_hostile_header_is_read_apart_from_everybody(house: House) -> None:
    intake = Intake(house.blobs, 10**6, normalise=False)
    intake.write(b"To: " + b"a:" * 120_000 + b"\r\n\r\n")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    await intake.finish()
    counting.cancel()
    assert turns > 3
