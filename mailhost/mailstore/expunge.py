"""Taking placements away: EXPUNGE, POP3's QUIT, DELETE of a mailbox; messages are kept for their owner to undo."""

from dataclasses import dataclass

from mailhost.mailstore.account import charge, raise_modseq
from mailhost.mailstore.mailboxes import find_mailbox, load_mailbox, mailbox_topic, remove_row
from mailhost.mailstore.model import INBOX, MAX_UID, BadMailboxName, Flag, UidRanges
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
    limit: int = MAX_UID,
) -> list[int]:
    """Remove the placements inside the ranges that carry \\Deleted, or all of them; returns their UIDs, ascending.

    At most `limit` of them, for a caller who comes back and lets other writers pass between. A message that loses its
    last placement is kept, out of sight, for the owner to undo. Raises NoSuchMailbox.
    """
    modseq = raise_modseq(tx, account_id)
    load_mailbox(tx, account_id, mailbox_id)
    uids: list[int] = []
    for condition, parameters in conditions(ranges):
        rows = tx.execute(
            f"""insert into tombstone (account_id, mailbox_id, uid, modseq, message_id, flags, expunged_at)
            select account_id, mailbox_id, uid, :modseq, message_id, flags, :now from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and {condition}
                and flags & :wanted = :wanted
            order by uid limit :room
            returning uid""",  # noqa: S608
            account_id=account_id,
            mailbox_id=mailbox_id,
            modseq=modseq,
            now=now,
            wanted=int(Flag.DELETED) if only_deleted else 0,
            room=limit - len(uids),
            **parameters,
        )
        uids += (row[0] for row in rows)
    if uids:
        remove_entombed(tx, account_id, mailbox_id, modseq, entombed(tx, account_id, mailbox_id, modseq))
        release_unplaced(tx, account_id, mailbox_id, modseq, now)
    return sorted(uids)


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
        where tombstone.account_id = :account_id and mailbox_id = :mailbox_id and modseq = :modseq""",  # noqa: S608
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


def release_unplaced(tx: Tx, account_id: int, mailbox_id: int, modseq: int, now: int) -> None:
    """Move the messages that lost their last placement in this transaction from usage to retention."""
    rows = tx.execute(
        """update message set removed_at = :now where account_id = :account_id and removed_at is null
            and id in (select message_id from tombstone
                where account_id = :account_id and mailbox_id = :mailbox_id and modseq = :modseq)
            and not exists (select 1 from placement
                where placement.account_id = message.account_id and placement.message_id = message.id)
        returning octets""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        modseq=modseq,
        now=now,
    )
    octets = sum(row[0] for row in rows)
    charge(tx, account_id, -octets, -len(rows), retained=octets)


def delete_mailbox(tx: Tx, account_id: int, name: str, now: int) -> None:
    """Delete a mailbox and its messages; a name with children stays as a name (RFC 9051 §6.3.5).

    Raises NoSuchMailbox, HasChildren, BadMailboxName.
    """
    raise_modseq(tx, account_id)
    mailbox = find_mailbox(tx, account_id, name)
    if mailbox.name == INBOX:
        raise BadMailboxName("INBOX cannot be deleted.")
    if mailbox.is_selectable:
        expunge(tx, account_id, mailbox.id, [(1, MAX_UID)], now, only_deleted=False)
    remove_row(tx, account_id, mailbox)
