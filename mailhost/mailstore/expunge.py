"""Taking placements away: EXPUNGE, POP3's QUIT; messages are kept for their owner to undo."""

from dataclasses import dataclass

from mailhost.mailstore.account import take_turn
from mailhost.mailstore.labels import Labels, find_messages
from mailhost.mailstore.mailboxes import load_mailbox, mailbox_topic
from mailhost.mailstore.model import MAX_UID, Flag, UidRanges
from mailhost.mailstore.placing import release_unplaced
from mailhost.mailstore.ranges import conditions
from mailhost.storage.database import Tx


def expunge(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    ranges: UidRanges,
    now: int,
    *,
    only_deleted: bool = True,
    everywhere: bool = False,
    limit: int = MAX_UID,
) -> list[int]:
    """Remove the placements inside the ranges that carry \\Deleted, or all of them; returns their UIDs, ascending.

    At most `limit` of them, for a caller who comes back and lets other writers pass between. A message that loses its
    last placement is kept, out of sight, for the owner to undo. In the gmail layout a label is taken away, unless the
    message is to go `everywhere`. Raises NoSuchMailbox.
    """
    turn = take_turn(tx, account_id)
    modseq = turn.modseq
    load_mailbox(tx, account_id, mailbox_id)
    wanted = int(Flag.DELETED) if only_deleted else 0
    if turn.is_gmail:
        found = find_messages(tx, account_id, mailbox_id, ranges, flags=wanted, limit=limit)
        labels = Labels(tx, turn, now)
        if not everywhere:
            return labels.expunge(mailbox_id, found)
        labels.erase(mailbox_id, [message_id for _, message_id in found])
        return [uid for uid, _ in found]
    uids = entomb(tx, account_id, mailbox_id, modseq, ranges, now, wanted=wanted, limit=limit)
    if uids:
        remove_entombed(tx, account_id, mailbox_id, modseq, entombed(tx, account_id, mailbox_id, modseq))
        release_unplaced(tx, account_id, mailbox_id, modseq, now)
    return sorted(uids)


def entomb(
    tx: Tx, account_id: int, mailbox_id: int, modseq: int, ranges: UidRanges, now: int, *, wanted: int, limit: int
) -> list[int]:
    """Make tombstones for at most `limit` placements with all the `wanted` flags; returns their UIDs."""
    uids: list[int] = []
    for condition, parameters in conditions(ranges):
        rows = tx.execute(
            f"""insert into tombstone (account_id, mailbox_id, uid, modseq, message_id, flags, expunged_at)
            select account_id, mailbox_id, uid, :modseq, message_id, flags, :now from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and {condition}
                and flags & :wanted = :wanted
            order by uid limit :room
            returning uid""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            modseq=modseq,
            now=now,
            wanted=wanted,
            room=limit - len(uids),
            **parameters,
        )
        uids += (row[0] for row in rows)
    return uids


@dataclass(frozen=True, slots=True)
class Tally:
    """What placements count for in their mailbox."""

    count: int
    octets: int
    unseen: int
    deleted: int


def entombed(tx: Tx, account_id: int, mailbox_id: int, modseq: int) -> Tally:
    """What the placements counted for whose tombstones have this modseq."""
    [row] = tx.execute(
        f"""select count(*), cast(coalesce(sum(octets), 0) as bigint), cast(coalesce(sum(1 - flags % 2), 0) as bigint),
            cast(coalesce(sum(flags / {int(Flag.DELETED)} % 2), 0) as bigint)
        from tombstone
        join message on message.account_id = tombstone.account_id and message.id = tombstone.message_id
        where tombstone.account_id = :account_id and mailbox_id = :mailbox_id and modseq = :modseq""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        modseq=modseq,
    )
    return Tally(*row)


def remove_entombed(tx: Tx, account_id: int, mailbox_id: int, modseq: int, tally: Tally) -> None:
    """Take the placements away whose tombstones this transaction made, and count them out of their mailbox."""
    tx.execute(
        """delete from placement where account_id = :account_id and mailbox_id = :mailbox_id and uid in (
            select uid from tombstone
            where account_id = :account_id and mailbox_id = :mailbox_id and modseq = :modseq)""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        modseq=modseq,
    )
    tx.execute(
        """update mailbox set highest_modseq = :modseq, messages = messages - :count, unseen = unseen - :unseen,
            deleted = deleted - :deleted, octets = octets - :octets
        where account_id = :account_id and id = :mailbox_id""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        modseq=modseq,
        count=tally.count,
        unseen=tally.unseen,
        deleted=tally.deleted,
        octets=tally.octets,
    )
    tx.wake(mailbox_topic(account_id, mailbox_id))
