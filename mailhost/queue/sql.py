"""The outbound queue as rows: queued once, leased for one attempt, then gone or postponed."""

from collections.abc import Mapping

from mailhost.queue.model import LEASE_SECONDS, NEVER, TOPIC, Lease, Outgoing, Waiting
from mailhost.storage.database import Row, Tx

_WAITING = """select account_id, transaction_id, recipient, attempts, stumbles, sender, queued_at, next_at, last_reply
    from outgoing_recipient join outgoing using (account_id, transaction_id)"""


def enqueue(tx: Tx, message: Outgoing, first_tries: Mapping[str, int]) -> None:
    """Queue a message to each recipient, first to be tried at its time. A repetition changes nothing.

    The caller attaches the blob in the same transaction.
    """
    rows = tx.execute(
        """insert into outgoing (account_id, transaction_id, sender, blob, prefix, octets, is_utf8, is_8bit, queued_at)
        values (:account_id, :transaction_id, :sender, :blob, :prefix, :octets, :is_utf8, :is_8bit, :queued_at)
        on conflict (account_id, transaction_id) do nothing returning 1""",
        account_id=message.account_id,
        transaction_id=message.transaction_id,
        sender=message.sender,
        blob=message.blob,
        prefix=message.prefix,
        octets=message.octets,
        is_utf8=int(message.is_utf8),
        is_8bit=int(message.is_8bit),
        queued_at=message.queued_at,
    )
    if not rows:
        return
    tx.execute_many(
        """insert into outgoing_recipient (account_id, transaction_id, recipient, next_at, attempts, last_reply)
        values (:account_id, :transaction_id, :recipient, :next_at, 0, '')""",
        [
            {
                "account_id": message.account_id,
                "transaction_id": message.transaction_id,
                "recipient": recipient,
                "next_at": next_at,
            }
            for recipient, next_at in first_tries.items()
        ],
    )
    tx.wake(TOPIC)


def lease_due(tx: Tx, holder: str, now: int, at_most: int) -> list[Lease]:
    """Take rows that are due, oldest first, for one attempt each by the process `holder`.

    A row whose last attempt came to no end is taken alone, after all others: it may break whoever is tried with it.
    """
    return _lease(tx, holder, now, at_most, 0, 0) or _lease(tx, holder, now, 1, 1, NEVER)


def _lease(tx: Tx, holder: str, now: int, at_most: int, least: int, most: int) -> list[Lease]:
    rows = tx.execute(
        """update outgoing_recipient
        set next_at = :until, holder = :holder, attempts = attempts + 1, stumbles = stumbles + 1
        where next_at <= :now and (account_id, transaction_id, recipient) in (
            select account_id, transaction_id, recipient from outgoing_recipient
            where next_at <= :now and stumbles between :least and :most
            order by next_at limit :at_most)
        returning account_id, transaction_id, recipient, attempts, stumbles""",
        holder=holder,
        now=now,
        until=now + LEASE_SECONDS,
        at_most=at_most,
        least=least,
        most=most,
    )
    return sorted((Lease(*row) for row in rows), key=lambda lease: lease.recipient)


def bury(tx: Tx, holder: str, now: int) -> None:
    """The process has died: what it held is due, but for what another died over before, which waits its lease out."""
    tx.execute(
        """update outgoing_recipient set next_at = :now, holder = null
        where holder = :holder and stumbles <= 1 and next_at > :now""",
        holder=holder,
        now=now,
    )
    tx.wake(TOPIC)


def leave(tx: Tx, lease: Lease, now: int) -> None:
    """The attempt did not begin; the row is due again."""
    _update(tx, lease, "next_at = :now, stumbles = stumbles - 1", now=now)


def next_due(tx: Tx) -> int | None:
    """When the next row is due; None when the queue is empty."""
    rows = tx.execute("select next_at from outgoing_recipient order by next_at limit 1")
    return rows[0][0] if rows else None


def find_outgoing(tx: Tx, account_id: int, transaction_id: str) -> Outgoing | None:
    """The message a lease speaks of."""
    rows = tx.execute(
        """select account_id, transaction_id, sender, blob, prefix, octets, is_utf8, is_8bit, queued_at from outgoing
        where account_id = :account_id and transaction_id = :transaction_id""",
        account_id=account_id,
        transaction_id=transaction_id,
    )
    return _outgoing(rows[0]) if rows else None


def postpone(tx: Tx, lease: Lease, next_at: int, reply: str, *, stumbled: bool = False) -> None:
    """The attempt failed for now, or `stumbled`: it came to no end. Nothing happens when the lease was lost."""
    stumbles = lease.stumbles if stumbled else 0
    _update(
        tx,
        lease,
        "next_at = :next_at, last_reply = :reply, stumbles = :stumbles",
        next_at=next_at,
        reply=reply,
        stumbles=stumbles,
    )


def _update(tx: Tx, lease: Lease, change: str, **values: int | str) -> None:
    tx.execute(
        f"""update outgoing_recipient set holder = null, {change}
        where account_id = :account_id and transaction_id = :transaction_id and recipient = :recipient
            and attempts = :attempts""",
        account_id=lease.account_id,
        transaction_id=lease.transaction_id,
        recipient=lease.recipient,
        attempts=lease.attempts,
        **values,
    )


def finish(tx: Tx, lease: Lease) -> bytes | None:
    """This recipient is served, one way or the other; returns the blob to release when it was the message's last."""
    tx.execute(  # a lock: of two that end the last two rows at once, one sees that nothing is left
        """update outgoing set queued_at = queued_at
        where account_id = :account_id and transaction_id = :transaction_id""",
        account_id=lease.account_id,
        transaction_id=lease.transaction_id,
    )
    rows = tx.execute(
        """delete from outgoing_recipient
        where account_id = :account_id and transaction_id = :transaction_id and recipient = :recipient
            and attempts = :attempts returning 1""",
        account_id=lease.account_id,
        transaction_id=lease.transaction_id,
        recipient=lease.recipient,
        attempts=lease.attempts,
    )
    if not rows:
        return None
    gone = tx.execute(
        """delete from outgoing where account_id = :account_id and transaction_id = :transaction_id
            and not exists (select 1 from outgoing_recipient
                where outgoing_recipient.account_id = outgoing.account_id
                    and outgoing_recipient.transaction_id = outgoing.transaction_id)
        returning blob""",
        account_id=lease.account_id,
        transaction_id=lease.transaction_id,
    )
    return gone[0][0] if gone else None


def list_waiting(tx: Tx, at_most: int) -> list[Waiting]:
    """Who is still to be served: first what is set aside, then what waits longest for its next attempt."""
    rows = tx.execute(
        f"{_WAITING} order by next_at desc, queued_at, transaction_id, recipient limit :at_most", at_most=at_most
    )
    return [Waiting(Lease(*row[:5]), *row[5:]) for row in rows]


def list_aside(tx: Tx, transaction_id: str) -> list[Waiting]:
    """What is set aside of one message."""
    rows = tx.execute(
        f"{_WAITING} where next_at = :never and transaction_id = :transaction_id order by recipient",
        never=NEVER,
        transaction_id=transaction_id,
    )
    return [Waiting(Lease(*row[:5]), *row[5:]) for row in rows]


def try_again(tx: Tx, now: int, transaction_id: str | None) -> int:
    """Make what is set aside due again, of one message or of all; how many recipients that are."""
    rows = tx.execute(
        """update outgoing_recipient set next_at = :now, stumbles = 0
        where next_at = :never and (cast(:transaction_id as text) is null or transaction_id = :transaction_id)
        returning 1""",
        now=now,
        never=NEVER,
        transaction_id=transaction_id,
    )
    tx.wake(TOPIC)
    return len(rows)


def refers_to(tx: Tx, digest: bytes) -> bool:
    """Whether outgoing mail needs this blob; asked by the sweeper."""
    return bool(tx.execute("select 1 from outgoing where blob = :digest limit 1", digest=digest))


def _outgoing(row: Row) -> Outgoing:
    account_id, transaction_id, sender, blob, prefix, octets, is_utf8, is_8bit, queued_at = row
    return Outgoing(account_id, transaction_id, sender, blob, prefix, octets, bool(is_utf8), bool(is_8bit), queued_at)


def drop_account(tx: Tx, account_id: int) -> list[bytes]:
    """Forget what a removed account still had to send; returns the blobs to release."""
    tx.execute("delete from outgoing_recipient where account_id = :account_id", account_id=account_id)
    rows = tx.execute("delete from outgoing where account_id = :account_id returning blob", account_id=account_id)
    return [blob for (blob,) in rows]
