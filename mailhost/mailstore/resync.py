"""What a client that remembers a mailbox must hear to know it again (RFC 7162 §3.2.5, §3.2.6)."""

from collections.abc import Iterator, Sequence
from itertools import chain

from mailhost.mailstore.changes import changed_flags
from mailhost.mailstore.model import UidRange, UidRanges
from mailhost.mailstore.ranges import as_ranges
from mailhost.mailstore.rows import live_rows, live_uids
from mailhost.storage.database import Tx

Matches = tuple[UidRanges, UidRanges]
"""Sequence numbers a client knows, and the UIDs it knows under them, pair by pair."""


def vanished_since(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    ranges: UidRanges,
    *,
    since: int,
    until: int,
    uid_next: int,
    matches: Matches | None = None,
) -> list[UidRange]:
    """The UIDs inside `ranges` and below `uid_next` that were expunged after `since` but not after `until`.

    Where tombstones do not reach back so far, these are all UIDs there that no message had at `until`, and `matches`
    spares the client those it has forgotten already.
    """
    [(purged_below,)] = tx.execute(
        "select purged_below from mailbox where account_id = :account_id and id = :mailbox_id",
        account_id=account_id,
        mailbox_id=mailbox_id,
    )
    if since < purged_below - 1:
        uids = live_uids(tx, account_id, mailbox_id, uid_next, until)
        above = 0 if matches is None else last_match(uids, matches)
        return list(gaps(uids, ((max(first, above + 1), min(last, uid_next - 1)) for first, last in ranges)))
    rows = tx.execute(
        """select uid from tombstone
        where account_id = :account_id and mailbox_id = :mailbox_id and modseq > :since and modseq <= :until
            and uid < :uid_next
        order by uid""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        since=since,
        until=until,
        uid_next=uid_next,
    )
    return as_ranges(list(inside([row[0] for row in rows], ranges)))


def changed_inside(
    tx: Tx, account_id: int, mailbox_id: int, ranges: UidRanges, *, since: int, uid_next: int
) -> list[tuple[int, int, int]]:
    """(uid, modseq, flags) of the messages inside `ranges` and below `uid_next` that changed after `since`."""
    changed = {row[0]: row for row in changed_flags(tx, account_id, mailbox_id, since, uid_next)}
    return [changed[uid] for uid in inside(list(changed), ranges)]


def shown_anew(
    tx: Tx, account_id: int, mailbox_id: int, ranges: UidRanges, *, first_uid: int, uid_next: int, limit: int
) -> tuple[list[UidRange], list[tuple[int, int, int]]]:
    """What is inside `ranges` and not shown, and what is shown of a mailbox that shows its newest `limit` messages.

    No modseq tells which messages came to be shown or ceased to since a client last looked: others did that by
    arriving and leaving. So it hears the whole of the little there is.
    """
    rows = live_rows(tx, account_id, mailbox_id, first_uid, uid_next - 1, ("uid", "modseq", "flags"), limit)
    shown = [(uid, modseq, flags) for uid, modseq, flags in rows]
    return list(gaps([uid for uid, _, _ in shown], iter(ranges))), shown


def last_match(uids: Sequence[int], matches: Matches) -> int:
    """The highest UID that still has the number a client knew it under: below it nothing was expunged meanwhile."""
    highest = 0
    for number, uid in zip(
        *(chain.from_iterable(range(a, b + 1) for a, b in ranges) for ranges in matches), strict=False
    ):
        if number > len(uids):
            break
        if uids[number - 1] == uid:
            highest = uid
    return highest


def inside(uids: Sequence[int], ranges: UidRanges) -> Iterator[int]:
    """Those of the ascending UIDs that lie inside the ranges."""
    left = iter(ranges)
    first, last = next(left, (0, 0))
    for uid in uids:
        while last and uid > last:
            first, last = next(left, (0, 0))
        if not last:
            return
        if uid >= first:
            yield uid


def gaps(uids: Sequence[int], ranges: Iterator[UidRange]) -> Iterator[UidRange]:
    """The parts of the ranges where no UID is; UIDs and ranges ascend."""
    place = 0
    for first, last in ranges:
        start = first
        while place < len(uids) and uids[place] <= last:
            if uids[place] > start:
                yield start, uids[place] - 1
            start = max(start, uids[place] + 1)
            place += 1
        if start <= last:
            yield start, last
