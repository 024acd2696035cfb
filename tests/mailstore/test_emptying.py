"""What is emptied in steps: true for everybody at once, done later, and never done by half for good."""

from collections.abc import Awaitable, Callable

import pytest

from mailhost import mailstore
from mailhost.mailstore import FlagChange, Mailbox, NoSuchMailbox, emptying
from mailhost.storage.database import Database, Tx
from tests.mailstore.conftest import NOW
from tests.mailstore.labelled import set_layout

MANY = 10


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three messages at a time."""
    monkeypatch.setattr(emptying, "STEP", 3)


@pytest.fixture
async def big(database: Database, account: int, put: Callable[..., Awaitable[int]]) -> Mailbox:
    """A mailbox of more messages than one step takes."""
    await database.write(mailstore.create_mailbox, account, "Big")
    for _ in range(MANY):
        await put(mailbox="Big")
    return await database.read(mailstore.find_mailbox, account, "Big")


def rows_left(tx: Tx, mailbox_id: int) -> int:
    [(count,)] = tx.execute("select count(*) from placement where mailbox_id = :id", id=mailbox_id)
    return int(count)


async def finish(database: Database, account: int) -> None:
    while await database.write(mailstore.empty_more, account, NOW):
        pass


async def test_a_deleted_mailbox_is_gone_at_once_and_its_messages_go_in_steps(database, account, put, big) -> None:
    assert await database.write(mailstore.delete_mailbox, account, "Big", NOW)
    with pytest.raises(NoSuchMailbox):
        await database.read(mailstore.find_mailbox, account, "Big")
    with pytest.raises(NoSuchMailbox):
        await database.read(mailstore.load_mailbox, account, big.id)
    assert "Big" not in {mailbox.name for mailbox in await database.read(mailstore.list_mailboxes, account)}
    again = await database.write(mailstore.create_mailbox, account, "Big")
    assert await put(mailbox="Big") == 1
    seen: list[int] = []
    while await database.write(mailstore.empty_more, account, NOW):
        await put()  # others write between the steps
        seen.append(await database.write(rows_left, big.id))
    assert any(0 < left < MANY for left in seen), "it was one step"
    assert (await database.read(mailstore.load_mailbox, account, again.id)).messages == 1
    assert len(await database.read(mailstore.removed_messages, account, 0)) == MANY
    assert (await database.read(mailstore.usage, account)).used_messages == 1 + len(seen)
    assert await database.read(mailstore.accounts_with_steps_left) == []


async def test_what_a_crash_interrupts_is_found_again(database, account, big) -> None:
    await database.write(mailstore.delete_mailbox, account, "Big", NOW)  # and no step more: we were killed
    assert await database.read(mailstore.accounts_with_steps_left) == [account]
    await finish(database, account)
    [message, *_] = await database.read(mailstore.removed_messages, account, 0)
    assert await database.write(mailstore.restore_removed, account, [message[0]], NOW) == 1
    assert (await database.read(mailstore.find_mailbox, account, "INBOX")).messages == 1


async def test_copies_still_agree_while_another_mailbox_is_emptied(database, account, put, big) -> None:
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    archive = await database.read(mailstore.find_mailbox, account, "Archive")
    uid = await put()
    await database.write(mailstore.copy, account, inbox.id, archive.id, [(uid, uid)], NOW)
    await database.write(mailstore.delete_mailbox, account, "Big", NOW)
    await database.write(mailstore.store_flags, account, inbox.id, [(uid, uid)], FlagChange(set_flags=1), now=NOW)
    [(flags,)] = await database.read(mailstore.live_rows, account, archive.id, 1, 1, ("flags",), 1)
    assert flags == 1


async def test_a_message_is_kept_while_it_stands_elsewhere(database, account, put, big) -> None:
    archive = await database.read(mailstore.find_mailbox, account, "Archive")
    await database.write(mailstore.copy, account, big.id, archive.id, [(1, MANY)], NOW)
    await database.write(mailstore.delete_mailbox, account, "Big", NOW)
    await finish(database, account)
    assert await database.read(mailstore.removed_messages, account, 0) == []
    assert (await database.read(mailstore.usage, account)).used_messages == MANY


async def test_inbox_moves_into_its_new_name_and_takes_mail_meanwhile(database, account, put) -> None:
    for _ in range(MANY):
        await put()
    before = await database.read(mailstore.find_mailbox, account, "INBOX")
    assert await database.write(mailstore.rename_inbox, account, "Old/2026", NOW)
    late = await put()
    await finish(database, account)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    assert (inbox.id, inbox.uid_validity, inbox.messages) == (before.id, before.uid_validity, 1)
    assert await database.read(mailstore.live_rows, account, inbox.id, 1, 99, ("uid",), 99) == [(late,)]
    old = await database.read(mailstore.find_mailbox, account, "Old/2026")
    ids = await database.read(mailstore.live_rows, account, old.id, 1, 99, ("uid", "message_id"), 99)
    assert ids == [(number, number) for number in range(1, MANY + 1)]
    assert await database.read(mailstore.accounts_with_steps_left) == []


async def test_inbox_keeps_the_rest_when_its_new_name_is_deleted_meanwhile(database, account, put) -> None:
    for _ in range(MANY):
        await put()
    await database.write(mailstore.rename_inbox, account, "Old", NOW)
    await database.write(mailstore.delete_mailbox, account, "Old", NOW)
    await finish(database, account)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    removed = await database.read(mailstore.removed_messages, account, 0)
    assert inbox.messages + len(removed) == MANY
    assert len(removed) == 3


async def test_a_deleted_label_leaves_its_messages_in_all_mail(database, account, put, big) -> None:
    await database.write(set_layout, account, mailstore.Layout.GMAIL, NOW)
    assert await database.write(mailstore.delete_mailbox, account, "Big", NOW)
    await finish(database, account)
    assert await database.read(rows_left, big.id) == 0
    assert (await database.read(mailstore.find_mailbox, account, "[Gmail]/All Mail")).messages == MANY
    assert await database.read(mailstore.removed_messages, account, 0) == []


async def test_what_was_deleted_in_one_layout_does_not_come_back_in_the_other(database, account, big) -> None:
    await database.write(mailstore.delete_mailbox, account, "Big", NOW)
    await database.write(set_layout, account, mailstore.Layout.GMAIL, NOW)
    assert (await database.read(mailstore.find_mailbox, account, "[Gmail]/All Mail")).messages == 0
    assert len(await database.read(mailstore.removed_messages, account, 0)) == MANY


async def test_a_closed_account_goes_in_steps_to_the_last_row(database, blobs, account, put, big) -> None:
    await put(keywords=("$later",))
    await database.write(mailstore.expunge, account, big.id, [(1, 2)], NOW, only_deleted=False)
    await database.write(mailstore.delete_mailbox, account, "Big", NOW)
    await database.write(mailstore.close_store, account)
    assert await database.read(mailstore.closed_accounts) == [account]
    steps = 0
    while await database.write(mailstore.erase_closed, blobs, account):
        steps += 1
    assert steps > MANY // 3

    def counts(tx: Tx) -> list[int]:
        tables = ("message", "placement", "tombstone", "flag_change", "mailbox", "keyword", "emptying", "mail_account")
        return [tx.execute(f"select count(*) from {table}")[0][0] for table in tables]

    assert await database.read(counts) == [0] * 8
