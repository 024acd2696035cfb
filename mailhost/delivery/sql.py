"""The rows deliveries keep for themselves: receipts, what was submitted within a day, and who has a maildrop open."""

from typing import Final

from mailhost.storage.database import Tx

DAY: Final = 86_400
REPETITION_SECONDS: Final = 60
"""After a kill, what was received in the last seconds before it may not have been answered."""
REPETITION_DAYS: Final = 7
"""Longer than senders try."""
_BATCH: Final = 1_000


def account_with_room(tx: Tx, address: str) -> int | None:
    """The live account of this normalised address, unless it is full: what nearly every RCPT asks for."""
    rows = tx.execute(
        """select account.id from account join mail_account on mail_account.account_id = account.id
        where account.address = :address and account.state = 'live' and mail_account.state = 'live'
            and mail_account.used_octets < mail_account.quota_octets
            and coalesce(mail_account.used_messages < mail_account.quota_messages, true)""",
        address=address,
    )
    return int(rows[0][0]) if rows else None


def make_receipt(tx: Tx, account_id: int, transaction_id: str, sender: str, content: bytes, now: int) -> bool:
    """Note that this transaction puts a message into the account; False when it has done so already."""
    return bool(
        tx.execute(
            """insert into receipt (account_id, transaction_id, sender, content, received_at)
            values (:account_id, :transaction_id, :sender, :content, :now)
            on conflict (account_id, transaction_id) do nothing returning 1""",
            account_id=account_id,
            transaction_id=transaction_id,
            sender=sender,
            content=content,
            now=now,
        )
    )


def take_repetition(tx: Tx, account_id: int, sender: str, content: bytes) -> bool:
    """Whether the sender repeats a message whose fate it may not have learnt; true once for each such message."""
    return bool(
        tx.execute(
            """delete from unanswered
            where account_id = :account_id and content = :content and sender = :sender returning 1""",
            account_id=account_id,
            sender=sender,
            content=content,
        )
    )


def expect_repetition(tx: Tx, account_id: int, transaction_id: str) -> None:
    """The message is in this account, but the sender will be told to come again: its next try must not double it."""
    tx.execute(
        """insert into unanswered (account_id, content, sender, received_at)
        select account_id, content, sender, received_at from receipt
        where account_id = :account_id and transaction_id = :transaction_id
        on conflict (account_id, content, sender) do nothing""",
        account_id=account_id,
        transaction_id=transaction_id,
    )


def expect_repetitions(tx: Tx) -> None:
    """After an unclean stop: the last messages before it may be repeated by senders that heard no answer."""
    tx.execute(
        """insert into unanswered (account_id, content, sender, received_at)
        select account_id, content, sender, received_at from receipt
        where received_at >= (select max(received_at) from receipt) - :seconds
        on conflict (account_id, content, sender) do nothing""",
        seconds=REPETITION_SECONDS,
    )


def forget_receipts(tx: Tx, now: int) -> bool:
    """Delete receipts older than a day, a batch of them, and what senders did not repeat for longer than they try;
    whether there may be more."""
    tx.execute("delete from unanswered where received_at < :oldest", oldest=now - REPETITION_DAYS * DAY)
    rows = tx.execute(
        """delete from receipt where (account_id, transaction_id) in (
            select account_id, transaction_id from receipt where received_at < :oldest limit :batch) returning 1""",
        oldest=now - DAY,
        batch=_BATCH,
    )
    return len(rows) == _BATCH


def count_submissions(tx: Tx, account_id: int, now: int) -> int:
    """How many messages the account submitted in the last 24 hours."""
    [(count,)] = tx.execute(
        "select count(*) from submission where account_id = :account_id and submitted_at > :since",
        account_id=account_id,
        since=now - DAY,
    )
    return int(count)


def note_submission(tx: Tx, account_id: int, transaction_id: str, recipients: int, now: int) -> bool:
    """Count a submission and forget those older than a day; False when this transaction was counted already."""
    tx.execute(
        "delete from submission where account_id = :account_id and submitted_at <= :oldest",
        account_id=account_id,
        oldest=now - DAY,
    )
    return bool(
        tx.execute(
            """insert into submission (account_id, transaction_id, submitted_at, recipients)
            values (:account_id, :transaction_id, :now, :recipients)
            on conflict (account_id, transaction_id) do nothing returning 1""",
            account_id=account_id,
            transaction_id=transaction_id,
            now=now,
            recipients=recipients,
        )
    )


def take_maildrop(tx: Tx, account_id: int, holder: str, now: int, seconds: int) -> bool:
    """Take or renew the account's maildrop lease; False while somebody else holds it."""
    return bool(
        tx.execute(
            """insert into maildrop_lease (account_id, holder, lease_until) values (:account_id, :holder, :until)
            on conflict (account_id) do update set holder = :holder, lease_until = :until
            where maildrop_lease.holder = :holder or maildrop_lease.lease_until <= :now returning 1""",
            account_id=account_id,
            holder=holder,
            until=now + seconds,
            now=now,
        )
    )


def release_maildrop(tx: Tx, account_id: int, holder: str) -> None:
    """Give the lease back, unless it was lost."""
    tx.execute(
        "delete from maildrop_lease where account_id = :account_id and holder = :holder",
        account_id=account_id,
        holder=holder,
    )


def release_all_maildrops(tx: Tx) -> None:
    """Nobody holds any maildrop."""
    tx.execute("delete from maildrop_lease")


def drop_account(tx: Tx, account_id: int) -> None:
    """Forget a removed account."""
    for statement in (
        "delete from receipt where account_id = :account_id",
        "delete from unanswered where account_id = :account_id",
        "delete from submission where account_id = :account_id",
        "delete from maildrop_lease where account_id = :account_id",
    ):
        tx.execute(statement, account_id=account_id)
