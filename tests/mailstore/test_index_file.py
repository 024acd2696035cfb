"""The file of the search index on SQLite: thrown away and made anew when it is not in order, by whoever meets it."""

import asyncio
from pathlib import Path

import pytest

from mailhost import mailstore
from mailhost.mailstore import textindex
from mailhost.mailstore.indexer import INDEX_FILE, TextIndex, open_index
from mailhost.protocols.imap.search import BodyContains
from tests.mailstore.test_index import by_index, message

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("damage", ["no database at all, but some text" * 400, "", None])
async def test_a_damaged_or_missing_file_is_made_anew(
    database, blobs, account, put, tmp_path: Path, damage: str | None
) -> None:
    uid = await put(message("one", "apples"))
    key = BodyContains("apples")
    path = tmp_path / INDEX_FILE
    async with open_index(database, blobs, tmp_path) as index:
        assert await by_index(database, blobs, index, account, key) == [uid]
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage)
    async with open_index(database, blobs, tmp_path) as index:
        assert await by_index(database, blobs, index, account, key) == [uid]


async def test_damage_met_by_a_search_costs_it_only_the_index(database, blobs, account, put, tmp_path: Path) -> None:
    await database.write(mailstore.set_quota, account, 10_000_000)
    for number in range(100):
        await put(message(f"letter {number}", "apples " + " ".join(f"w{number}x{each}" for each in range(100))))
    key = BodyContains("apples")
    async with open_index(database, blobs, tmp_path) as index:
        await index.answers(account, [key])
    path = tmp_path / INDEX_FILE
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\x5a" * (len(whole) - 8192))
    async with open_index(database, blobs, tmp_path) as index:
        for _ in range(2):
            assert await by_index(database, blobs, index, account, key) == list(range(1, 101))
        assert (await index.answers(account, [key]))[key].is_complete


async def test_processes_that_meet_damage_at_once_make_one_file_anew(
    database, blobs, account, put, tmp_path: Path
) -> None:
    uid = await put(message("one", "apples"))
    (tmp_path / INDEX_FILE).write_text("no database at all, but some text" * 400)
    for _ in range(5):
        opened = [TextIndex(database, blobs, tmp_path / INDEX_FILE) for _ in range(3)]
        await asyncio.gather(*(index.open() for index in opened))
        for index in opened:
            assert await by_index(database, blobs, index, account, BodyContains("apples")) == [uid]
        await opened[0]._index.write(textindex.clear, account)
        for index in opened:
            assert await index._index.read(textindex.cursors) == {}, "they share one file"
        for index in opened:
            await index.close()
        (tmp_path / INDEX_FILE).write_text("no database at all, but some text" * 400)


async def test_a_file_made_anew_by_another_process_is_taken_up(database, blobs, account, put, tmp_path: Path) -> None:
    uid = await put(message("one", "apples"))
    async with open_index(database, blobs, tmp_path) as one, open_index(database, blobs, tmp_path) as other:
        await one._begin_anew(one._index, "for a test")
        assert await by_index(database, blobs, other, account, BodyContains("apples")) == [uid]
        assert (
            (await one._index.read(textindex.cursors)) == (await other._index.read(textindex.cursors)) == {account: 1}
        )
        await other._index.write(textindex.clear, account)
        assert await one._index.read(textindex.cursors) == {}, "they share one file"


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"no database at all" * 1_000)
    other.rename(path)


DAMAGES = {
    "removed": lambda path: path.unlink(),
    "removed with its log": lambda path: [each.unlink() for each in (path, path.with_name(INDEX_FILE + "-wal"))],
    "without its log": lambda path: path.with_name(INDEX_FILE + "-wal").unlink(),
    "with an empty log": lambda path: emptied(path.with_name(INDEX_FILE + "-wal")),
    "emptied": emptied,
    "replaced": replaced,
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_befalls_the_file_while_it_is_open_is_mended(
    database, blobs, account, put, tmp_path: Path, damage: str
) -> None:
    uids = [await put(message("one", "apples"))]
    key = BodyContains("apples")
    async with open_index(database, blobs, tmp_path) as one, open_index(database, blobs, tmp_path) as other:
        for index in (one, other):
            assert await by_index(database, blobs, index, account, key) == uids
        DAMAGES[damage](tmp_path / INDEX_FILE)
        uids.append(await put(message("two", "apples")))
        for index in (one, other, one, other):
            assert await by_index(database, blobs, index, account, key) == uids
        async with open_index(database, blobs, tmp_path) as third:
            await third.rebuild(account)
            uids.append(await put(message("three", "apples")))
            for index in (one, other, third, one, other):
                assert await by_index(database, blobs, index, account, key) == uids
            for index in (one, other, third):
                assert (await index.answers(account, [key]))[key].is_complete
            await one._index.write(textindex.clear, account)
            for index in (other, third):
                assert await index._index.read(textindex.cursors) == {}, "they share one file"
