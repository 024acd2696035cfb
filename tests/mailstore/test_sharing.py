"""Who may do what with another's mailboxes, and messages that go from account to account, on both engines."""

import asyncio

import pytest

from mailhost import mailstore
from mailhost.mailstore import Flag, FlagChange, OverQuota, TooManyKeywords
from mailhost.mailstore.account import EVERYBODY
from mailhost.mailstore.across import Target, copy_across, move_across
from mailhost.mailstore.sharing import (
    MAX_GRANTS,
    WHOLE_ACCOUNT,
    TooManyGrants,
    change_rights,
    list_grants,
    rights_of,
    share_account,
    shared_with,
)
from mailhost.mailstore.store import ALL_BITS
from mailhost.protocols.imap.commands import RightsMode
from mailhost.protocols.imap.rights import ALL_RIGHTS, NO_RIGHTS, parse_rights

NOW = 1_700_000_000
OTHER = 2
THIRD = 3


@pytest.fixture
async def other(database, account) -> int:
    """A second account."""
    await database.write(mailstore.open_store, OTHER, NOW, 100_000)
    return OTHER


async def box(database, account_id: int, name: str = "INBOX") -> mailstore.Mailbox:
    return await database.read(mailstore.find_mailbox, account_id, name)


async def test_rights_are_what_was_granted_less_what_was_denied(database, account) -> None:
    inbox = (await box(database, account)).id

    async def change(grantee: int, letters: str, mode: RightsMode = RightsMode.REPLACE, **more: bool) -> None:
        await database.write(change_rights, account, inbox, grantee, parse_rights(letters), mode, **more)

    async def rights(grantee: int) -> object:
        return await database.read(rights_of, account, inbox, grantee)

    assert await rights(account) == ALL_RIGHTS
    assert await rights(OTHER) == NO_RIGHTS
    await change(EVERYBODY, "lr")
    await change(OTHER, "s")
    await change(OTHER, "w", RightsMode.ADD)
    await change(OTHER, "s", RightsMode.REMOVE)
    assert await rights(OTHER) == parse_rights("lrw")
    assert await rights(THIRD) == parse_rights("lr")
    await change(OTHER, "r", is_negative=True)
    await change(EVERYBODY, "w", is_negative=True)
    assert await rights(OTHER) == parse_rights("l")
    assert await rights(account) == ALL_RIGHTS
    assert (await database.read(shared_with, OTHER)) == {account: {inbox: parse_rights("l")}}
    await change(OTHER, "")
    await change(OTHER, "", is_negative=True)
    await change(EVERYBODY, "")
    await change(EVERYBODY, "", is_negative=True)
    assert await database.read(list_grants, account, inbox) == []


async def test_new_mailboxes_have_the_rights_of_the_one_above(database, account) -> None:
    await database.write(share_account, account, OTHER, parse_rights("lr"))
    inbox = (await box(database, account)).id
    await database.write(change_rights, account, inbox, THIRD, parse_rights("l"))
    top = await database.write(mailstore.create_mailbox, account, "top")
    below = await database.write(mailstore.create_mailbox, account, "INBOX/below/deep")
    shared = (await database.read(shared_with, OTHER))[account]
    assert shared[top.id] == shared[below.id] == shared[WHOLE_ACCOUNT] == parse_rights("lr")
    assert (await database.read(shared_with, THIRD))[account].keys() >= {inbox, below.id}
    await database.write(mailstore.rename_mailbox, account, "INBOX/below/deep", "elsewhere")
    assert await database.read(rights_of, account, below.id, THIRD) == parse_rights("l")
    await database.write(mailstore.delete_mailbox, account, "elsewhere", NOW)
    assert await database.read(list_grants, account, below.id) == []


async def test_a_mailbox_is_shared_with_so_many(database, account) -> None:
    inbox = (await box(database, account)).id
    rows = [{"account": account, "mailbox": inbox, "grantee": 100 + number} for number in range(MAX_GRANTS)]
    await database.write(
        lambda tx: tx.execute_many("insert into mailbox_right values (:account, :mailbox, :grantee, 1, 0)", rows)
    )
    with pytest.raises(TooManyGrants):
        await database.write(change_rights, account, inbox, 99, ALL_RIGHTS)
    await database.write(change_rights, account, inbox, 100, ALL_RIGHTS)


async def test_who_has_a_mailbox_open_is_woken(database, account) -> None:
    inbox = (await box(database, account)).id
    woken = asyncio.Event()
    watch = database.watch(f"rights:{account}:{inbox}", woken.set)
    await database.write(change_rights, account, inbox, OTHER, ALL_RIGHTS)
    async with asyncio.timeout(10):
        await woken.wait()
    woken.clear()
    await database.write(mailstore.close_store, account)
    async with asyncio.timeout(10):
        await woken.wait()
    watch.close()
    assert await database.read(shared_with, OTHER) == {}


async def test_copies_across_accounts_are_messages_of_their_own(database, blobs, account, other, put) -> None:
    first = await put(flags=Flag.SEEN | Flag.DELETED, keywords=("$Work", "$Home"))
    await put(b"Subject: two\r\n\r\nbody\r\n")
    source, target = (await box(database, account)).id, (await box(database, other)).id
    change = FlagChange(set_keywords=("$Other",))  # so that the same bits mean other keywords
    there = Target(other, target, ALL_BITS)
    await database.write(copy_across, blobs, account, source, there, [(first, first)], NOW)
    await database.write(mailstore.store_flags, other, target, [(1, 1)], change, now=NOW)
    copied = await database.write(copy_across, blobs, account, source, there, [(1, 9)], NOW)
    assert (copied.source_uids, list(copied.target_uids)) == ([1, 2], [2, 3])
    rows = await database.read(mailstore.live_rows, other, target, 1, 9, ("flags", "octets", "blob"), 9)
    keywords = dict(await database.read(mailstore.load_keywords, other))
    names = [{keywords[bit] for bit in keywords if flags >> bit & 1} for flags, _, _ in rows]
    assert names == [{"$Work", "$Home", "$Other"}, {"$Work", "$Home"}, set()]
    assert [flags & 31 for flags, _, _ in rows] == [Flag.SEEN | Flag.DELETED, Flag.SEEN | Flag.DELETED, 0]
    mailbox, usage = await box(database, other), await database.read(mailstore.usage, other)
    assert (mailbox.messages, mailbox.unseen, mailbox.deleted) == (3, 1, 2)
    assert (usage.used_messages, usage.used_octets) == (3, sum(octets for _, octets, _ in rows))
    await database.write(mailstore.expunge, account, source, [(1, 9)], NOW, only_deleted=False)
    while await database.write(mailstore.erase_expired, blobs, account, NOW, everything=True):
        pass
    assert all([await blobs.read(digest) for _, _, digest in rows])
    assert all([await database.read(mailstore.is_referenced, digest) for _, _, digest in rows])


async def test_a_copy_takes_all_its_keywords_or_none(database, blobs, account, other, put) -> None:
    uid = await put(keywords=("$Work", "$Home"))
    source, target = (await box(database, account)).id, (await box(database, other)).id
    there = Target(other, target, ALL_BITS)
    await database.write(copy_across, blobs, account, source, there, [(uid, uid)], NOW)
    others = FlagChange(set_keywords=tuple(f"k{number}" for number in range(56)))
    for change in (FlagChange(clear_keywords=("$Work", "$Home")), others):
        await database.write(mailstore.store_flags, other, target, [(1, 1)], change, now=NOW)
    with pytest.raises(TooManyKeywords):  # one of 57 is free, and two are needed
        await database.write(copy_across, blobs, account, source, there, [(uid, uid)], NOW)


async def test_a_move_across_accounts_can_be_undone_by_its_owner(database, blobs, account, other, put) -> None:
    uid = await put(flags=Flag.DELETED)
    source, target = await box(database, account), await box(database, other)
    there = Target(other, target.id, ALL_BITS)
    await database.write(move_across, blobs, account, source.id, there, [(uid, uid)], NOW)
    assert (await box(database, account)).messages == 0
    assert (await box(database, other)).deleted == 0
    assert (await database.read(mailstore.usage, account)).used_messages == 0
    [(message, *_)] = await database.read(mailstore.removed_messages, account, 0)
    assert await database.write(mailstore.restore_removed, account, [message], NOW) == 1


async def test_a_full_account_takes_no_copies(database, blobs, account, other, put) -> None:
    await put()
    await put()
    source, target = await box(database, account), await box(database, other)
    await database.write(mailstore.set_quota, other, 100_000, 1)
    before = (target, await database.read(mailstore.usage, other))
    for work in (copy_across, move_across):
        with pytest.raises(OverQuota):
            await database.write(work, blobs, account, source.id, Target(other, target.id, ALL_BITS), [(1, 9)], NOW)
    assert (await box(database, other), await database.read(mailstore.usage, other)) == before
    assert (await box(database, account)).messages == 2


async def test_two_accounts_that_copy_to_each_other_never_wait_for_each_other(
    database, blobs, account, other, put
) -> None:
    await put()
    mine, theirs = await box(database, account), await box(database, other)
    await database.write(copy_across, blobs, account, mine.id, Target(other, theirs.id, ALL_BITS), [(1, 1)], NOW)

    async def there(count: int) -> None:
        for _ in range(count):
            place = Target(other, theirs.id, ALL_BITS)
            await database.write(copy_across, blobs, account, mine.id, place, [(1, 1)], NOW)

    async def back(count: int) -> None:
        for _ in range(count):
            place = Target(account, mine.id, ALL_BITS)
            await database.write(copy_across, blobs, other, theirs.id, place, [(1, 1)], NOW)

    async with asyncio.timeout(60):
        await asyncio.gather(there(10), back(10), there(10), back(10))
    assert (await box(database, account)).messages == (await box(database, other)).messages == 21


async def test_a_gmail_account_files_a_copy_in_all_mail(database, blobs, account, put) -> None:
    await database.write(mailstore.open_store, OTHER, NOW, 100_000, shows_labels=True)
    uid = await put(flags=Flag.DELETED | Flag.FLAGGED)
    source, target = await box(database, account), await box(database, OTHER)
    there = Target(OTHER, target.id, ALL_BITS)
    copied = await database.write(copy_across, blobs, account, source.id, there, [(uid, uid)], NOW)
    assert list(copied.target_uids) == [1]
    shown = {each.name: each.messages for each in await database.read(mailstore.list_mailboxes, OTHER)}
    assert {name for name, count in shown.items() if count} == {"INBOX", "[Gmail]/All Mail", "[Gmail]/Starred"}
