"""Logs are trimmed oldest first, in steps, and whoever remembers less than was trimmed learns it."""

from collections.abc import Awaitable, Callable

import pytest

from mailhost import mailstore
from mailhost.mailstore import Mailbox, logs
from mailhost.mailstore.model import RETENTION_SECONDS, SleptTooLong
from mailhost.storage.database import Database, Tx
from tests.mailstore.conftest import NOW

LATER = NOW + RETENTION_SECONDS


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows at a time."""
    monkeypatch.setattr(logs, "STEP", 2)


@pytest.fixture
async def inbox(database: Database, account: int, put: Callable[..., Awaitable[int]]) -> Mailbox:
    """Five of seven messages were expunged, one a second."""
    for _ in range(7):
        await put()
    found = await database.read(mailstore.find_mailbox, account, "INBOX")
    for uid in range(1, 6):
        await database.write(mailstore.expunge, account, found.id, [(uid, uid)], NOW + uid, only_deleted=False)
    return found


def tombstones(tx: Tx) -> list[int]:
    return [uid for (uid,) in tx.execute("select uid from tombstone order by mailbox_id, uid")]


async def trim(database: Database, account: int, now: int, **most: int) -> int:
    steps = 0
    for overgrown in await database.read(mailstore.overgrown_logs, account, now, **most):
        steps += 1
        while await database.write(mailstore.trim_log, account, overgrown):
            steps += 1
    return steps


async def test_nothing_young_is_trimmed(database, account, inbox) -> None:
    assert await database.read(mailstore.overgrown_logs, account, LATER) == []


async def test_what_has_expired_goes_oldest_first_and_in_steps(database, account, inbox) -> None:
    assert await trim(database, account, LATER + 4) == 2
    assert await database.read(tombstones) == [4, 5]
    assert await trim(database, account, LATER + 99) == 2
    assert await database.read(tombstones) == []
    assert await trim(database, account, LATER + 99) == 0


async def test_too_many_go_however_young(database, account, inbox) -> None:
    await trim(database, account, NOW, most_tombstones=2)
    assert await database.read(tombstones) == [4, 5]


async def test_a_mailbox_that_is_gone_is_forgotten_too(database, account, put) -> None:
    await database.write(mailstore.create_mailbox, account, "Gone")
    await put(mailbox="Gone")
    await database.write(mailstore.delete_mailbox, account, "Gone", NOW)
    assert await database.read(tombstones) == [1]
    await trim(database, account, LATER + 1)
    assert await database.read(tombstones) == []


async def test_who_slept_too_long_is_told_so_and_nobody_else(database, account, inbox) -> None:
    now = await database.read(mailstore.load_mailbox, account, inbox.id)
    await trim(database, account, LATER + 4)
    with pytest.raises(SleptTooLong):
        await database.read(mailstore.changes, account, inbox.id, inbox.highest_modseq, inbox.uid_next)
    with pytest.raises(SleptTooLong):
        await database.read(mailstore.changes, account, inbox.id, inbox.highest_modseq + 2, inbox.uid_next)
    news = await database.read(mailstore.changes, account, inbox.id, inbox.highest_modseq + 3, inbox.uid_next)
    assert news.vanished == [4, 5]
    assert news.highest_modseq == now.highest_modseq


async def test_a_mailbox_knows_after_each_step_how_far_back_it_remembers(database, account, inbox) -> None:
    [overgrown] = await database.read(mailstore.overgrown_logs, account, LATER + 99)
    assert await database.write(mailstore.trim_log, account, overgrown)  # killed after it
    assert await database.read(tombstones) == [3, 4, 5]
    with pytest.raises(SleptTooLong):
        await database.read(mailstore.changes, account, inbox.id, inbox.highest_modseq + 1, inbox.uid_next)
    news = await database.read(mailstore.changes, account, inbox.id, inbox.highest_modseq + 2, inbox.uid_next)
    assert news.vanished == [3, 4, 5]
