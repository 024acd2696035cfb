"""Keywords that no message carries any more make room for new ones; looking for them must keep no writer waiting.

`seek` reads everything, beside the writers. `free` then looks only at what changed since, within a write.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from mailhost.mailstore.account import raise_modseq
from mailhost.mailstore.changes import changed_spans
from mailhost.storage.database import Row, Tx

MANY: Final = 40
"""Keywords of the 57 an account may have, above which it is time to look for unused ones."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The bits that some placement or tombstone of the account carried at `modseq`, and the mailboxes there were."""

    modseq: int
    mask: int
    mailboxes: frozenset[int]
    next_mailbox_id: int


def accounts_with_many_keywords(tx: Tx) -> list[int]:
    """The accounts that may soon run out of keywords."""
    rows = tx.execute("select account_id from keyword group by account_id having count(*) > :many", many=MANY)
    return [row[0] for row in rows]


def seek(tx: Tx, account_id: int) -> Carried | None:
    """What is carried now; reads all placements, so it is for a snapshot. None when the account is gone."""
    moment = tx.execute(
        "select modseq, next_mailbox_id from mail_account where account_id = :account_id", account_id=account_id
    )
    if not moment:
        return None
    [(modseq, next_mailbox_id)] = moment
    mailboxes = tx.execute("select id from mailbox where account_id = :account_id", account_id=account_id)
    # What the owner can still undo keeps its keywords too.
    rows = tx.execute(
        """select distinct flags from placement where account_id = :account_id
        union select distinct flags from tombstone where account_id = :account_id""",
        account_id=account_id,
    )
    return Carried(modseq, _union(rows), frozenset(row[0] for row in mailboxes), next_mailbox_id)


def free(tx: Tx, account_id: int, carried: Carried) -> int:
    """Take away the keywords that were not carried and have not been set since; returns how many. Raises NoSuchAccount.

    None while a mailbox is being emptied: what changed in it since cannot be told any more.
    """
    raise_modseq(tx, account_id)
    if tx.execute("select 1 from emptying where account_id = :account_id limit 1", account_id=account_id):
        return 0
    used = carried.mask | _placed_since(tx, account_id, carried.modseq) | _removed_since(tx, account_id, carried)
    freed = 0
    for (bit,) in tx.execute("select bit from keyword where account_id = :account_id", account_id=account_id):
        if not used >> bit & 1:
            tx.execute(
                "delete from keyword where account_id = :account_id and bit = :bit", account_id=account_id, bit=bit
            )
            freed += 1
    return freed


def _placed_since(tx: Tx, account_id: int, since: int) -> int:
    mailboxes = tx.execute(
        "select id, uid_next from mailbox where account_id = :account_id and highest_modseq > :since",
        account_id=account_id,
        since=since,
    )
    used = 0
    for mailbox_id, uid_next in mailboxes:
        for first, last in changed_spans(tx, account_id, mailbox_id, since, uid_next):
            used |= _union(
                tx.execute(
                    """select distinct flags from placement
                    where account_id = :account_id and mailbox_id = :mailbox_id and uid between :first and :last
                        and modseq > :since""",
                    account_id=account_id,
                    mailbox_id=mailbox_id,
                    first=first,
                    last=last,
                    since=since,
                )
            )
    return used


def _removed_since(tx: Tx, account_id: int, carried: Carried) -> int:
    """Also out of mailboxes that were deleted, or made and deleted, since."""
    [(next_id,)] = tx.execute(
        "select next_mailbox_id from mail_account where account_id = :account_id", account_id=account_id
    )
    used = 0
    for mailbox_id in chain(carried.mailboxes, range(carried.next_mailbox_id, next_id)):
        used |= _union(
            tx.execute(
                """select distinct flags from tombstone
                where account_id = :account_id and mailbox_id = :mailbox_id and modseq > :since""",
                account_id=account_id,
                mailbox_id=mailbox_id,
                since=carried.modseq,
            )
        )
    return used


def _union(rows: Iterable[Row]) -> int:
    used = 0
    for (mask,) in rows:
        used |= mask
    return used
