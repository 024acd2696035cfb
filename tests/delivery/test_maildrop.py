"""The maildrop as rows: the lease, the snapshot, QUIT; on both engines."""

import pytest

from mailhost import mailstore
from mailhost.delivery.local import deliver
from mailhost.delivery.maildrop import (
    LEASE_SECONDS,
    MaildropLocked,
    MessageGone,
    find_content,
    lock,
    settle,
    snapshot,
    unlock,
    unlock_all,
)
from tests.delivery.test_local import origin, receive, to
from tests.servers.conftest import START, House


async def fill(house: House, count: int) -> None:
    office = house.office()
    for number in range(count):
        content = b"Message-ID: <%d@x>\r\n\r\n%s\r\n" % (number, b"x" * number)
        await deliver(office, await receive(office, content), origin(f"t-{number}"), to(house, "ann"))


async def test_the_lease(house: House) -> None:
    ann, write = house.accounts["ann"], house.database.write
    await write(lock, ann, "a", START)
    await write(lock, ann, "a", START + 50)
    with pytest.raises(MaildropLocked):
        await write(lock, ann, "b", START + 50 + LEASE_SECONDS - 1)
    await write(lock, house.accounts["bob"], "b", START)
    await write(unlock, ann, "b")
    with pytest.raises(MaildropLocked):
        await write(lock, ann, "b", START)
    await write(lock, ann, "b", START + 50 + LEASE_SECONDS)
    with pytest.raises(MaildropLocked):
        await write(lock, ann, "a", START + 50 + LEASE_SECONDS)
    await write(unlock_all)
    await write(lock, ann, "a", START)


async def test_quit_removes_what_was_marked_and_nothing_else(house: House) -> None:
    await fill(house, 6)
    ann = house.accounts["ann"]
    await house.database.write(lock, ann, "a", START)
    drop = await house.database.read(snapshot, ann)
    assert [drop.unique_id(index) for index in range(6)] == [f"GmailId{number}" for number in range(1, 7)]
    assert list(drop.octets) == [len(message) for message in await house.inbox("ann")]
    drop.deleted |= {0, 2, 3}
    await fill_more(house)
    assert await house.database.write(settle, drop, "a", START) == 3
    left = await house.database.read(snapshot, ann)
    assert [left.unique_id(index) for index in range(4)] == ["GmailId2", "GmailId5", "GmailId6", "GmailId7"]
    await house.database.write(lock, ann, "b", START)  # QUIT let go


async def fill_more(house: House) -> None:
    office = house.office()
    await deliver(office, await receive(office), origin("more"), to(house, "ann"))


async def test_quit_without_the_lock_removes_nothing(house: House) -> None:
    await fill(house, 1)
    ann = house.accounts["ann"]
    drop = await house.database.read(snapshot, ann)
    drop.deleted.add(0)
    await house.database.write(lock, ann, "other", START)
    with pytest.raises(MaildropLocked):
        await house.database.write(settle, drop, "a", START)
    assert len(await house.inbox("ann")) == 1


async def test_the_content_of_messages_that_are_gone(house: House) -> None:
    await fill(house, 1)
    ann = house.accounts["ann"]
    drop = await house.database.read(snapshot, ann)
    before = await house.database.point(find_content, ann, drop.mailbox_id, 1)
    await house.database.write(
        lambda tx: mailstore.expunge(tx, ann, drop.mailbox_id, [(1, 1)], START, only_deleted=False)
    )
    assert await house.database.point(find_content, ann, drop.mailbox_id, 1) == before
    with pytest.raises(MessageGone):
        await house.database.point(find_content, ann, drop.mailbox_id, 2)
