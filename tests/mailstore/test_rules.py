"""The sharp edges of the mail model, one by one."""

import pytest

from mailhost import mailstore
from mailhost.mailstore import (
    BadMailboxName,
    Flag,
    FlagChange,
    HasChildren,
    Intake,
    MailboxExists,
    MessageTooLarge,
    NeverFits,
    NewMessage,
    NoSuchAccount,
    NoSuchMailbox,
    NulInMessage,
    OverQuota,
    TooManyKeywords,
    TooManyMailboxes,
)
from mailhost.mailstore.account import MODSEQ_JUMP
from mailhost.mailstore.model import MAX_DEPTH, MAX_MAILBOXES, MAX_PLACEMENTS, TooManyPlacements
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from mailhost.storage.errors import BlobMissing
from mailhost.storage.files import DiskFiles
from mailhost.storage.sweep import Sweeper, Swept

NOW = 1_700_000_000
DAY = 86_400


async def inbox(database: Database, account: int) -> mailstore.Mailbox:
    return await database.read(mailstore.find_mailbox, account, "INBOX")


async def test_a_full_account_refuses_and_changes_nothing(database, blobs, account, put, arrive) -> None:
    await put(b"Subject: big\r\n\r\n" + b"x" * 90_000)
    before = await inbox(database, account)
    with pytest.raises(OverQuota):
        await put(b"Subject: big\r\n\r\n" + b"x" * 20_000)
    assert await inbox(database, account) == before
    assert (await database.read(mailstore.usage, account)).used_messages == 1


async def test_removed_messages_do_not_count_but_can_be_undone_for_thirty_days(database, blobs, account, put) -> None:
    uid = await put(b"Subject: keep\r\n\r\nme\r\n", flags=Flag.SEEN)
    box = await inbox(database, account)
    await database.write(mailstore.expunge, account, box.id, [(uid, uid)], NOW, only_deleted=False)
    usage = await database.read(mailstore.usage, account)
    assert usage.used_octets == 0
    assert usage.retained_octets > 0
    [(message, removed_at, _, _)] = await database.read(mailstore.removed_messages, account, NOW - DAY)
    assert removed_at == NOW
    assert await database.write(mailstore.erase_expired, blobs, account, NOW + 29 * DAY) == 0
    assert await database.write(mailstore.restore_removed, account, [message], NOW) == 1
    [row] = await database.read(mailstore.live_rows, account, box.id, 1, 9, ("uid", "flags", "message_id"), 9)
    assert row == (uid + 1, Flag.SEEN, message)


async def test_removed_messages_are_erased_after_thirty_days_and_above_one_quota(database, blobs, account, put) -> None:
    box = await inbox(database, account)
    for number in range(5):
        uid = await put(b"Subject: %d\r\n\r\n" % number + b"y" * 60_000)
        await database.write(mailstore.expunge, account, box.id, [(uid, uid)], NOW + number, only_deleted=False)
    # Five times 60 kB are removed, one quota of 100 kB may stay: the four oldest go.
    assert await database.write(mailstore.erase_expired, blobs, account, NOW + 10) == 4
    assert await database.write(mailstore.erase_expired, blobs, account, NOW + 10) == 0
    assert await database.write(mailstore.erase_expired, blobs, account, NOW + 31 * DAY) == 1
    assert (await database.read(mailstore.usage, account)).retained_octets == 0


async def test_the_sweeper_erases_what_nobody_refers_to(
    database, blobs: Blobs, blob_files: DiskFiles, account, put, arrive
) -> None:
    sweeper = Sweeper(database, blob_files, mailstore.is_referenced)
    box = await inbox(database, account)
    uid = await put(b"Subject: bye\r\n\r\nz\r\n")
    digest = (await arrive(b"Subject: bye\r\n\r\nz\r\n")).blob.digest
    assert await database.read(mailstore.is_referenced, digest)
    await database.write(mailstore.expunge, account, box.id, [(uid, uid)], NOW, only_deleted=False)
    assert await database.read(mailstore.is_referenced, digest)
    await database.write(mailstore.erase_expired, blobs, account, NOW + 31 * DAY)
    assert not await database.read(mailstore.is_referenced, digest)
    assert await sweeper.sweep(NOW + 31 * DAY) == Swept(claimed=1, erased=0)
    assert await blobs.read(digest) == b"Subject: bye\r\n\r\nz\r\n"
    assert await sweeper.sweep(NOW + 32 * DAY) == Swept(claimed=0, erased=1)
    with pytest.raises(BlobMissing):
        await blobs.read(digest)


async def test_a_sent_copy_makes_room_for_the_clients_own(database, blobs, account, put, arrive) -> None:
    content = b"Message-ID: <a@b>\r\nSubject: s\r\n\r\nx\r\n"
    await database.write(mailstore.file_sent_copy, blobs, account, NewMessage(await arrive(content), NOW), NOW)
    uid = await put(content, mailbox="Sent", flags=Flag.SEEN, by_client=True)
    sent = await database.read(mailstore.find_mailbox, account, "Sent")
    assert (uid, sent.messages) == (2, 1)
    # A second APPEND is the client's own business.
    await put(content, mailbox="Sent", by_client=True)
    assert (await database.read(mailstore.find_mailbox, account, "Sent")).messages == 2


async def test_the_fifty_eighth_keyword_takes_the_bit_of_an_unused_one(database, account, put) -> None:
    names = tuple(f"k{number}" for number in range(57))
    uid = await put(keywords=names)
    with pytest.raises(TooManyKeywords):
        await put(keywords=("another",))
    box = await inbox(database, account)
    change = FlagChange(clear_keywords=("K5",))
    await database.write(mailstore.store_flags, account, box.id, [(uid, uid)], change, now=NOW)
    await put(keywords=("another",))
    known = dict(await database.read(mailstore.load_keywords, account))
    assert "another" in known.values()
    assert "k5" not in known.values()


async def test_unchangedsince_leaves_newer_messages_alone(database, account, put) -> None:
    for _ in range(3):
        await put()
    box = await inbox(database, account)
    since = box.highest_modseq
    await database.write(mailstore.store_flags, account, box.id, [(2, 2)], FlagChange(set_flags=Flag.SEEN), now=NOW)
    stored = await database.write(
        mailstore.store_flags,
        account,
        box.id,
        [(1, 3)],
        FlagChange(set_flags=Flag.FLAGGED),
        unchanged_since=since,
        now=NOW,
    )
    assert stored.modified == [2]
    assert [uid for uid, _, _ in stored.changed] == [1, 3]


def trim(tx: Tx, account: int, now: int, **most: int) -> None:
    for overgrown in mailstore.overgrown_logs(tx, account, now, **most):
        while mailstore.trim_log(tx, account, overgrown):
            pass


async def test_changes_are_told_after_the_log_was_trimmed(database, account, put) -> None:
    for _ in range(3):
        await put()
    box = await inbox(database, account)
    since = box.highest_modseq

    def flip(tx: Tx) -> None:
        for turn in range(50):
            change = FlagChange(set_flags=1) if turn % 2 else FlagChange(clear_flags=1, set_flags=4)
            mailstore.store_flags(tx, account, box.id, [(2, 2)], change, wants_rows=False, now=NOW)
        trim(tx, account, NOW, most_changes=10)

    await database.write(flip)
    news = await database.read(mailstore.changes, account, box.id, since, box.uid_next)
    assert [uid for uid, _, _ in news.flags] == [2]


async def test_old_tombstones_go_and_the_mailbox_says_so(database, account, put) -> None:
    uid = await put()
    box = await inbox(database, account)
    trash = await database.read(mailstore.find_mailbox, account, "Trash")
    await database.write(mailstore.move, account, box.id, trash.id, [(uid, uid)], NOW)
    await database.write(trim, account, NOW + 31 * DAY)
    rows = await database.read(mailstore.expunged_rows, account, box.id, (1, 9), ("uid",), 0)
    assert rows == []


async def test_only_what_a_session_was_not_told_of_is_read_from_tombstones(database, account, put) -> None:
    uids = [await put() for _ in range(3)]
    trash = await database.read(mailstore.find_mailbox, account, "Trash")
    box = await inbox(database, account)
    for uid in uids[:2]:
        box = await inbox(database, account)  # as a session sees it that opens it now
        await database.write(mailstore.move, account, box.id, trash.id, [(uid, uid)], NOW)
    rows = await database.read(
        mailstore.expunged_rows, account, box.id, (1, 9), ("uid", "envelope"), box.highest_modseq
    )
    assert [row[0] for row in rows] == [uids[1]]


async def test_what_was_purged_once_stays_purged(database, account, put) -> None:
    first, second = await put(), await put()
    box = await inbox(database, account)
    trash = await database.read(mailstore.find_mailbox, account, "Trash")
    await database.write(mailstore.move, account, box.id, trash.id, [(first, first)], NOW)
    await database.write(mailstore.move, account, box.id, trash.id, [(second, second)], NOW)

    def purged_below(tx: Tx) -> int:
        [(modseq,)] = tx.execute("select purged_below from mailbox where account_id = 1 and name = 'INBOX'")
        return int(modseq)

    await database.write(trim, account, NOW + 31 * DAY)
    before = await database.read(purged_below)
    await database.write(trim, account, NOW + 32 * DAY)
    assert await database.read(purged_below) == before


async def test_rename_subscribe_and_copy_end_somewhere(database, account, put) -> None:
    uid = await put()
    box = await inbox(database, account)

    def fill(tx: Tx) -> None:
        names = [{"name": f"s{number}"} for number in range(MAX_MAILBOXES)]
        tx.execute_many("insert into subscription (account_id, name) values (1, :name)", names)
        [(next_id,)] = tx.execute("select next_mailbox_id from mail_account where account_id = 1")
        tx.execute_many(
            """insert into mailbox (account_id, id, name, uid_validity, uid_next, highest_modseq, messages, unseen,
                deleted, octets, special_use, is_selectable, log_floor, purged_below)
            values (1, :id, :name, 1, 1, 1, 0, 0, 0, 0, '', 1, 1, 1)""",
            [{"id": next_id + number, "name": f"m{number}"} for number in range(MAX_MAILBOXES - MAX_DEPTH)],
        )

    await database.write(fill)
    with pytest.raises(TooManyMailboxes):
        await database.write(mailstore.subscribe, account, "one more")
    with pytest.raises(TooManyMailboxes):
        await database.write(mailstore.rename_mailbox, account, "Archive", "a" + "/b" * (MAX_DEPTH - 1))
    await database.write(mailstore.rename_mailbox, account, "Archive", "Old")
    await database.write(lambda tx: tx.execute("update mailbox set messages = :most where id = 1", most=MAX_PLACEMENTS))
    with pytest.raises(TooManyPlacements):
        await database.write(mailstore.copy, account, box.id, box.id, [(uid, uid)], NOW)


async def test_a_message_with_much_structure_is_known_without_a_walk(database, account, put) -> None:
    await put()
    assert await database.read(mailstore.rows.rows_at_once, account, ("envelope",), 1000) == 1000
    await put(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n\r\n" * 1_000)
    assert await database.read(mailstore.rows.rows_at_once, account, ("envelope",), 1000) == 10
    assert await database.read(mailstore.rows.rows_at_once, account, ("flags",), 1000) == 1000

    def plan(tx: Tx) -> str:
        statement = """select 1 from message where account_id = 1
            and length(envelope) + length(bodystructure) + length(fields) > 32768 limit 1"""
        return str(tx.execute(f"explain query plan {statement}"))

    if database.engine == "sqlite":
        assert "message_heavy" in await database.read(plan)


async def test_expunge_in_steps_removes_the_first_and_counts_them(database, account, put) -> None:
    for _ in range(5):
        await put(flags=Flag.DELETED)
    box = await inbox(database, account)
    for expected in ([1, 2], [3, 5], []):
        ranges = [(1, 1), (2, 3), (5, 9)]
        assert await database.write(mailstore.expunge, account, box.id, ranges, NOW, limit=2) == expected
    assert (await inbox(database, account)).messages == 1
    assert (await database.read(mailstore.usage, account)).used_messages == 1


async def test_names_that_cannot_be_mailboxes(database, account) -> None:
    for name in ("", "a//b", "/a", " a", "a ", "a/ b", "x" * 1025, "a*", "b%", "c\x07", "\ud800", "/".join("a" * 40)):
        with pytest.raises(BadMailboxName):
            await database.write(mailstore.create_mailbox, account, name)
    for name in ("inbox", "Sent"):
        with pytest.raises(MailboxExists):
            await database.write(mailstore.create_mailbox, account, name)


async def test_a_deleted_parent_stays_as_a_name_until_its_children_go(database, account, put) -> None:
    await database.write(mailstore.create_mailbox, account, "a/b/c")
    await put(mailbox="a")
    old = await database.read(mailstore.find_mailbox, account, "a")
    await database.write(mailstore.delete_mailbox, account, "a", NOW)
    assert not (await database.read(mailstore.find_mailbox, account, "a")).is_selectable
    with pytest.raises(HasChildren):
        await database.write(mailstore.delete_mailbox, account, "a", NOW)
    await database.write(mailstore.create_mailbox, account, "a")
    new = await database.read(mailstore.find_mailbox, account, "a")
    assert new.uid_validity > old.uid_validity
    assert new.messages == 0


async def test_a_parent_made_anew_is_another_mailbox_and_its_old_messages_can_be_undone(database, account, put) -> None:
    await database.write(mailstore.create_mailbox, account, "Work/2026")
    old = await database.read(mailstore.find_mailbox, account, "Work")
    await put(mailbox="Work")
    await database.write(mailstore.delete_mailbox, account, "Work", NOW)
    new = await database.write(mailstore.create_mailbox, account, "Work")
    assert new.id != old.id
    assert new.uid_validity > old.uid_validity
    await put(mailbox="Work")
    with pytest.raises(NoSuchMailbox):
        await database.write(mailstore.expunge, account, old.id, [(1, 1)], NOW, only_deleted=False)
    [(message, *_)] = await database.read(mailstore.removed_messages, account, 0)
    assert await database.write(mailstore.restore_removed, account, [message], NOW) == 1
    assert (await inbox(database, account)).messages == 1


async def test_only_a_whole_level_is_inbox_in_any_case(database, account) -> None:
    await database.write(mailstore.create_mailbox, account, "INBOXold")
    await database.write(mailstore.create_mailbox, account, "INBOX/a")
    assert (await database.read(mailstore.find_mailbox, account, "inbox/a")).name == "INBOX/a"
    with pytest.raises(NoSuchMailbox):
        await database.write(mailstore.delete_mailbox, account, "inboxold", NOW)


async def test_rename_takes_the_children_along_and_keeps_uidvalidity(database, account) -> None:
    await database.write(mailstore.create_mailbox, account, "a/b")
    before = await database.read(mailstore.find_mailbox, account, "a/b")
    await database.write(mailstore.rename_mailbox, account, "a", "x/y")
    after = await database.read(mailstore.find_mailbox, account, "x/y/b")
    assert (after.id, after.uid_validity) == (before.id, before.uid_validity)
    for old, new, error in (("x", "x/y/z", BadMailboxName), ("x", "INBOX", BadMailboxName), ("no", "n", NoSuchMailbox)):
        with pytest.raises(error):
            await database.write(mailstore.rename_mailbox, account, old, new)
    with pytest.raises(MailboxExists):
        await database.write(mailstore.rename_mailbox, account, "x", "Sent")


async def test_a_deleted_special_mailbox_is_made_again_when_needed(database, account) -> None:
    await database.write(mailstore.delete_mailbox, account, "Sent", NOW)
    assert (await database.write(mailstore.find_special, account, "\\Sent")).name == "Sent"


async def test_content_is_normalised_once_whatever_the_split(blobs: Blobs) -> None:
    for chunks in ([b"a\r", b"\nb\nc\r", b"d\r"], [b"a\r\nb\nc\rd\r"], [bytes([octet]) for octet in b"a\r\nb\nc\rd\r"]):
        intake = Intake(blobs, 100, normalise=True)
        for chunk in chunks:
            intake.write(chunk)
        incoming = await intake.finish()
        assert incoming.blob.size == intake.size == len(b"a\r\nb\r\nc\r\nd\r\n")


async def test_nul_and_size_are_refused(blobs: Blobs) -> None:
    intake = Intake(blobs, 10, normalise=True)
    with pytest.raises(MessageTooLarge):
        intake.write(b"x" * 11)
    intake.discard()
    intake = Intake(blobs, 10, normalise=True)
    intake.write(b"a\0b")
    with pytest.raises(NulInMessage):
        await intake.finish()


async def test_a_dropped_account_is_gone_and_an_unclean_stop_passes_every_modseq(database, blobs, account, put) -> None:
    await put()
    before = (await inbox(database, account)).highest_modseq
    await database.write(mailstore.jump_modseqs)
    await put()
    assert (await inbox(database, account)).highest_modseq > before + MODSEQ_JUMP
    await database.write(mailstore.close_store, account)
    with pytest.raises(NoSuchAccount):
        await database.read(mailstore.usage, account)
    with pytest.raises(NoSuchAccount):
        await put()
    while await database.write(mailstore.erase_closed, blobs, account):
        pass
    with pytest.raises(NoSuchMailbox):
        await inbox(database, account)


async def test_a_quota_of_messages_counts_each_message_once(database, blobs, account, put) -> None:
    await database.write(mailstore.set_quota, account, 100_000, 2)
    await put()
    uid = await put()
    box = await inbox(database, account)
    await database.write(mailstore.copy, account, box.id, box.id, [(uid, uid)], NOW)  # copies are no new messages
    with pytest.raises(OverQuota):
        await put()
    await database.write(mailstore.expunge, account, box.id, [(1, 9)], NOW, only_deleted=False)
    await put()
    await put()
    removed = await database.read(mailstore.removed_messages, account, 0)
    with pytest.raises(OverQuota):
        await database.write(mailstore.restore_removed, account, [removed[0][0]], NOW)
    with pytest.raises(NeverFits):
        await put(b"x" * 100_001)


async def test_keywords_follow_a_message_into_its_copies_and_back_from_removal(database, account, put) -> None:
    uid = await put()
    box = await inbox(database, account)
    archive = await database.read(mailstore.find_mailbox, account, "Archive")
    await database.write(mailstore.copy, account, box.id, archive.id, [(uid, uid)], NOW)
    change = FlagChange(set_keywords=("$Work",), set_flags=Flag.SEEN)
    await database.write(mailstore.store_flags, account, box.id, [(uid, uid)], change, now=NOW)
    [(flags,)] = await database.read(mailstore.live_rows, account, archive.id, 1, 9, ("flags",), 9)
    assert flags == Flag.SEEN | 1 << 6
    for mailbox in (box, archive):
        await database.write(mailstore.expunge, account, mailbox.id, [(1, 9)], NOW, only_deleted=False)
    [(message, *_)] = await database.read(mailstore.removed_messages, account, 0)
    await database.write(mailstore.restore_removed, account, [message], NOW)
    [(flags,)] = await database.read(mailstore.live_rows, account, archive.id, 1, 9, ("flags",), 9)
    assert flags == Flag.SEEN | 1 << 6
