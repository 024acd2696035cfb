"""What a returning client hears of a mailbox: exact while tombstones are kept, never too little afterwards."""

from hypothesis import given
from hypothesis import strategies as st

from mailhost import mailstore
from mailhost.mailstore.model import MAX_UID, RETENTION_SECONDS
from mailhost.mailstore.resync import changed_inside, gaps, inside, last_match, vanished_since

NOW = 1_700_000_000

UIDS = st.sets(st.integers(1, 60)).map(sorted)


def as_set(ranges) -> set[int]:
    return {uid for first, last in ranges for uid in range(first, last + 1)}


def ranges_of(uids) -> list[tuple[int, int]]:
    return mailstore.ranges.as_ranges(sorted(uids))


@given(UIDS, UIDS)
def test_inside_and_gaps_are_the_two_halves_of_a_set(uids, wanted) -> None:
    assert set(inside(uids, ranges_of(wanted))) == set(uids) & set(wanted)
    assert as_set(gaps(uids, iter(ranges_of(wanted)))) == set(wanted) - set(uids)


@given(UIDS, st.sets(st.integers(1, 60)))
def test_nothing_below_the_last_match_was_expunged(before, gone) -> None:
    after = [uid for uid in before if uid not in gone]
    numbers = ranges_of(range(1, len(before) + 1))
    matched = last_match(after, (numbers, ranges_of(before)))
    assert not [uid for uid in before if uid in gone and uid <= matched]
    untouched = [uid for uid in after if uid < min((uid for uid in before if uid in gone), default=99)]
    assert matched == (untouched[-1] if untouched else 0)


async def test_exact_while_tombstones_are_kept_and_complete_after(database, account, put) -> None:
    for _ in range(10):
        await put()
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")

    async def expunge(uid: int, now: int) -> None:
        await database.write(mailstore.expunge, account, inbox.id, [(uid, uid)], now, only_deleted=False)

    async def vanished(since: int, ranges=((1, MAX_UID),), matches=None):
        now = await database.read(mailstore.load_mailbox, account, inbox.id)
        return await database.read(
            vanished_since,
            account,
            inbox.id,
            ranges,
            since=since,
            until=now.highest_modseq,
            uid_next=now.uid_next,
            matches=matches,
        )

    await expunge(2, NOW)
    await expunge(7, NOW)
    middle = (await database.read(mailstore.load_mailbox, account, inbox.id)).highest_modseq
    await expunge(8, NOW + RETENTION_SECONDS + 10)
    assert await vanished(inbox.highest_modseq) == [(2, 2), (7, 8)]
    assert await vanished(inbox.highest_modseq, ((1, 7),)) == [(2, 2), (7, 7)]
    assert await vanished(middle) == [(8, 8)]
    await database.write(mailstore.erase_expired, None, account, NOW, everything=False)
    await database.write(forget, account, NOW + RETENTION_SECONDS + 5)
    assert await vanished(middle) == [(8, 8)]
    assert await vanished(inbox.highest_modseq) == [(2, 2), (7, 8)]
    assert await vanished(inbox.highest_modseq, ((2, 3), (8, 4000))) == [(2, 2), (8, 8)]
    assert await vanished(1, matches=([(1, 4)], [(1, 1), (3, 5)])) == [(7, 8)]
    assert await vanished(1, matches=([(1, 2)], [(1, 2)])) == [(2, 2), (7, 8)]


def forget(tx, account: int, now: int) -> None:
    """Trim the logs."""
    for overgrown in mailstore.overgrown_logs(tx, account, now):
        while mailstore.trim_log(tx, account, overgrown):
            pass


async def test_changes_are_told_of_known_messages_only(database, account, put) -> None:
    for _ in range(6):
        await put()
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    change = mailstore.FlagChange(set_flags=1)
    await database.write_relaxed(mailstore.store_flags, account, inbox.id, [(2, 2), (5, 5)], change, now=NOW)
    await put()
    changed = await database.read(
        changed_inside, account, inbox.id, [(1, 3), (7, 9)], since=inbox.highest_modseq, uid_next=8
    )
    assert [(uid, flags) for uid, _, flags in changed] == [(2, 1), (7, 0)]
