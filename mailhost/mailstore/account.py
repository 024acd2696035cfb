"""The account's own row: counter, lock and fence of everything that changes in its mail store (DESIGN: modseq)."""

from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.model import NeverFits, NoSuchAccount, OverQuota, Usage
from mailhost.storage.database import Tx

EVERYBODY: Final = 0
"""Stands for every account of this server: `anyone` on the wire."""

MODSEQ_JUMP = 1_000_000
"""Added to every modseq after an unclean stop: more than can have been told in the second that a power cut may take."""


def store_topic(account_id: int) -> str:
    """Woken by every change in the account's mail store."""
    return f"store:{account_id}"


def mailboxes_topic(account_id: int) -> str:
    """Woken when the mailboxes that the account sees change, or its subscriptions; EVERYBODY's may concern any."""
    return f"mailboxes:{account_id}"


@dataclass(frozen=True, slots=True)
class Turn:
    """One change of an account: its modseq, and what the account's row says of labels (see layout.py)."""

    account_id: int
    modseq: int
    layout: str
    auto_expunge: int
    on_expunge: str
    switching: str
    """The layout that the account is on its way to, '' when it is where it should be (see switching.py)."""

    @property
    def is_gmail(self) -> bool:
        """Whether the account shows labels."""
        return self.layout == "gmail"


def add_row(tx: Tx, account_id: int, now: int, quota_octets: int, *, layout: str) -> None:
    """Make the account's row. UIDVALIDITY starts at the clock, so that an account made anew never repeats one."""
    tx.execute(
        """insert into mail_account (account_id, state, modseq, next_message_id, next_mailbox_id, next_uid_validity,
            quota_octets, used_octets, used_messages, retained_octets, layout)
        values (:account_id, 'live', 1, 1, 1, :now, :quota_octets, 0, 0, 0, :layout)""",
        account_id=account_id,
        now=now,
        quota_octets=quota_octets,
        layout=layout,
    )


def take_turn(tx: Tx, account_id: int) -> Turn:
    """Take the account's lock for this transaction and raise its modseq. Raises NoSuchAccount."""
    rows = tx.execute(
        """update mail_account set modseq = modseq + 1
        where account_id = :account_id and state = 'live'
        returning modseq, layout, auto_expunge, on_expunge, switching""",
        account_id=account_id,
    )
    if not rows:
        raise NoSuchAccount
    tx.wake(store_topic(account_id))
    return Turn(account_id, *rows[0])


def raise_modseq(tx: Tx, account_id: int) -> int:
    """`take_turn` for a change that is the same in each layout; returns the new modseq. Raises NoSuchAccount."""
    return take_turn(tx, account_id).modseq


def take_turns(tx: Tx, *account_ids: int) -> dict[int, Turn]:
    """`take_turn` for a transaction over several accounts, in ascending order, so that no two wait for each other."""
    return {account_id: take_turn(tx, account_id) for account_id in sorted(set(account_ids))}


def admit(tx: Tx, account_id: int, octets: int, count: int) -> tuple[Turn, int]:
    """Take the lock, count new messages in and reserve their ids: one statement, for every delivery runs it.

    Returns the turn and the first id. Raises NoSuchAccount, OverQuota, NeverFits.
    """
    rows = tx.execute(
        """update mail_account set modseq = modseq + 1, next_message_id = next_message_id + :count,
            used_octets = used_octets + :octets, used_messages = used_messages + :count
        where account_id = :account_id and state = 'live'
        returning next_message_id - :count, used_octets, quota_octets,
            used_messages <= coalesce(quota_messages, used_messages), modseq, layout, auto_expunge, on_expunge,
            switching""",
        account_id=account_id,
        octets=octets,
        count=count,
    )
    if not rows:
        raise NoSuchAccount
    first_id, used, quota, has_room, *row = rows[0]
    if used > quota:
        raise NeverFits if octets > quota else OverQuota
    if not has_room:
        raise OverQuota
    tx.wake(store_topic(account_id))
    return Turn(account_id, *row), first_id


def charge(tx: Tx, account_id: int, octets: int, messages: int, retained: int = 0) -> None:
    """Add to the account's usage. Raises OverQuota when an addition passes the quota."""
    [(used, quota, has_room)] = tx.execute(
        """update mail_account set used_octets = used_octets + :octets, used_messages = used_messages + :messages,
            retained_octets = retained_octets + :retained
        where account_id = :account_id
        returning used_octets, quota_octets, used_messages <= coalesce(quota_messages, used_messages)""",
        account_id=account_id,
        octets=octets,
        messages=messages,
        retained=retained,
    )
    if (octets > 0 and used > quota) or (messages > 0 and not has_room):
        raise OverQuota


def usage(tx: Tx, account_id: int) -> Usage:
    """What the account stores against its quota. Raises NoSuchAccount."""
    rows = tx.execute(
        """select used_octets, used_messages, quota_octets, retained_octets, quota_messages
        from mail_account where account_id = :account_id and state = 'live'""",
        account_id=account_id,
    )
    if not rows:
        raise NoSuchAccount
    return Usage(*rows[0])


def set_quota(tx: Tx, account_id: int, quota_octets: int, quota_messages: int | None = None) -> None:
    """Change the account's quota, in octets and, unless None, in messages; what is stored beyond it stays.

    Raises NoSuchAccount.
    """
    raise_modseq(tx, account_id)
    tx.execute(
        """update mail_account set quota_octets = :quota_octets, quota_messages = :quota_messages
        where account_id = :account_id""",
        account_id=account_id,
        quota_octets=quota_octets,
        quota_messages=quota_messages,
    )


def jump_modseqs(tx: Tx) -> None:
    """After an unclean stop: pass every modseq that can have been told and then lost with a relaxed write."""
    tx.execute("update mail_account set modseq = modseq + :jump", jump=MODSEQ_JUMP)
