"""COPY and MOVE between accounts: new message rows on the same blobs, counted against the owner of the target."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.mailstore.account import Turn, charge, take_turns
from mailhost.mailstore.append import ARRIVALS, place_labelled
from mailhost.mailstore.expunge import expunge
from mailhost.mailstore.flags import keyword_mask, load_keywords
from mailhost.mailstore.labels import Labels
from mailhost.mailstore.mailboxes import load_mailbox
from mailhost.mailstore.model import FIRST_KEYWORD_BIT, Copied, Flag, UidRanges
from mailhost.mailstore.placing import COPIED, place_one
from mailhost.mailstore.ranges import as_ranges, conditions
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Row, Tx

_SYSTEM = (1 << FIRST_KEYWORD_BIT) - 1


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go: the mailbox of another account, and which of their flags may be set there."""

    account_id: int
    mailbox_id: int
    flags: int


def copy_across(
    tx: Tx, blobs: Blobs, account_id: int, mailbox_id: int, target: Target, ranges: UidRanges, now: int
) -> Copied:
    """Place copies of the messages in a mailbox of another account. Raises NoSuchMailbox, OverQuota, TooManyKeywords.

    Both accounts are locked: the source so that nobody erases meanwhile what is copied.
    """
    turn = take_turns(tx, account_id, target.account_id)[target.account_id]
    load_mailbox(tx, account_id, mailbox_id)
    rows = [
        row
        for condition, parameters in conditions(ranges)
        for row in _found(tx, account_id, mailbox_id, condition, parameters)
    ]
    charge(tx, target.account_id, sum(row[3] for row in rows), len(rows))
    masks = _masks(tx, account_id, target, [row[2] for row in rows])
    first_id = _take_ids(tx, target.account_id, len(rows))
    for message_id, (_, old_id, _, _, digest) in enumerate(rows, first_id):
        blobs.retain(tx, digest)
        _copy_message(tx, account_id, old_id, target.account_id, message_id)
    messages = [(first_id + number, mask, row[3]) for number, (row, mask) in enumerate(zip(rows, masks, strict=True))]
    uids = _place(tx, turn, target.mailbox_id, messages, now)
    tx.wake(ARRIVALS)
    uid_validity = load_mailbox(tx, target.account_id, target.mailbox_id).uid_validity
    return Copied(uid_validity, [row[0] for row in rows], uids)


def _place(tx: Tx, turn: Turn, mailbox_id: int, messages: Sequence[tuple[int, int, int]], now: int) -> list[int]:
    """Place new messages, (id, flags, octets) each, as the layout of their account has it; their UIDs."""
    if turn.is_gmail:
        labels = Labels(tx, turn, now)
        return [
            place_labelled(tx, turn, labels, mailbox_id, (message_id, mask & ~int(Flag.DELETED), octets), now)
            for message_id, mask, octets in messages
        ]
    return [place_one(tx, turn, mailbox_id, *message, now) for message in messages]


def move_across(
    tx: Tx, blobs: Blobs, account_id: int, mailbox_id: int, target: Target, ranges: UidRanges, now: int
) -> Copied:
    """The same, and take the messages away; \\Deleted stays behind. Their owner can undo that as any removal.

    Raises NoSuchMailbox, OverQuota, TooManyKeywords.
    """
    target = Target(target.account_id, target.mailbox_id, target.flags & ~int(Flag.DELETED))
    copied = copy_across(tx, blobs, account_id, mailbox_id, target, ranges, now)
    expunge(tx, account_id, mailbox_id, as_ranges(copied.source_uids), now, only_deleted=False)
    return copied


def _found(tx: Tx, account_id: int, mailbox_id: int, condition: str, parameters: dict[str, int]) -> list[Row]:
    """(uid, message id, flags, octets, digest) of the messages under a condition, by UID."""
    return tx.execute(
        f"""select uid, message_id, flags, octets, blob from placement
        join message on message.account_id = placement.account_id and message.id = placement.message_id
        where placement.account_id = :account_id and mailbox_id = :mailbox_id and {condition} order by uid""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        **parameters,
    )


def _masks(tx: Tx, account_id: int, target: Target, masks: list[int]) -> list[int]:
    """The flags in the target: those that may be set there, its keywords by its own bits. Raises TooManyKeywords."""
    bits: dict[int, int] = {}
    used = promised = 0
    for mask in masks:
        used |= mask & target.flags & ~_SYSTEM
    if used:
        for bit, name in load_keywords(tx, account_id):
            if used >> bit & 1:
                bits[bit] = keyword_mask(tx, target.account_id, [name], create=True, promised=promised)
                promised |= bits[bit]
    moved = []
    for mask in masks:
        flags = mask & target.flags & _SYSTEM
        for bit, there in bits.items():
            if mask >> bit & 1:
                flags |= there
        moved.append(flags)
    return moved


def _take_ids(tx: Tx, account_id: int, count: int) -> int:
    [(first_id,)] = tx.execute(
        """update mail_account set next_message_id = next_message_id + :count
        where account_id = :account_id returning next_message_id - :count""",
        account_id=account_id,
        count=count,
    )
    return int(first_id)


def _copy_message(tx: Tx, account_id: int, message_id: int, target_id: int, new_id: int) -> None:
    tx.execute(
        f"""insert into message (account_id, id, {COPIED})
        select :target_id, :new_id, {COPIED} from message where account_id = :account_id and id = :message_id""",
        account_id=account_id,
        message_id=message_id,
        target_id=target_id,
        new_id=new_id,
    )
