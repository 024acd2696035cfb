"""Work on whole mailboxes and accounts that goes on in steps: DELETE, RENAME of INBOX, the end of an account.

The first transaction makes it true for everybody: the name is gone, the new mailbox is there, the account is closed.
The rest is bounded steps, between which other writers pass. What a crash interrupts, maintenance goes on with.
Emptying the Trash goes the same way, but for its beginning: its messages go before everybody's eyes.
"""

from typing import Final

from mailhost.mailstore.account import take_turn
from mailhost.mailstore.copy import move
from mailhost.mailstore.expunge import entomb, entombed, expunge, remove_entombed
from mailhost.mailstore.labelnames import is_system
from mailhost.mailstore.labels import Labels, find_messages
from mailhost.mailstore.mailboxes import (
    create_mailbox,
    drop_empty_parents,
    find_mailbox,
    find_special,
    take_name_away,
    unsubscribe,
)
from mailhost.mailstore.model import INBOX, MAX_UID, BadMailboxName, NoSuchMailbox
from mailhost.mailstore.placing import release_unplaced
from mailhost.mailstore.sharing import forget_account
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx

STEP: Final = 500
"""Placements, or rows of a closed account, at a time: about 10 ms."""

_NOWHERE: Final = 0
_LARGE: Final = {
    "placement": "mailbox_id, uid",
    "tombstone": "mailbox_id, uid",
    "flag_change": "mailbox_id, modseq",
    "thread": "message_id",
    "thread_key": "key",
}
"""What an account can have many rows of, besides messages, and their keys within it."""
_SMALL: Final = ("mailbox", "subscription", "keyword", "sent_copy", "emptying", "diagnosis", "mail_account")


def delete_mailbox(tx: Tx, account_id: int, name: str, now: int) -> bool:
    """Delete a mailbox and its messages; a name with children stays as a name (RFC 9051 §6.3.5).

    The name goes now; True when messages are left to `empty_more`. Raises NoSuchMailbox, HasChildren, BadMailboxName.
    """
    turn = take_turn(tx, account_id)
    mailbox = find_mailbox(tx, account_id, name)
    if mailbox.name == INBOX:
        raise BadMailboxName("INBOX cannot be deleted.")
    if turn.is_gmail and is_system(mailbox.name):
        raise BadMailboxName("This mailbox cannot be deleted.")
    take_name_away(tx, account_id, mailbox, turn.modseq)
    if turn.is_gmail:
        drop_empty_parents(tx, account_id, mailbox.name)
        unsubscribe(tx, account_id, mailbox.name)  # CREATE subscribed it; no client may know
    if not mailbox.messages:
        return False
    _begin(tx, account_id, mailbox.id, _NOWHERE, mailbox.uid_next, mailbox.messages)
    return empty_more(tx, account_id, now)


def rename_inbox(tx: Tx, account_id: int, new_name: str, now: int) -> bool:
    """Make a mailbox and move all of INBOX into it; INBOX and its children stay (RFC 9051 §6.3.6).

    True when messages are left to `empty_more`. Raises what `create_mailbox` raises.
    """
    inbox = find_mailbox(tx, account_id, INBOX)
    target = create_mailbox(tx, account_id, new_name)
    if not inbox.messages:
        return False
    _begin(tx, account_id, inbox.id, target.id, inbox.uid_next, 0)
    return empty_more(tx, account_id, now)


def empty_special(tx: Tx, account_id: int, special_use: str, now: int) -> bool:
    """Remove what is in the Trash or in Spam by now, and not what comes later; the owner can undo it for 30 days.

    `special_use` is \\Trash or \\Junk. True when messages are left to `empty_more`. Raises NoSuchAccount.
    """
    take_turn(tx, account_id)
    mailbox = find_special(tx, account_id, special_use)
    if not mailbox.messages:
        return False
    tx.execute(
        """insert into emptying (account_id, mailbox_id, target_id, uid_next, messages)
        values (:account_id, :mailbox_id, :mailbox_id, :uid_next, 0)
        on conflict (account_id, mailbox_id, target_id) do update set uid_next = excluded.uid_next""",
        account_id=account_id,
        mailbox_id=mailbox.id,
        uid_next=mailbox.uid_next,
    )
    return empty_more(tx, account_id, now)


def empty_more(tx: Tx, account_id: int, now: int) -> bool:
    """Take the next step of whatever is being emptied in the account; returns whether there is more to do."""
    rows = tx.execute(
        "select mailbox_id, target_id, uid_next from emptying where account_id = :account_id limit 1",
        account_id=account_id,
    )
    if not rows:
        return False
    [(mailbox_id, target_id, uid_next)] = rows
    if target_id == _NOWHERE:
        is_done = _remove_step(tx, account_id, mailbox_id, now)
    elif target_id == mailbox_id:  # the mailbox itself stays
        is_done = _expunge_step(tx, account_id, mailbox_id, uid_next, now)
    else:
        is_done = _move_step(tx, account_id, mailbox_id, target_id, uid_next, now)
    if not is_done:
        return True
    tx.execute(
        "delete from emptying where account_id = :account_id and mailbox_id = :mailbox_id and target_id = :target_id",
        account_id=account_id,
        mailbox_id=mailbox_id,
        target_id=target_id,
    )
    return bool(tx.execute("select 1 from emptying where account_id = :account_id limit 1", account_id=account_id))


def accounts_with_steps_left(tx: Tx) -> list[int]:
    """The accounts in which something is still being emptied."""
    return [row[0] for row in tx.execute("select distinct account_id from emptying order by account_id")]


def _begin(tx: Tx, account_id: int, mailbox_id: int, target_id: int, uid_next: int, messages: int) -> None:
    tx.execute(
        """insert into emptying (account_id, mailbox_id, target_id, uid_next, messages)
        values (:account_id, :mailbox_id, :target_id, :uid_next, :messages)""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        target_id=target_id,
        uid_next=uid_next,
        messages=messages,
    )


def _remove_step(tx: Tx, account_id: int, mailbox_id: int, now: int) -> bool:
    turn = take_turn(tx, account_id)
    if turn.is_gmail:  # a label is taken away; the messages stay in All Mail
        found = find_messages(tx, account_id, mailbox_id, [(1, MAX_UID)], limit=STEP)
        Labels(tx, turn, now).remove(mailbox_id, [message_id for _, message_id in found])
        count = len(found)
    else:
        modseq = turn.modseq
        count = len(entomb(tx, account_id, mailbox_id, modseq, [(1, MAX_UID)], now, wanted=0, limit=STEP))
        remove_entombed(tx, account_id, mailbox_id, modseq, entombed(tx, account_id, mailbox_id, modseq))
        release_unplaced(tx, account_id, mailbox_id, modseq, now)
    tx.execute(
        """update emptying set messages = messages - :count
        where account_id = :account_id and mailbox_id = :mailbox_id and target_id = :nowhere""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        nowhere=_NOWHERE,
        count=count,
    )
    if count == STEP:
        return False
    tx.execute(
        "delete from flag_change where account_id = :account_id and mailbox_id = :mailbox_id",
        account_id=account_id,
        mailbox_id=mailbox_id,
    )
    return True


def _expunge_step(tx: Tx, account_id: int, mailbox_id: int, uid_next: int, now: int) -> bool:
    try:
        gone = expunge(tx, account_id, mailbox_id, [(1, uid_next - 1)], now, only_deleted=False, limit=STEP)
    except NoSuchMailbox:  # somebody deleted it meanwhile, and its messages
        return True
    return len(gone) < STEP


def _move_step(tx: Tx, account_id: int, mailbox_id: int, target_id: int, uid_next: int, now: int) -> bool:
    uids = tx.execute(
        """select uid from placement
        where account_id = :account_id and mailbox_id = :mailbox_id and uid < :uid_next order by uid limit :step""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        uid_next=uid_next,
        step=STEP,
    )
    if uids:
        try:
            move(tx, account_id, mailbox_id, target_id, [(uids[0][0], uids[-1][0])], now)
        except NoSuchMailbox:  # somebody deleted the target meanwhile: what is left stays where it is
            return True
    return len(uids) < STEP


def close_store(tx: Tx, account_id: int) -> None:
    """An account's mail ends: nothing can be done with it from now on. `erase_closed` takes it away."""
    tx.execute("update mail_account set state = 'closed' where account_id = :account_id", account_id=account_id)
    forget_account(tx, account_id)
    tx.wake(f"mailboxes:{account_id}")


def closed_accounts(tx: Tx) -> list[int]:
    """The accounts whose mail is still being erased."""
    return [row[0] for row in tx.execute("select account_id from mail_account where state = 'closed'")]


def erase_closed(tx: Tx, blobs: Blobs, account_id: int) -> bool:
    """Erase a part of a closed account's rows, for good; the sweeper erases the bytes. Call until it returns False."""
    if not tx.execute(
        "select 1 from mail_account where account_id = :account_id and state = 'closed'", account_id=account_id
    ):
        return False
    erased = tx.execute(
        """delete from message where account_id = :account_id and id in (
            select id from message where account_id = :account_id limit :step)
        returning blob""",
        account_id=account_id,
        step=STEP,
    )
    for digest in {row[0] for row in erased}:
        blobs.release(tx, digest)
    if erased:
        return True
    for table, key in _LARGE.items():
        if tx.execute(
            f"""delete from {table} where account_id = :account_id and ({key}) in (
                select {key} from {table} where account_id = :account_id limit :step)
            returning 1""",
            account_id=account_id,
            step=STEP,
        ):
            return True
    for table in _SMALL:
        tx.execute(f"delete from {table} where account_id = :account_id", account_id=account_id)
    return False
