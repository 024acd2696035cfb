"""What `doctor server` says of our own store: mail set aside, an index that is behind or unreadable, a full disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailhost import mailstore
from mailhost.doctor.catalogue import Language
from mailhost.doctor.evidence import all_said
from mailhost.doctor.inside import disk_findings, look_inside
from mailhost.mailstore import textindex
from mailhost.mailstore.indexer import CATCH_UP, INDEX_FILE, open_index
from mailhost.queue import sql as queue
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database
from tests.doctor.zoo.own_cases import QUEUED_AT, arrive, set_aside


@pytest.fixture(autouse=True)
async def store(database: Database) -> None:
    await database.write(mailstore.open_store, 1, QUEUED_AT, 100_000)


@pytest.fixture
async def look(database: Database, blobs: Blobs, tmp_path: Path) -> Callable[[], Awaitable[list[tuple[str, str]]]]:
    """Leaf and place of each finding, beside an index that has begun."""
    async with open_index(database, blobs, tmp_path):
        pass

    async def look() -> list[tuple[str, str]]:
        return [(each.leaf, each.where) for each in await look_inside(database, tmp_path)]

    return look


async def test_nothing_is_said_of_a_store_in_order(database: Database, look) -> None:
    assert await look() == []
    await database.write(arrive, CATCH_UP)  # a search catches up with those itself
    assert await look() == []


async def test_mail_set_aside_is_named_until_it_is_dealt_with(database: Database, tmp_path: Path, look) -> None:
    await database.write(set_aside, "one", "two")
    assert await look() == [("I1", "message one"), ("I1", "message two")]
    [first, _] = await look_inside(database, tmp_path)
    assert first.evidence == ("KeyError: 'x' (message one, since 2027-01-15 08:00Z)",)
    assert all_said(first.evidence, Language.CHINESE) == ["KeyError: 'x'（邮件 one，自 2027-01-15 08:00Z 起）"]
    await database.write(queue.try_again, QUEUED_AT, "one")
    assert await look() == [("I1", "message two")]


async def test_of_many_messages_the_first_are_named_and_the_others_counted(
    database: Database, tmp_path: Path, look
) -> None:
    await database.write(set_aside, *(f"m{number:02}" for number in range(12)))
    assert [where for _, where in await look()] == [*(f"message m{number:02}" for number in range(10)), ""]
    assert (await look_inside(database, tmp_path))[-1].evidence == ("and 2 more",)


async def test_an_index_that_is_far_behind(database: Database, blobs: Blobs, tmp_path: Path, look) -> None:
    await database.write(arrive, CATCH_UP + 1)
    assert await look() == [("I2", "")]
    [finding] = await look_inside(database, tmp_path)
    assert finding.evidence == (f"at most {CATCH_UP + 1} messages are missing, in accounts: 1",)
    async with open_index(database, blobs, tmp_path) as index:
        await index._index.write(textindex.add, 1, [], 0, CATCH_UP + 1)
    assert await look() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_index_that_is_no_database_is_left_as_it_is(tmp_path: Path, look) -> None:
    file = tmp_path / INDEX_FILE
    file.write_text("no database at all, but some text" * 400)
    assert await look() == [("I3", "")]
    assert file.read_text().startswith("no database at all")


def test_a_disk_with_less_room_than_is_wanted(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert disk_findings(tmp_path, free // 2) == []
    [finding] = disk_findings(tmp_path, free * 2)
    assert finding.leaf == "I4"
    assert re.fullmatch(r"\d+ MB of \d+ MB are free in /.+", finding.evidence[0])
    assert re.fullmatch(r"/.+ 中可用 \d+ MB，共 \d+ MB", all_said(finding.evidence, Language.CHINESE)[0])
