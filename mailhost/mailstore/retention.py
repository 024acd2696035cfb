"""What an owner can still undo, and its end: removed messages are kept for 30 days, at most one quota of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.mailstore.account import charge, take_turn
from mailhost.mailstore.labels import Labels
from mailhost.mailstore.model import INBOX, RETENTION_SECONDS, Flag
from mailhost.mailstore.placing import among, place_one
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Row, Tx

SWEEP_BATCH = 500


def removed_messages(tx: Tx, account_id: int, since: int, limit: int = 1_000) -> list[Row]:
    """(message id, removed at, octets, fields) of messages removed since then, newest first."""
    return tx.execute(
        """select id, removed_at, octets, fields from message
        where account_id = :account_id and removed_at is not null and removed_at >= :since
        order by removed_at desc, id desc limit :limit""",
        account_id=account_id,
        since=since,
        limit=limit,
    )


def restore_removed(tx: Tx, account_id: int, message_ids: Sequence[int], now: int) -> int:
    """Put removed messages back into the mailboxes they were last in, or INBOX where that is gone; returns how many.

    Raises OverQuota.
    """
    turn = take_turn(tx, account_id)
    labels = Labels(tx, turn, now) if turn.is_gmail else None
    homes = _last_homes(tx, account_id, message_ids)
    restored = 0
    for message_id in message_ids:
        rows = tx.execute(
            """update message set removed_at = null
            where account_id = :account_id and id = :id and removed_at is not null returning octets""",
            account_id=account_id,
            id=message_id,
        )
        if rows:
            [(octets,)] = rows
            home = homes.get(message_id, _Home(0, 0, []))  # where it was is forgotten: INBOX
            charge(tx, account_id, octets, 1, retained=-octets)
            mailboxes = home.mailboxes[-1:] or [_inbox(tx, account_id)]
            if labels is not None:
                mailboxes = labels.homes(home.mailboxes, home.flags)
            for mailbox_id in mailboxes:
                place_one(tx, turn, mailbox_id, message_id, home.flags, octets, now)
            restored += 1
    return restored


@dataclass(slots=True)
class _Home:
    """Where a removed message stood last: the mailboxes it left at one modseq that are there still."""

    modseq: int
    flags: int
    mailboxes: list[int]


def _last_homes(tx: Tx, account_id: int, message_ids: Sequence[int]) -> dict[int, _Home]:
    homes: dict[int, _Home] = {}
    condition, ids = among(tx, message_ids, "message_id", "ids")
    for message_id, mailbox_id, modseq, flags, is_there in tx.execute(
        f"""select message_id, mailbox_id, modseq, flags, case when mailbox.id is null then 0 else 1 end from tombstone
        left join mailbox on mailbox.account_id = tombstone.account_id and mailbox.id = mailbox_id and is_selectable = 1
        where tombstone.account_id = :account_id and {condition} order by modseq, mailbox_id""",
        account_id=account_id,
        **ids,
    ):
        home = homes.get(message_id)
        if home is None or home.modseq != modseq:
            home = homes[message_id] = _Home(modseq, flags & ~int(Flag.DELETED), [])
        if is_there:
            home.mailboxes.append(mailbox_id)
    return homes


def _inbox(tx: Tx, account_id: int) -> int:
    [(mailbox_id,)] = tx.execute(
        "select id from mailbox where account_id = :account_id and name = :name", account_id=account_id, name=INBOX
    )
    return int(mailbox_id)


def every_account(tx: Tx) -> list[int]:
    """Every account: each may keep removed messages, have a long log, or messages without a conversation."""
    return [row[0] for row in tx.execute("select account_id from mail_account order by account_id")]


def erase_expired(tx: Tx, blobs: Blobs, account_id: int, now: int, *, everything: bool = False) -> int:
    """Erase a batch of removed messages that are past their time or above the cap, oldest first; returns how many.

    `everything` is the owner's "erase now". Call until it returns 0.
    """
    rows = tx.execute(
        "select quota_octets, retained_octets from mail_account where account_id = :account_id", account_id=account_id
    )
    if not rows:
        return 0
    quota, retained = rows[0]
    oldest = tx.execute(
        """select id, blob, octets, removed_at from message
        where account_id = :account_id and removed_at is not null order by removed_at, id limit :limit""",
        account_id=account_id,
        limit=SWEEP_BATCH,
    )
    erased = 0
    for message_id, digest, octets, removed_at in oldest:
        if not everything and removed_at > now - RETENTION_SECONDS and retained <= quota:
            break
        retained -= octets
        erased += 1
        _erase(tx, blobs, account_id, message_id, digest, octets)
    return erased


def _erase(tx: Tx, blobs: Blobs, account_id: int, message_id: int, digest: bytes, octets: int) -> None:
    tx.execute("delete from message where account_id = :account_id and id = :id", account_id=account_id, id=message_id)
    tx.execute(
        "delete from thread where account_id = :account_id and message_id = :id", account_id=account_id, id=message_id
    )
    charge(tx, account_id, 0, 0, retained=-octets)
    blobs.release(tx, digest)


def is_referenced(tx: Tx, digest: bytes) -> bool:
    """Whether any message, of any account, still has this content: what the sweeper asks before it erases."""
    return bool(tx.execute("select 1 from message where blob = :digest limit 1", digest=digest))


def accounts_with_labels(tx: Tx) -> list[int]:
    """The accounts in the gmail layout, whose Trash and Spam are emptied by and by."""
    rows = tx.execute("select account_id from mail_account where layout = 'gmail' and state = 'live'")
    return [row[0] for row in rows]


def empty_ends(tx: Tx, account_id: int, now: int) -> bool:
    """Remove what is in Trash or Spam of the gmail layout for 30 days, a batch of it; whether there may be more.

    The owner can still undo it, for as long again.
    """
    turn = take_turn(tx, account_id)
    labels = Labels(tx, turn, now)
    count = 0
    for mailbox_id in labels.boxes.ends:
        rows = tx.execute(
            """select message_id from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and saved_at <= :oldest limit :limit""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            oldest=now - RETENTION_SECONDS,
            limit=SWEEP_BATCH,
        )
        labels.erase(mailbox_id, [row[0] for row in rows])
        count = max(count, len(rows))
    return count == SWEEP_BATCH
