"""COPY and MOVE: placements are added or replaced, bytes never (RFC 9051 §6.4.7, RFC 6851)."""

from dataclasses import astuple

from mailhost.mailstore.account import take_turn
from mailhost.mailstore.expunge import Tally, remove_entombed
from mailhost.mailstore.labels import Labels
from mailhost.mailstore.mailboxes import load_mailbox, placements
from mailhost.mailstore.model import MAX_PLACEMENTS, Copied, Flag, TooManyPlacements, UidRanges
from mailhost.mailstore.placing import take_uids
from mailhost.mailstore.ranges import conditions
from mailhost.storage.database import Tx

# The placements just written know their modseq but not where they came from, so the pairs of COPYUID are made from
# the order: row_number() over the source's UIDs.


def copy(
    tx: Tx, account_id: int, source_id: int, target_id: int, ranges: UidRanges, now: int, *, kept: int = Flag.DELETED
) -> Copied:
    """Place the messages in another mailbox too, or once more in the same one; in the gmail layout give them a label.

    \\Deleted, the only flag that belongs to the place, comes along if it is in `kept`. Raises NoSuchMailbox,
    TooManyPlacements.
    """
    turn = take_turn(tx, account_id)
    if turn.is_gmail:
        target = load_mailbox(tx, account_id, target_id)
        return Labels(tx, turn, now).copy(source_id, (target_id, target.uid_validity), ranges, moves=False)
    if placements(tx, account_id) >= MAX_PLACEMENTS:
        raise TooManyPlacements
    dropped = Flag.DELETED & ~kept
    copied, _ = _place(tx, account_id, source_id, target_id, ranges, now, modseq=turn.modseq, dropped=dropped)
    return copied


def move(tx: Tx, account_id: int, source_id: int, target_id: int, ranges: UidRanges, now: int) -> Copied:
    """Place the messages in another mailbox instead; \\Deleted stays behind. Raises NoSuchMailbox."""
    turn = take_turn(tx, account_id)
    modseq = turn.modseq
    load_mailbox(tx, account_id, source_id)
    if turn.is_gmail:
        target = load_mailbox(tx, account_id, target_id)
        return Labels(tx, turn, now).copy(source_id, (target_id, target.uid_validity), ranges, moves=True)
    copied, tally = _place(tx, account_id, source_id, target_id, ranges, now, modseq=modseq, dropped=Flag.DELETED)
    if not copied.source_uids:
        return copied
    for condition, parameters in conditions(ranges):
        # A move within one mailbox must not take the new placements along: they lie at or above the new UIDs.
        tx.execute(
            f"""insert into tombstone (account_id, mailbox_id, uid, modseq, message_id, flags, expunged_at)
            select account_id, mailbox_id, uid, :modseq, message_id, flags, :now from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and {condition}
                and (:is_same = 0 or uid < :first_new)""",
            account_id=account_id,
            mailbox_id=source_id,
            modseq=modseq,
            now=now,
            is_same=int(source_id == target_id),
            first_new=copied.target_uids[0],
            **parameters,
        )
    remove_entombed(tx, account_id, source_id, modseq, tally)
    return copied


def _place(
    tx: Tx,
    account_id: int,
    source_id: int,
    target_id: int,
    ranges: UidRanges,
    now: int,
    *,
    modseq: int,
    dropped: int,
) -> tuple[Copied, Tally]:
    load_mailbox(tx, account_id, target_id)
    pieces = list(conditions(ranges))
    source_uids: list[int] = []
    tally = Tally(0, 0, 0, 0)
    for condition, parameters in pieces:
        uids, found = _found(tx, account_id, source_id, condition, parameters)
        source_uids += uids
        tally = Tally(*map(sum, zip(astuple(tally), astuple(found), strict=True)))
    uid_validity, first_uid = take_uids(
        tx,
        account_id,
        target_id,
        tally.count,
        modseq=modseq,
        octets=tally.octets,
        unseen=tally.unseen,
        deleted=0 if dropped & Flag.DELETED else tally.deleted,
    )
    placed = 0
    for condition, parameters in pieces:
        rows = tx.execute(
            f"""insert into placement (account_id, mailbox_id, uid, message_id, modseq, flags, saved_at)
            select account_id, :target_id, :before_first + row_number() over (order by uid), message_id, :modseq,
                flags & ~:dropped, :now
            from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and {condition} and uid < :limit
            returning 1""",
            account_id=account_id,
            mailbox_id=source_id,
            target_id=target_id,
            before_first=first_uid - 1 + placed,
            modseq=modseq,
            dropped=int(dropped),
            now=now,
            limit=first_uid if source_id == target_id else 2**32,
            **parameters,
        )
        placed += len(rows)
    return Copied(uid_validity, source_uids, range(first_uid, first_uid + len(source_uids))), tally


def _found(
    tx: Tx, account_id: int, mailbox_id: int, condition: str, parameters: dict[str, int]
) -> tuple[list[int], Tally]:
    """The UIDs under a condition, ascending, and what their placements count for."""
    [(uids, *counts)] = tx.execute(
        f"""select string_agg(cast(uid as text), ',' order by uid), count(*),
            cast(coalesce(sum(octets), 0) as bigint), cast(coalesce(sum(1 - flags % 2), 0) as bigint),
            cast(coalesce(sum(flags / {int(Flag.DELETED)} % 2), 0) as bigint)
        from placement
        join message on message.account_id = placement.account_id and message.id = placement.message_id
        where placement.account_id = :account_id and mailbox_id = :mailbox_id and {condition}""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        **parameters,
    )
    return (list(map(int, uids.split(","))) if uids else []), Tally(*counts)
