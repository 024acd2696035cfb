"""What a process knows of a mailbox is what its rows say, however it came there and however much was let go."""

import asyncio
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost import mailstore
from mailhost.mailstore.changes import repeatable_changes
from mailhost.mailstore.flags import load_keywords
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.mailstore.known import Detail, KnownMailbox, Moved, Packed, whole_order
from mailhost.mailstore.lanes import change_lanes
from mailhost.mailstore.model import MAX_UID, RETENTION_SECONDS, Flag
from mailhost.mailstore.ranges import holds
from mailhost.mailstore.sift import ARRIVED, MESSAGE_ID, OCTETS
from mailhost.mailstore.store import FlagChange

NOW = 1_700_000_000
FLAGS = (FlagChange(set_flags=1), FlagChange(clear_flags=1), FlagChange(16, ("$Work",)), FlagChange(replaces=True))
DETAILS = (ARRIVED, MESSAGE_ID, OCTETS)
COLUMNS = ("uid", "flags", "modseq", "internal_date", "message_id", "octets")


async def look(database, account: int, mailbox_id: int) -> list[tuple[int, ...]]:
    return await database.read(mailstore.live_rows, account, mailbox_id, 1, MAX_UID, COLUMNS, 1_000)


async def must_agree(database, known: KnownMailbox | None, account: int, mailbox_id: int, details=()) -> None:
    rows = await look(database, account, mailbox_id)
    assert known is not None
    told = {"uid": known.uids, "flags": known.flags, "modseq": known.modseqs}
    told |= {detail.columns[0]: known.packed(detail) for detail in details}
    for name, column in told.items():
        assert list(column) == [row[COLUMNS.index(name)] for row in rows]
    for detail in details:
        values = list(known.packed(detail))
        assert not known.is_ascending(detail) or values == sorted(values)
        for is_reverse in (False, True):
            order = whole_order(known.order(detail, is_reverse=is_reverse), values, is_reverse=is_reverse)
            assert list(order) == sorted(range(len(values)), key=values.__getitem__, reverse=is_reverse)
            known.keep_order(detail, order, is_reverse=is_reverse)
    for since in {0, *(row[2] for row in rows), known.modseq}:
        for ranges in ([], [(1, MAX_UID)], [(2, 5), (9, 9), (12, 40)]):
            inside = [place for place, row in enumerate(rows) if row[2] > since and holds(ranges, row[0])]
            assert known.changed_since(since, ranges) == inside


async def change(database, put, dice: random.Random, account: int, mailbox_id: int) -> None:
    """Something that happens to mailboxes."""
    rows = await look(database, account, mailbox_id)
    first = dice.randint(1, rows[-1][0] if rows else 1)
    ranges = [(first, first + dice.choice((0, 0, 2, 50)))]
    if dice.random() < 0.5:
        ranges = [(uid, uid + uid % 2) for uid in range(first, first + dice.randint(1, 300), 3)]
    match dice.randint(0, 7):
        case 0 | 1:
            await put(b"Subject: one\r\n\r\n" + b"x" * dice.randint(1, 90), date=NOW + dice.randint(0, 10**6))
        case 2 | 3 | 4:
            since = dice.choice((None, None, dice.choice(rows)[2] if rows else 0))
            wanted = dice.choice(FLAGS)
            await database.write(
                mailstore.store_flags, account, mailbox_id, ranges, wanted, now=NOW, unchanged_since=since
            )
        case 5:
            one = [(first, first)]
            await database.write(mailstore.expunge, account, mailbox_id, one, NOW, only_deleted=False)
        case 6:
            await database.write(mailstore.copy, account, mailbox_id, mailbox_id, [(first, first + 1)], NOW)
        case 7:
            await database.write(mailstore.expunge, account, mailbox_id, [(1, MAX_UID)], NOW)


@pytest.mark.parametrize("seed", range(4))
async def test_known_is_what_the_rows_say(database, account, put, seed: int) -> None:
    dice = random.Random(seed)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    always, seldom, bare = KnownMailboxes(database), KnownMailboxes(database), KnownMailboxes(database)
    for step in range(80):
        await change(database, put, dice, account, inbox.id)
        await must_agree(database, await always.present(account, inbox.id, DETAILS), account, inbox.id, DETAILS)
        if step % 9 == 0:
            some = dice.sample(DETAILS, dice.randint(0, 3))
            await must_agree(database, await seldom.present(account, inbox.id, some), account, inbox.id, some)
    await must_agree(database, await bare.present(account, inbox.id), account, inbox.id)


async def test_who_knew_less_than_tombstones_tell_reads_all_anew(database, account, put) -> None:
    mailboxes = KnownMailboxes(database)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    for _ in range(4):
        await put()
    await mailboxes.present(account, inbox.id)
    await database.write(mailstore.expunge, account, inbox.id, [(2, 3)], NOW, only_deleted=False)
    await database.write(forget, account)
    known = await mailboxes.present(account, inbox.id)
    await must_agree(database, known, account, inbox.id)
    assert known.gone_modseq == known.modseq


def forget(tx, account: int) -> None:
    """Trim the logs when everything in them is old."""
    for overgrown in mailstore.overgrown_logs(tx, account, NOW + RETENTION_SECONDS + 1):
        while mailstore.trim_log(tx, account, overgrown):
            pass


async def test_who_goes_while_values_are_read_is_not_waited_for(database, account, put) -> None:
    """The last ones are gone: what is read is right, and less than was asked for."""
    mailboxes = KnownMailboxes(database)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    for _ in range(4):
        await put()
    known = await mailboxes.present(account, inbox.id)
    await database.write(mailstore.expunge, account, inbox.id, [(3, 4)], NOW, only_deleted=False)
    async with asyncio.timeout(20), known.lock:
        await mailboxes._read_details(known, DETAILS)
    await must_agree(database, known, account, inbox.id, DETAILS)


async def test_what_was_not_asked_for_longest_is_let_go(database, account, put) -> None:
    mailboxes = KnownMailboxes(database, budget=5_000)
    names = ("INBOX", "Sent", "Trash")
    ids = [(await database.read(mailstore.find_mailbox, account, name)).id for name in names]
    for name in names:
        await put(mailbox=name)
    for mailbox_id in (ids[0], ids[1], ids[0], ids[2]):
        assert await mailboxes.present(account, mailbox_id) is not None
        assert mailboxes.octets <= 5_000
    assert [mailboxes.has(account, mailbox_id) for mailbox_id in ids] == [True, False, True]


async def test_one_that_was_let_go_while_it_was_sorted_is_not_counted(database, account, put) -> None:
    mailboxes = KnownMailboxes(database, budget=2_500)
    names = ("INBOX", "Sent")
    ids = [(await database.read(mailstore.find_mailbox, account, name)).id for name in names]
    for name in names:
        await put(mailbox=name)
    sorted_meanwhile = await mailboxes.present(account, ids[0])
    other = await mailboxes.present(account, ids[1])
    mailboxes.make_room(sorted_meanwhile)
    assert [mailboxes.has(account, mailbox_id) for mailbox_id in ids] == [False, True]
    assert mailboxes.octets == other.octets


async def test_one_that_could_not_be_read_whole_is_not_kept_uncounted(database, account, put) -> None:
    mailboxes = KnownMailboxes(database)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    await put()
    broken = Detail("nonsense", ("no_such_column",), ARRIVED.make, 8)
    with pytest.raises(Exception, match="no_such_column"):
        await mailboxes.present(account, inbox.id, [broken])
    assert not mailboxes.has(account, inbox.id)
    assert mailboxes.octets == 0


async def test_one_too_large_is_left_to_the_rows(database, account, put) -> None:
    mailboxes = KnownMailboxes(database, budget=100)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    for _ in range(3):
        await put()
    assert await mailboxes.present(account, inbox.id) is None
    assert not mailboxes.has(account, inbox.id)
    assert mailboxes.octets == 0


async def test_one_that_is_deleted_is_forgotten(database, account, put) -> None:
    mailboxes = KnownMailboxes(database)
    await put(mailbox="Sent")
    sent = await database.read(mailstore.find_mailbox, account, "Sent")
    assert await mailboxes.present(account, sent.id) is not None
    await database.write(mailstore.delete_mailbox, account, "Sent", NOW)
    assert await mailboxes.present(account, sent.id) is None
    assert mailboxes.octets == 0


async def test_many_who_ask_at_once_get_one_present(database, account, put) -> None:
    mailboxes = KnownMailboxes(database)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    for round_ in range(5):
        await put()
        asked = [mailboxes.present(account, inbox.id, DETAILS[: number % 4]) for number in range(20)]
        found = await asyncio.gather(*asked)
        assert {id(known) for known in found} == {id(found[0])}
        assert len(found[0].uids) == round_ + 1


async def test_keywords_of_all_bits_are_kept(database, account, put) -> None:
    words = tuple(f"k{number}" for number in range(57))
    await put(keywords=words)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    known = await KnownMailboxes(database).present(account, inbox.id)
    assert known.flags[0] == sum(1 << bit for bit, _ in await database.read(load_keywords, account))


async def test_what_was_stored_is_repeated_without_a_look_at_rows(database, account, put) -> None:
    mailboxes = KnownMailboxes(database)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    for _ in range(30):
        await put()
    known = await mailboxes.present(account, inbox.id)
    for wanted in FLAGS:
        ranges = [(2, 2), (5, 9), (20, 20)]
        await database.write(mailstore.store_flags, account, inbox.id, ranges, wanted, now=NOW)
    done = await database.read(repeatable_changes, account, inbox.id, known.modseq, known.uid_next, 100)
    assert [list(each.ranges) for each in done] == [ranges] * len(FLAGS)
    assert await database.read(repeatable_changes, account, inbox.id, known.modseq, known.uid_next, 27) is None
    await must_agree(database, await mailboxes.present(account, inbox.id), account, inbox.id)


async def test_long_ranges_are_repeated_together(database, account, put) -> None:
    mailboxes = KnownMailboxes(database)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    for number in range(100):
        await put(keywords=("third",) if number % 3 == 0 else ())
    await database.write(mailstore.expunge, account, inbox.id, [(7, 7), (50, 52)], NOW, only_deleted=False)
    known = await mailboxes.present(account, inbox.id)
    for wanted in (
        FlagChange(set_keywords=("third",)),  # some have it
        FlagChange(set_keywords=("third",)),  # all have it
        FlagChange(clear_keywords=("third",)),
        FlagChange(set_flags=int(Flag.ANSWERED), replaces=True),
        FlagChange(set_flags=int(Flag.ANSWERED | Flag.FLAGGED)),  # each gets but one of the two
        FlagChange(clear_keywords=("nobody",)),
    ):
        await database.write(mailstore.store_flags, account, inbox.id, [(2, 60), (62, 62), (65, 99)], wanted, now=NOW)
        done = await database.read(repeatable_changes, account, inbox.id, known.modseq, known.uid_next, 1_000)
        assert done is not None
        await must_agree(database, await mailboxes.present(account, inbox.id), account, inbox.id)


@given(st.data())
def test_lanes_change_as_single_flags_do(data) -> None:
    bits = st.integers(0, (1 << 63) - 1)
    flags = data.draw(st.lists(bits | st.just(0), min_size=1, max_size=40))
    clear_mask, set_mask = data.draw(bits | st.just(0)), data.draw(bits | st.just(0))
    clear_mask &= ~set_mask
    new, differs = change_lanes(array("Q", flags), clear_mask, set_mask)
    assert list(new) == [old & ~clear_mask | set_mask for old in flags]
    changed = [after != before for before, after in zip(flags, new, strict=True)]
    assert [bool(each) for each in differs] == changed if differs is not None else all(changed)


def test_the_log_is_cut_where_it_costs_more_than_to_look() -> None:
    known = KnownMailbox(1, 1)
    everything = Packed(array("I", range(1, 401)), array("Q", [0]) * 400, array("Q", [5]) * 400)
    known.move(Moved(5, 401, 0, (), (), (), [everything], is_whole=True))
    for modseq in range(6, 30):
        uids = array("I", range(modseq, modseq + 20))
        changed = Packed(uids, array("Q", [1]) * 20, array("Q", [modseq]) * 20)
        known.move(Moved(modseq, 401, 0, (), (), [changed], (), is_whole=False))
        for since in range(4, modseq + 1):
            after = [place for place in range(400) if known.modseqs[place] > since]
            assert known.changed_since(since, [(1, 400)]) == after
    assert known.octets < 2_048 + 400 * 20 + 4 * 200
