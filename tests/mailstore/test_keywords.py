"""A keyword makes room when nobody carries it, and only then, whatever happens while maintenance looks."""

import pytest

from mailhost import mailstore
from mailhost.mailstore import FlagChange, NewMessage, TooManyKeywords, flags, keywords
from mailhost.storage.database import Database
from tests.mailstore.conftest import NOW

NAMES = tuple(f"k{number}" for number in range(57))


async def names(database: Database, account: int) -> set[str]:
    return {name for _, name in await database.read(mailstore.load_keywords, account)}


async def mark(database: Database, account: int, uid: int, *, on: tuple[str, ...] = (), off: tuple[str, ...] = ()):
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    change = FlagChange(set_keywords=on, clear_keywords=off)
    await database.write_relaxed(mailstore.store_flags, account, inbox.id, [(uid, uid)], change, now=NOW)


async def test_a_large_account_is_not_looked_through_in_passing(database, account, put, monkeypatch) -> None:
    monkeypatch.setattr(flags, "LOOKED_THROUGH", 3)
    uid = await put(keywords=NAMES)
    await mark(database, account, uid, off=("k5",))
    await put(keywords=("new",))  # two messages: that is quick
    await mark(database, account, uid, off=("k6",))
    await put()
    with pytest.raises(TooManyKeywords):
        await put(keywords=("newer",))
    carried = await database.read(keywords.seek, account)
    assert await database.write(keywords.free, account, carried) == 1
    await put(keywords=("newer",))
    assert await names(database, account) == {*NAMES, "new", "newer"} - {"k5", "k6"}


async def test_only_accounts_with_many_are_looked_through(database, account, put) -> None:
    await put(keywords=NAMES[:40])
    assert await database.read(keywords.accounts_with_many_keywords) == []
    await put(keywords=NAMES[:41])
    assert await database.read(keywords.accounts_with_many_keywords) == [account]


async def test_what_is_set_while_somebody_looks_stays(database, account, put) -> None:
    uid, other = await put(keywords=("old", "gone", "copied")), await put()
    await mark(database, account, uid, off=("old", "gone", "copied"))
    carried = await database.read(keywords.seek, account)
    await mark(database, account, other, on=("old",))
    await put(keywords=("new",))
    assert await database.write(keywords.free, account, carried) == 2
    assert await names(database, account) == {"old", "new"}


async def test_what_can_be_undone_keeps_its_keywords(database, account, put) -> None:
    await database.write(mailstore.create_mailbox, account, "Before")
    await put(mailbox="Before", keywords=("a",))
    uid = await put(keywords=("b",))
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    await database.write(mailstore.expunge, account, inbox.id, [(uid, uid)], NOW, only_deleted=False)
    await database.write(mailstore.delete_mailbox, account, "Before", NOW)
    assert await database.write(keywords.free, account, await database.read(keywords.seek, account)) == 0


async def test_what_is_set_and_removed_while_somebody_looks_stays(database, account, put) -> None:
    await database.write(mailstore.create_mailbox, account, "Before")
    carried = await database.read(keywords.seek, account)
    await put(mailbox="Before", keywords=("a",))
    await database.write(mailstore.delete_mailbox, account, "Before", NOW)
    await database.write(mailstore.create_mailbox, account, "Since")
    await put(mailbox="Since", keywords=("b",))
    await database.write(mailstore.delete_mailbox, account, "Since", NOW)
    assert await database.write(keywords.free, account, carried) == 0
    assert await names(database, account) == {"a", "b"}


async def test_keywords_of_one_command_do_not_take_each_others_room(database, account, put) -> None:
    uid = await put()
    with pytest.raises(TooManyKeywords):
        await mark(database, account, uid, on=(*NAMES, "one too many"))
    assert await names(database, account) == set()
    await mark(database, account, uid, on=NAMES)
    await mark(database, account, uid, off=NAMES)
    # `k0` is known and carried by nobody: it gives room to the new one, and is then as new as that.
    await mark(database, account, uid, on=("new", "k0", *NAMES[3:]))
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    [(mask,)] = await database.read(mailstore.live_rows, account, inbox.id, uid, uid, ("flags",), 1)
    found = mailstore.flag_text(mask, await database.read(mailstore.load_keywords, account)).decode().split()
    assert sorted(found) == sorted(("new", "k0", *NAMES[3:]))


async def test_messages_of_one_append_do_not_take_each_others_keywords(database, blobs, account, arrive) -> None:
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    messages = [NewMessage(await arrive(), NOW, keywords=(name,)) for name in (*NAMES, "one too many")]
    with pytest.raises(TooManyKeywords):
        await database.write(mailstore.append, blobs, account, inbox.id, messages, NOW)
    await database.write(mailstore.append, blobs, account, inbox.id, messages[:-1], NOW)
    assert await names(database, account) == set(NAMES)
