"""What one client makes the server do keeps no other waiting: others get their turn in between, which is counted."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailhost import mailstore
from mailhost.mailstore.intake import Intake
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx, open_database
from mailhost.storage.files import DiskFiles
from tests.transcripts.house import ANNA, APP_PASSWORDS, START, House


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


async def test_sorting_hostile_headers_holds_few_of_them_at_a_time(house: House) -> None:
    count, size = 80, 250_000

    def place(tx: Tx, new: list[mailstore.NewMessage]) -> None:
        inbox = mailstore.find_selectable(tx, house.ids[ANNA], "INBOX")
        mailstore.append(tx, house.blobs, house.ids[ANNA], inbox.id, new, START)

    for number in range(count):
        intake = Intake(house.blobs, 10**6, normalise=False)
        words = b"%d %b" % (number, b"a" * size)
        intake.write(
            b'From: "%b" <a@b.test>\r\nMessage-ID: <%b>\r\nSubject: =?utf-8?q?%b?=\r\n\r\n' % (words, words, words)
        )
        await house.database.write(place, [mailstore.NewMessage(await intake.finish(), START)])
    async with house.connection("imap") as (reader, writer):
        writer.write(f'a LOGIN {ANNA} "{APP_PASSWORDS[ANNA]}"\r\nb SELECT INBOX\r\n'.encode())
        await reader.readuntil(b"\r\nb OK")
        tracemalloc.start()
        try:
            writer.write(b"c SORT (DISPLAYFROM SUBJECT) UTF-8 ALL\r\nd THREAD REFERENCES UTF-8 ALL\r\ne NOOP\r\n")
            await reader.readuntil(b"\r\ne OK")
            left, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < count * size / 2
    assert left < count * size / 10


async def test_one_append_holds_no_more_than_is_bounded_of_messages_made_of_parts(house: House) -> None:
    many_parts = b"Content-Type: multipart/mixed; boundary=-\r\n\r\n" + b"---\r\n" * 9_990
    async with house.connection("imap") as (reader, writer):
        writer.write(f'a LOGIN {ANNA} "{APP_PASSWORDS[ANNA]}"\r\n'.encode())
        await reader.readuntil(b"\r\na OK")
        writer.write(b"b APPEND INBOX" + b" {%d+}\r\n%b" % (len(many_parts), many_parts) * 100 + b"\r\nc NOOP\r\n")
        async with asyncio.timeout(60):
            answer = await reader.readuntil(b"\r\nc ")
    assert b"b NO [LIMIT]" in answer


async def test_long_fields_are_read_in_pieces_and_all_are_looked_through(house: House) -> None:
    def place(tx: Tx, new: list[mailstore.NewMessage]) -> None:
        inbox = mailstore.find_selectable(tx, house.ids[ANNA], "INBOX")
        mailstore.append(tx, house.blobs, house.ids[ANNA], inbox.id, new, START)

    for number in range(1, 31):
        intake = Intake(house.blobs, 10**6, normalise=False)
        intake.write(b"Subject: %b word%d\r\n\r\n" % (b"a" * 200_000, number))
        await house.database.write(place, [mailstore.NewMessage(await intake.finish(), START)])
    async with house.connection("imap") as (reader, writer):
        writer.write(f'a LOGIN {ANNA} "{APP_PASSWORDS[ANNA]}"\r\nb SELECT INBOX\r\n'.encode())
        await reader.readuntil(b"\r\nb OK")
        await reader.readline()
        for text, found in (
            (b"word29", b"29"),
            (b"word30", b"30"),
            (b"aaaa", b" ".join(b"%d" % n for n in range(1, 31))),
        ):
            writer.write(b"c SEARCH SUBJECT %b\r\n" % text)
            assert await reader.readline() == b"* SEARCH " + found + b"\r\n"
            await reader.readline()
