"""Conversations: which thread a message gets, that it keeps it, and that nobody pays who does not ask."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost import mailstore
from mailhost.mailstore import conversations
from mailhost.mailstore.conversations import complete_threads, tidy_threads
from mailhost.mailstore.named import identified
from mailhost.protocols.imap.objects import ObjectId
from mailhost.protocols.imap.search import EmailIs, ThreadIs
from mailhost.storage.database import Database, Tx
from tests.mailstore.labelled import set_layout

NOW = 1_700_000_000
DAY = 86_400
ANN, BOB = "ann@a.test", "bob@b.test"


def letter(subject: str, name: str = "", answers: str = "", sender: str = ANN, to: str = BOB) -> bytes:
    head = [f"From: {sender}", f"To: {to}", f"Subject: {subject}"]
    head += [f"Message-ID: <{name}@x>"] if name else []
    head += ["References: " + " ".join(f"<{each}@x>" for each in answers.split())] if answers else []
    return ("\r\n".join(head) + "\r\n\r\nbody\r\n").encode()


async def threads(database: Database, account: int) -> list[int]:
    """The thread of each message, by message id."""
    await complete_threads(database, account)

    def work(tx: Tx) -> list[int]:
        rows = tx.execute(
            "select thread_id from thread where account_id = :account order by message_id", account=account
        )
        return [thread_id for (thread_id,) in rows]

    return await database.read(work)


async def test_answers_join_what_they_answer(database, account, put) -> None:
    await put(letter("Lunch", "1"))
    await put(letter("Re: Lunch", "2", "1", BOB, ANN))
    await put(letter("Dinner", "3", "1 2", BOB, ANN))  # about something else: a new conversation
    await put(letter("Re: Dinner", "4", "1 2 3"))
    await put(letter("Lunch", "5"))  # not an answer
    await put(letter("AW: Lunch", "6", "2"))
    await put(letter("Lunch", "1"))  # once more, as when a list sends back what was sent
    assert await threads(database, account) == [1, 1, 3, 3, 5, 1, 1]


async def test_brothers_meet_although_what_they_answer_never_came(database, account, put) -> None:
    await put(letter("Re: Lunch", "2", "1", BOB, ANN))
    await put(letter("Re: Lunch", "3", "1", "carl@c.test", ANN))
    await put(letter("Lunch", "1"))  # and now it comes
    assert await threads(database, account) == [1, 1, 1]


async def test_a_late_message_joins_the_older_thread_and_moves_nobody(database, account, put) -> None:
    await put(letter("x", "a"))
    await put(letter("x", "b", sender="carl@c.test"))
    assert await threads(database, account) == [1, 2]
    await put(letter("Re: x", "c", "b a"))
    assert await threads(database, account) == [1, 2, 1]
    await put(letter("Re: x", "d", "b"))
    await put(letter("Re: x", "e", "b a c"))
    assert await threads(database, account) == [1, 2, 1, 2, 1]


async def test_without_ids_the_same_people_go_on_under_a_subject_for_a_month(database, account, put) -> None:
    await put(letter("Lunch", "1"), date=NOW)
    await put(letter("Re: Lunch", "2", sender=BOB, to=ANN), date=NOW + 29 * DAY)
    await put(letter("Re: Lunch", "3", "gone"), date=NOW + 58 * DAY)  # a month after the last, not after the first
    await put(letter("Re: Lunch", "4", to="carl@c.test"), date=NOW + 58 * DAY)
    await put(letter("Lunch", "5"), date=NOW + 58 * DAY)
    await put(letter("Re: Lunch", "6"), date=NOW + 58 * DAY)
    await put(letter("Re: Lunch", "7"), date=NOW + 89 * DAY)
    await put(letter("Re: ", ""), date=NOW)
    assert await threads(database, account) == [1, 1, 1, 4, 5, 5, 7, 8]


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_copy_that_a_change_of_layout_parts_stays_in_the_thread(database, account, put, is_known) -> None:
    await put(letter("Lunch"))  # without an id, the same again would begin a thread of its own
    await put(letter("Lunch"))
    if is_known:
        assert await threads(database, account) == [1, 2]
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    trash = await database.read(mailstore.find_mailbox, account, "Trash")
    for target in (inbox, trash):
        await database.write(mailstore.copy, account, inbox.id, target.id, [(1, 1)], NOW)
    await database.write(set_layout, account, mailstore.Layout.GMAIL, NOW)
    assert await threads(database, account) == [1, 2, 1, 1]


async def test_a_thread_is_kept_by_copy_move_and_undelete_and_ends_with_its_last_message(
    database, blobs, account, put
) -> None:
    inbox, archive = [await database.read(mailstore.find_mailbox, account, name) for name in ("INBOX", "Archive")]
    await put(letter("Lunch", "1"))
    await put(letter("Re: Lunch", "2", "1"))
    assert await threads(database, account) == [1, 1]
    await database.write(mailstore.copy, account, inbox.id, archive.id, [(1, 1)], NOW)
    await database.write(mailstore.move, account, inbox.id, archive.id, [(2, 2)], NOW)
    await database.write(mailstore.expunge, account, inbox.id, [(1, 9)], NOW, only_deleted=False)
    await database.write(mailstore.expunge, account, archive.id, [(1, 9)], NOW, only_deleted=False)
    assert await database.write(mailstore.restore_removed, account, [1], NOW) == 1
    assert await threads(database, account) == [1, 1]
    rows = await database.read(mailstore.live_rows, account, archive.id, 1, 9, ("message_id", "thread_id"), 9)
    assert rows == [(1, 1)]
    while await database.write(mailstore.erase_expired, blobs, account, NOW, everything=True):
        pass
    assert await threads(database, account) == [1]

    def keys(tx: Tx) -> int:
        return tx.execute("select count(*) from thread_key")[0][0]

    before = await database.read(keys)
    await tidy_threads(database, account)
    assert await database.read(keys) == before
    await database.write(mailstore.expunge, account, archive.id, [(1, 9)], NOW, only_deleted=False)
    while await database.write(mailstore.erase_expired, blobs, account, NOW, everything=True):
        pass
    await tidy_threads(database, account)
    assert await database.read(keys) == 0
    await put(letter("Re: Lunch", "3", "1 2"))
    assert await threads(database, account) == [3]


async def test_ids_name_messages_of_their_own_account_only(database, account, put) -> None:
    await put(letter("Lunch", "1"))
    await put(letter("Re: Lunch", "2", "1"))
    await complete_threads(database, account)
    keys = [
        EmailIs(ObjectId(account, 2)),
        EmailIs(ObjectId(7, 2)),
        ThreadIs(ObjectId(None, 1)),
        ThreadIs(ObjectId(7, 1)),
    ]
    found = await database.read(identified, account, keys)
    assert [set(found[key].ids) for key in keys] == [{2}, set(), {1, 2}, set()]


async def test_what_has_a_thread_is_not_looked_at_again(database, account, put, monkeypatch) -> None:
    await put(letter("Lunch", "1"))
    await complete_threads(database, account)
    modseq = await database.read(mailstore.highest_modseq, account, 1)
    written = []
    monkeypatch.setattr(database, "write", lambda *call: written.append(call))
    await complete_threads(database, account)
    assert not written
    assert await database.read(mailstore.highest_modseq, account, 1) == modseq


async def test_a_removed_account_takes_its_threads_along(database, blobs, account, put) -> None:
    await put(letter("Lunch", "1"))
    await complete_threads(database, account)
    await database.write(mailstore.close_store, account)
    while await database.write(mailstore.erase_closed, blobs, account):
        pass
    await complete_threads(database, account)

    def left(tx: Tx) -> int:
        return sum(tx.execute(f"select count(*) from {table}")[0][0] for table in ("thread", "thread_key"))

    assert await database.read(left) == 0


LETTERS = st.lists(
    st.builds(
        letter,
        st.sampled_from(["x", "Re: x", "y", "Re: y", ""]),
        st.sampled_from(["1", "2", "3", "4", ""]),
        st.lists(st.sampled_from(["1", "2", "3", "4", "5"]), max_size=2).map(" ".join),
        st.sampled_from([ANN, BOB]),
        st.sampled_from([ANN, BOB]),
    ),
    min_size=1,
    max_size=8,
)


@given(letters=LETTERS, stops=st.sets(st.integers(0, 7)), batch=st.integers(1, 4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_it_makes_no_difference_when_threads_are_made(
    database, blobs, arrive, monkeypatch: pytest.MonkeyPatch, letters, stops, batch
) -> None:
    """Two accounts with the same mail, one looked at often and in small batches, one at the end."""
    often, late = await database.write(_two_more)
    for number, content in enumerate(letters):
        for account in (often, late):
            inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
            message = mailstore.NewMessage(await arrive(content), NOW + number)
            await database.write(mailstore.append, blobs, account, inbox.id, [message], NOW)
        if number in stops:
            monkeypatch.setattr(conversations, "_BATCH", batch)
            await complete_threads(database, often)
            monkeypatch.undo()
    found = await threads(database, often)
    assert found == await threads(database, late)
    assert all(thread <= number for number, thread in enumerate(found, start=1))
    assert all(found[thread - 1] == thread for thread in found)


def _two_more(tx: Tx) -> tuple[int, int]:
    [(last,)] = tx.execute("select coalesce(max(account_id), 1) from mail_account")
    for account in (last + 1, last + 2):
        mailstore.open_store(tx, account, NOW)
    return last + 1, last + 2
