"""Rules of the gmail layout that one example shows best."""

import asyncio
import re
from collections.abc import Awaitable

import pytest

from mailhost import mailstore
from mailhost.mailstore import BadMailboxName, Flag, FlagChange, NewMessage
from mailhost.mailstore.labelling import LabelChange, LabelMode, label_names, store_labels
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Row, Tx, Value
from tests.mailstore.labelled import check_labels, placements_of

NOW = 1_700_000_000


@pytest.fixture
async def labelled(database: Database) -> int:
    await database.write(mailstore.open_store, 1, NOW, 100_000, shows_labels=True)
    return 1


def shown(tx: Tx, account: int) -> list[list[str]]:
    """The labels of each message, by its id."""
    check_labels(tx, account)
    names = label_names(tx, account)
    return [
        sorted(names[box] for box in places if box in names) for _, places in sorted(placements_of(tx, account).items())
    ]


async def put(database: Database, blobs: Blobs, account: int, incoming: mailstore.Incoming, box: str) -> None:
    def work(tx: Tx) -> None:
        target = mailstore.find_mailbox(tx, account, box)
        mailstore.append_from_client(tx, blobs, account, target.id, [NewMessage(incoming, NOW)], NOW)

    await database.write(work)


async def test_a_clients_sent_copy_takes_the_place_of_ours(database, blobs, labelled, arrive) -> None:
    incoming = await arrive(b"Message-ID: <a@example.org>\r\n\r\nHello\r\n")
    other = await arrive(b"Message-ID: <a@example.org>\r\nX-Own: 1\r\n\r\nHello\r\n")
    await database.write(mailstore.file_sent_copy, blobs, labelled, NewMessage(incoming, NOW), NOW)
    assert await database.read(shown, labelled) == [["\\Sent"]]
    await put(database, blobs, labelled, other, "[Gmail]/Sent Mail")
    assert await database.read(shown, labelled) == [["\\Sent"]]
    [message] = await database.read(placements_of, labelled)
    assert message == 2


async def test_a_delivered_message_that_is_read_and_appended_only_gets_the_label(
    database, blobs, labelled, arrive
) -> None:
    trace = (
        b"Return-Path: <r@example.org>\r\nDelivered-To: a@example.test\r\nReceived: from b\r\n\tby c;\r\n\t1 Jan\r\n"
    )
    content = b"Subject: one\r\n\r\n" + b"Hello\r\n" * 1_000
    inbox = await database.read(mailstore.find_mailbox, labelled, "INBOX")
    message = NewMessage(await arrive(content), NOW, trace)
    await database.write(mailstore.append, blobs, labelled, inbox.id, [message], NOW)
    for size in (1, 50, 10_000):
        intake = mailstore.Intake(blobs, 1_000_000, normalise=True)
        for place in range(0, len(trace + content), size):
            intake.write((trace + content)[place : place + size])
        await put(database, blobs, labelled, await intake.finish(), "[Gmail]/Drafts")
    assert await database.read(shown, labelled) == [["\\Draft", "\\Inbox"]]
    # of what came by another way, or has fields in front that are not ours, nothing is known
    for other in (trace.replace(b"from b", b"from d"), b"X: y\r\n" + trace, trace + b"\tmore\r\n"):
        await put(database, blobs, labelled, await arrive(other + content), "INBOX")
    assert await database.read(shown, labelled) == [["\\Draft", "\\Inbox"], *[["\\Inbox"]] * 3]


class Watching:
    """Lets statements through and notes where SQLite would look for rows."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self.engine = tx.engine
        self.wake = tx.wake
        self.seen: list[str] = []

    def execute(self, sql: str, /, **parameters: Value) -> list[Row]:
        if self.engine == "sqlite":
            self.seen += (str(row[3]) for row in self.tx.execute("explain query plan " + sql, **parameters))
        return self.tx.execute(sql, **parameters)

    def change(self, sql: str, /, **parameters: Value) -> int:
        self.execute("select 1")
        return self.tx.change(sql, **parameters)


async def test_what_is_done_with_one_message_looks_at_no_other(database, blobs, labelled, arrive) -> None:
    incoming = await arrive()

    def work(tx: Tx) -> list[str]:
        inbox, drafts, trash, all_mail = (
            mailstore.find_mailbox(tx, labelled, name).id
            for name in ("INBOX", "[Gmail]/Drafts", "[Gmail]/Trash", "[Gmail]/All Mail")
        )
        watching = Watching(tx)
        for _ in range(2):  # the second time it is there
            mailstore.append_from_client(watching, blobs, labelled, inbox, [NewMessage(incoming, NOW)], NOW)
        change = FlagChange(set_flags=Flag.FLAGGED)
        mailstore.store_flags(watching, labelled, inbox, [(2, 2)], change, now=NOW)
        for mode in LabelMode:
            wanted = LabelChange(mode, ("\\Important", "\\Starred", "\\Draft", "work"))
            store_labels(watching, labelled, all_mail, [(1, 1)], wanted, now=NOW)
        mailstore.copy(watching, labelled, all_mail, drafts, [(1, 1)], NOW)
        mailstore.expunge(watching, labelled, drafts, [(1, 9)], NOW, only_deleted=False)
        mailstore.move(watching, labelled, all_mail, trash, [(1, 1)], NOW)
        mailstore.expunge(watching, labelled, trash, [(1, 1)], NOW, only_deleted=False)
        return watching.seen

    seen = await database.write(work)
    assert [
        line for line in seen if re.match(r"(SCAN|SEARCH) (message|placement)\b(?!.*\(account_id=\? AND|.*blob=)", line)
    ] == []
    assert await database.read(shown, labelled) == []


async def test_what_was_trashed_is_not_the_twin_of_what_arrives(database, blobs, labelled, arrive) -> None:
    incoming = await arrive()
    await put(database, blobs, labelled, incoming, "[Gmail]/Trash")
    await put(database, blobs, labelled, incoming, "INBOX")
    await put(database, blobs, labelled, incoming, "[Gmail]/Trash")
    await put(database, blobs, labelled, incoming, "[Gmail]/Sent Mail")
    assert await database.read(shown, labelled) == [["\\Trash"], ["\\Inbox", "\\Sent"], ["\\Trash"]]
    assert (await database.read(mailstore.usage, labelled)).used_messages == 3


async def test_all_labels_a_message_had_last_come_back(database, blobs, labelled, arrive) -> None:
    incoming = await arrive()
    await put(database, blobs, labelled, incoming, "INBOX")
    await put(database, blobs, labelled, incoming, "[Gmail]/Starred")

    def erase(tx: Tx) -> None:
        inbox = mailstore.find_mailbox(tx, labelled, "INBOX")
        mailstore.expunge(tx, labelled, inbox.id, [(1, 1)], NOW, only_deleted=False, everywhere=True)
        assert not placements_of(tx, labelled)

    await database.write(erase)
    assert await database.write(mailstore.restore_removed, labelled, [1], NOW) == 1
    assert await database.read(shown, labelled) == [["\\Inbox", "\\Starred"]]
    inbox = await database.read(mailstore.find_mailbox, labelled, "INBOX")
    assert (inbox.uid_next, inbox.messages) == (3, 1)


async def test_a_message_whose_label_is_gone_comes_back_to_all_mail(database, blobs, labelled, arrive) -> None:
    incoming = await arrive()

    def work(tx: Tx) -> None:
        work = mailstore.create_mailbox(tx, labelled, "work")
        mailstore.append(tx, blobs, labelled, work.id, [NewMessage(incoming, NOW, flags=Flag.FLAGGED)], NOW)
        mailstore.expunge(tx, labelled, work.id, [(1, 1)], NOW, only_deleted=False, everywhere=True)
        mailstore.delete_mailbox(tx, labelled, "work", NOW)
        mailstore.restore_removed(tx, labelled, [1], NOW)

    await database.write(work)
    assert await database.read(shown, labelled) == [["\\Starred"]]


async def test_trash_and_spam_are_emptied_after_thirty_days(database, blobs, labelled, arrive) -> None:
    incoming = await arrive()
    for box in ("[Gmail]/Trash", "[Gmail]/Spam", "INBOX"):
        await put(database, blobs, labelled, incoming, box)
    assert await database.read(mailstore.accounts_with_labels) == [labelled]
    await database.write(mailstore.empty_ends, labelled, NOW + 30 * 86_400 - 1)
    assert await database.read(shown, labelled) == [["\\Trash"], ["\\Spam"], ["\\Inbox"]]
    await database.write(mailstore.empty_ends, labelled, NOW + 30 * 86_400)
    assert await database.read(shown, labelled) == [["\\Inbox"]]
    removed = await database.read(mailstore.removed_messages, labelled, NOW)
    assert sorted(row[0] for row in removed) == [1, 2]


@pytest.mark.parametrize("name", ["a  b", " a", "a /b", "up^", "[Gmail]", "[Gmail]/Mine", "INBOX"])
async def test_names_no_label_can_have(database, labelled, name: str) -> None:
    with pytest.raises((BadMailboxName, mailstore.MailboxExists)):
        await database.write(mailstore.create_mailbox, labelled, name)


async def test_a_delivery_costs_classic_accounts_no_query_more(database, blobs, labelled, arrive) -> None:
    counts = {}
    incoming = await arrive()
    await database.write(mailstore.open_store, 2, NOW, 100_000)

    class Counting:
        """Counts statements on their way through."""

        def __init__(self, tx: Tx) -> None:
            self.tx = tx
            self.engine = tx.engine
            self.count = 0

        def execute(self, sql: str, /, **parameters):
            self.count += 1
            return self.tx.execute(sql, **parameters)

        def wake(self, topic: str) -> None:
            self.tx.wake(topic)

    def deliver(tx: Tx, account: int) -> None:
        inbox = mailstore.find_mailbox(tx, account, "INBOX")
        counting = Counting(tx)
        mailstore.append(counting, blobs, account, inbox.id, [NewMessage(incoming, NOW)] * 10, NOW)
        counts[account] = counting.count

    for account in (1, 2):
        await database.write(deliver, account)
    assert counts[2] <= 2 + 10 * 3  # admit, UIDs; blob, message and placement of each


async def test_a_label_that_several_sessions_make_at_once_is_one(database, blobs, labelled, arrive) -> None:
    for number in range(8):
        await put(database, blobs, labelled, await arrive(b"Subject: %d\r\n\r\n" % number), "INBOX")
    inbox = await database.read(mailstore.find_mailbox, labelled, "INBOX")

    def store(uid: int, name: str) -> Awaitable[object]:
        change = LabelChange(LabelMode.ADD, (name,))
        return database.write(store_labels, labelled, inbox.id, [(uid, uid)], change, now=NOW)

    for name in ("work", "a/b", "Trash"):
        await asyncio.gather(*(store(uid, name) for uid in range(1, 9)))
    assert await database.read(shown, labelled) == [["[IMAP]/Trash", "\\Inbox", "a/b", "work"]] * 8


async def test_copies_of_what_is_sent_at_once_make_one_mailbox(database, blobs, account, arrive) -> None:
    await database.write(mailstore.delete_mailbox, account, "Sent", NOW)
    copies = [NewMessage(await arrive(b"Subject: %d\r\n\r\n" % number), NOW) for number in range(8)]
    await asyncio.gather(*(database.write(mailstore.file_sent_copy, blobs, account, each, NOW) for each in copies))
    assert (await database.read(mailstore.find_mailbox, account, "Sent")).messages == 8
