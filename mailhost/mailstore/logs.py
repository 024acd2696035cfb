"""How long a mailbox remembers what happened in it: tombstones and flag changes, both trimmed oldest first.

A mailbox notes how far back each reaches (`purged_below`, `log_floor`), so that older questions are answered in full
instead of with a gap.
"""

from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.model import RETENTION_SECONDS
from mailhost.storage.database import Tx

TOMBSTONES: Final = 1_000_000
"""Kept for a mailbox at most, however young."""
CHANGES: Final = 5_000
"""flag_change rows kept for a mailbox; older questions are answered by a scan."""
STEP: Final = 1_000
"""Rows trimmed in one write."""

_ALL: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Overgrown:
    """What a mailbox, there or gone, need not remember: tombstones below one modseq, flag changes below another."""

    mailbox_id: int
    tombstones_below: int
    changes_below: int


def overgrown_logs(
    tx: Tx, account_id: int, now: int, *, most_tombstones: int = TOMBSTONES, most_changes: int = CHANGES
) -> list[Overgrown]:
    """What there is to trim in an account. It only reads, one mailbox after the other by the order of modseq."""
    found = []
    for mailbox_id in _remembering(tx, account_id):
        tombstones_below = _tombstones_below(tx, account_id, mailbox_id, now - RETENTION_SECONDS, most_tombstones)
        changes_below = _changes_below(tx, account_id, mailbox_id, most_changes)
        if tombstones_below or changes_below:
            found.append(Overgrown(mailbox_id, tombstones_below, changes_below))
    return found


def trim_log(tx: Tx, account_id: int, overgrown: Overgrown) -> bool:
    """Forget a STEP of it, and note how far back the logs reach; returns whether there may be more."""
    mailbox_id = overgrown.mailbox_id
    gone = tx.execute(
        """delete from tombstone where account_id = :account_id and mailbox_id = :mailbox_id and uid in (
            select uid from tombstone
            where account_id = :account_id and mailbox_id = :mailbox_id and modseq < :below
            order by modseq limit :step)
        returning modseq""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        below=overgrown.tombstones_below,
        step=STEP,
    )
    changes = tx.execute(
        """delete from flag_change where account_id = :account_id and mailbox_id = :mailbox_id and modseq in (
            select modseq from flag_change
            where account_id = :account_id and mailbox_id = :mailbox_id and modseq < :below
            order by modseq limit :step)
        returning modseq""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        below=overgrown.changes_below,
        step=STEP,
    )
    tx.execute(
        """update mailbox set
            purged_below = case when purged_below < :purged then :purged else purged_below end,
            log_floor = case when log_floor < :floor then :floor else log_floor end
        where account_id = :account_id and id = :mailbox_id""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        purged=max((row[0] for row in gone), default=-1) + 1,
        floor=max((row[0] for row in changes), default=0),
    )
    return len(gone) == STEP or len(changes) == STEP


def _remembering(tx: Tx, account_id: int) -> list[int]:
    """The mailboxes that have a log, by leaps through the keys; those deleted long ago are among them."""
    mailboxes: set[int] = set()
    for table in ("tombstone", "flag_change"):
        last: int | None = -1
        while last is not None:
            [(last,)] = tx.execute(
                f"select min(mailbox_id) from {table} where account_id = :account_id and mailbox_id > :last",
                account_id=account_id,
                last=last,
            )
            if last is not None:
                mailboxes.add(last)
    return sorted(mailboxes)


def _tombstones_below(tx: Tx, account_id: int, mailbox_id: int, oldest: int, most: int) -> int:
    """The modseq below which tombstones have expired or are too many; 0 when none are."""
    keys = {"account_id": account_id, "mailbox_id": mailbox_id}
    where = "from tombstone where account_id = :account_id and mailbox_id = :mailbox_id"
    below = 0
    first = tx.execute(f"select expunged_at {where} order by modseq limit 1", **keys)
    if first and first[0][0] < oldest:
        young = tx.execute(
            f"select modseq {where} and expunged_at >= :oldest order by modseq limit 1",
            oldest=oldest,
            **keys,
        )
        below = young[0][0] if young else _ALL
    possible = tx.execute(
        "select uid_next - 1 - messages from mailbox where account_id = :account_id and id = :mailbox_id", **keys
    )
    if possible and possible[0][0] > most:  # a UID each: only then are they worth counting
        excess = tx.execute(f"select modseq {where} order by modseq desc limit 1 offset :most", most=most, **keys)
        if excess:
            below = max(below, excess[0][0] + 1)
    return below


def _changes_below(tx: Tx, account_id: int, mailbox_id: int, most: int) -> int:
    """The modseq below which flag changes are too many; 0 until there are twice as many as are kept."""
    rows = [
        tx.execute(
            """select modseq from flag_change where account_id = :account_id and mailbox_id = :mailbox_id
            order by modseq desc limit 1 offset :offset""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            offset=offset,
        )
        for offset in (2 * most, most)
    ]
    return rows[1][0][0] + 1 if rows[0] else 0
