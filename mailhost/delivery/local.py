"""Putting a received message into accounts: one short transaction each, under a key that lets no retry double it."""

import asyncio
from collections.abc import Sequence

from mailhost.delivery.model import NoSuchUser, Office, Origin, Recipient, RecipientFull, RecipientTooSmall
from mailhost.delivery.sql import expect_repetition, make_receipt, take_repetition
from mailhost.delivery.trace import delivery_prefix
from mailhost.errors import MailhostError
from mailhost.mailstore.append import append
from mailhost.mailstore.mailboxes import inbox_of
from mailhost.mailstore.model import Incoming, NeverFits, NewMessage, NoSuchAccount, OverQuota
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx
from mailhost.storage.errors import StorageError, StorageFull

Outcome = MailhostError | None
"""How one account's delivery ended: None when it is committed, else why not."""


def place(
    tx: Tx, blobs: Blobs, account_id: int, message: NewMessage, transaction_id: str, sender: str, now: int
) -> None:
    """Put a message into an account's INBOX, once a transaction. Raises OverQuota, NoSuchAccount.

    A sender that repeats a message because it never heard our answer is told yes, and nothing is doubled.
    """
    content = message.incoming.blob.digest
    if not make_receipt(tx, account_id, transaction_id, sender, content, now):
        return
    if message.incoming.digest.message_id and take_repetition(tx, account_id, sender, content):
        return
    append(tx, blobs, account_id, inbox_of(tx, account_id), [message], now)


async def deliver(
    office: Office, incoming: Incoming, origin: Origin, recipients: Sequence[Recipient]
) -> dict[int, Outcome]:
    """Deliver to each account among the recipients, all at once; returns the outcome of each account.

    An account that several recipients name gets one message, traced by the first of them.
    """
    firsts: dict[int, Recipient] = {}
    for recipient in recipients:
        firsts.setdefault(recipient.account_id, recipient)
    if len(firsts) == 1:
        [only] = firsts.values()
        outcomes = {only.account_id: await _deliver_one(office, incoming, origin, only)}
    else:
        async with asyncio.TaskGroup() as group:
            tasks = {
                account_id: group.create_task(_deliver_one(office, incoming, origin, recipient))
                for account_id, recipient in firsts.items()
            }
        outcomes = {account_id: task.result() for account_id, task in tasks.items()}
    if not any(isinstance(error, StorageError) and not isinstance(error, StorageFull) for error in outcomes.values()):
        await office.blobs.drop(incoming.blob)
    return outcomes


async def expect_to_come_again(office: Office, origin: Origin, outcomes: dict[int, Outcome]) -> None:
    """The whole message is about to be refused for now: where it is in already, its next coming must not double it."""
    for account_id, outcome in outcomes.items():
        if outcome is None:
            await office.database.write(expect_repetition, account_id, origin.transaction_id)


async def _deliver_one(office: Office, incoming: Incoming, origin: Origin, recipient: Recipient) -> Outcome:
    now = int(office.clock())
    message = NewMessage(incoming, now, delivery_prefix(origin, office.host, recipient.address, now))
    try:
        await office.database.write(
            place,
            office.blobs,
            recipient.account_id,
            message,
            origin.transaction_id,
            str(origin.sender or ""),
            now,
        )
    except NeverFits:
        return RecipientTooSmall(str(recipient.address))
    except OverQuota:
        return RecipientFull(str(recipient.address))
    except NoSuchAccount:  # removed since RCPT
        return NoSuchUser(str(recipient.address))
    except MailhostError as error:
        return error
    return None
