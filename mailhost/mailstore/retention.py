"""What an owner can still undo, and its end: removed messages are kept for 30 days, at most one quota of them."""

from collections.abc import Iterable

from mailhost.mailstore.account import charge, raise_modseq
from mailhost.mailstore.append import take_uids
from mailhost.mailstore.mailboxes import load_mailbox
from mailhost.mailstore.model import INBOX, RETENTION_SECONDS, Flag, NoSuchMailbox
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Row, Tx

SWEEP_BATCH = 500
LOG_ROWS = 5_000
"""flag_change rows kept for a mailbox; older questions are answered by a scan."""


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


def restore_removed(tx: Tx, account_id: int, message_ids: Iterable[int], now: int) -> int:
    """Put removed messages back into the mailboxes they were last in, or INBOX where that is gone; returns how many.

    Raises OverQuota.
    """
    modseq = raise_modseq(tx, account_id)
    homes = {
        message_id: (mailbox_id, flags)
        for message_id, mailbox_id, flags in tx.execute(
            """select message_id, mailbox_id, flags from tombstone where account_id = :account_id order by modseq""",
            account_id=account_id,
        )
    }
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
            mailbox_id, flags = homes.get(message_id, (0, 0))  # where it was is forgotten: INBOX
            charge(tx, account_id, octets, 1, retained=-octets)
            _place_again(tx, account_id, mailbox_id, message_id, flags & ~Flag.DELETED, octets, modseq, now)
            restored += 1
    return restored


def _place_again(
    tx: Tx, account_id: int, mailbox_id: int, message_id: int, flags: int, octets: int, modseq: int, now: int
) -> None:
    try:
        load_mailbox(tx, account_id, mailbox_id)
    except NoSuchMailbox:
        [(mailbox_id,)] = tx.execute(
            "select id from mailbox where account_id = :account_id and name = :name", account_id=account_id, name=INBOX
        )
    unseen = int(not flags & Flag.SEEN)
    _, uid = take_uids(tx, account_id, mailbox_id, 1, modseq=modseq, octets=octets, unseen=unseen, deleted=0)
    tx.execute(
        """insert into placement (account_id, mailbox_id, uid, message_id, modseq, flags, saved_at)
        values (:account_id, :mailbox_id, :uid, :message_id, :modseq, :flags, :now)""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        uid=uid,
        message_id=message_id,
        modseq=modseq,
        flags=flags,
        now=now,
    )


def accounts_to_sweep(tx: Tx) -> list[int]:
    """The accounts that keep removed messages or a long log."""
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
    charge(tx, account_id, 0, 0, retained=-octets)
    blobs.release(tx, digest)


def trim_logs(tx: Tx, account_id: int, now: int, log_rows: int = LOG_ROWS) -> None:
    """Forget old tombstones and all but the newest flag changes, and note how far back the logs reach."""
    tx.execute(
        """with purged as (
            select mailbox_id, max(modseq) + 1 as below from tombstone
            where account_id = :account_id and expunged_at < :oldest group by mailbox_id)
        update mailbox set purged_below = below from purged
        where account_id = :account_id and id = mailbox_id and purged_below < below""",
        account_id=account_id,
        oldest=now - RETENTION_SECONDS,
    )
    tx.execute(
        """delete from tombstone where account_id = :account_id and expunged_at < :oldest
            and not exists (select 1 from message where message.account_id = tombstone.account_id
                and message.id = tombstone.message_id and removed_at is not null)""",
        account_id=account_id,
        oldest=now - RETENTION_SECONDS,
    )
    long_logs = tx.execute(
        """select mailbox_id from flag_change where account_id = :account_id
        group by mailbox_id having count(*) > :rows""",
        account_id=account_id,
        rows=2 * log_rows,
    )
    for (mailbox_id,) in long_logs:
        [(floor,)] = tx.execute(
            """select modseq from flag_change where account_id = :account_id and mailbox_id = :mailbox_id
            order by modseq desc limit 1 offset :rows""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            rows=log_rows,
        )
        tx.execute(
            "update mailbox set log_floor = :floor where account_id = :account_id and id = :mailbox_id",
            account_id=account_id,
            mailbox_id=mailbox_id,
            floor=floor,
        )
        tx.execute(
            """delete from flag_change where account_id = :account_id and mailbox_id = :mailbox_id
                and modseq <= :floor""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            floor=floor,
        )


def is_referenced(tx: Tx, digest: bytes) -> bool:
    """Whether any message, of any account, still has this content: what the sweeper asks before it erases."""
    return bool(tx.execute("select 1 from message where blob = :digest limit 1", digest=digest))


def drop_store(tx: Tx, blobs: Blobs, account_id: int) -> None:
    """Remove all of an account's mail, at once and for good; the sweeper erases the bytes."""
    for (digest,) in tx.execute(
        "select distinct blob from message where account_id = :account_id", account_id=account_id
    ):
        blobs.release(tx, digest)
    for table in ("placement", "tombstone", "flag_change", "message", "mailbox", "subscription", "keyword"):
        tx.execute(f"delete from {table} where account_id = :account_id", account_id=account_id)  # noqa: S608
    for table in ("sent_copy", "mail_account"):
        tx.execute(f"delete from {table} where account_id = :account_id", account_id=account_id)  # noqa: S608
    tx.wake(f"mailboxes:{account_id}")
