"""Who may do what with another account's mailboxes (RFC 4314): the owner everything, others what they were granted.

An account is an id here; that the id has an address is the business of those who call.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mailhost.errors import MailhostError
from mailhost.mailstore.account import mailboxes_topic, raise_modseq
from mailhost.protocols.imap.commands import RightsMode
from mailhost.protocols.imap.rights import ALL_RIGHTS, NO_RIGHTS, Right
from mailhost.storage.database import Row, Tx

WHOLE_ACCOUNT: Final = 0
"""The mailbox that stands for the account: what is granted on it, new mailboxes of the first level inherit."""

MAX_GRANTS: Final = 1_000
"""On one mailbox."""


class TooManyGrants(MailhostError):
    """The mailbox is shared with `MAX_GRANTS` others already."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one grantee was given on a mailbox, and what was taken away again."""

    grantee_id: int
    granted: Right
    denied: Right


def rights_topic(account_id: int, mailbox_id: int) -> str:
    """Woken when somebody's rights on the mailbox change."""
    return f"rights:{account_id}:{mailbox_id}"


def rights_of(tx: Tx, account_id: int, mailbox_id: int, grantee_id: int) -> Right:
    """What `grantee_id` may do with the mailbox: what it or everybody was granted, less what either was denied."""
    if account_id == grantee_id:
        return ALL_RIGHTS
    rows = tx.execute(
        """select granted, denied from mailbox_right
        where account_id = :account_id and mailbox_id = :mailbox_id and grantee_id in (:grantee_id, 0)""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        grantee_id=grantee_id,
    )
    return _together(rows)


def shared_with(tx: Tx, grantee_id: int) -> dict[int, dict[int, Right]]:
    """Account → mailbox → rights: everything of others that `grantee_id` may do something with."""
    rows = tx.execute(
        """select account_id, mailbox_id, granted, denied from mailbox_right
        where grantee_id in (:grantee_id, 0) and account_id <> :grantee_id order by account_id, mailbox_id""",
        grantee_id=grantee_id,
    )
    found: dict[int, dict[int, list[Row]]] = {}
    for account_id, mailbox_id, *bits in rows:
        found.setdefault(account_id, {}).setdefault(mailbox_id, []).append(tuple(bits))
    return {
        account_id: {mailbox_id: _together(bits) for mailbox_id, bits in mailboxes.items()}
        for account_id, mailboxes in found.items()
    }


def list_grants(tx: Tx, account_id: int, mailbox_id: int) -> list[Grant]:
    """What was granted and denied on a mailbox, by grantee."""
    rows = tx.execute(
        """select grantee_id, granted, denied from mailbox_right
        where account_id = :account_id and mailbox_id = :mailbox_id order by grantee_id""",
        account_id=account_id,
        mailbox_id=mailbox_id,
    )
    return [Grant(grantee_id, Right(granted), Right(denied)) for grantee_id, granted, denied in rows]


def change_rights(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    grantee_id: int,
    rights: Right,
    mode: RightsMode = RightsMode.REPLACE,
    *,
    is_negative: bool = False,
) -> None:
    """Grant or, with `is_negative`, deny rights on a mailbox to another account. Sessions that have it open hear of it.

    Raises NoSuchAccount, TooManyGrants.
    """
    raise_modseq(tx, account_id)
    known = {grant.grantee_id: grant for grant in list_grants(tx, account_id, mailbox_id)}
    old = known.get(grantee_id, Grant(grantee_id, NO_RIGHTS, NO_RIGHTS))
    before = old.denied if is_negative else old.granted
    after = {RightsMode.REPLACE: rights, RightsMode.ADD: before | rights, RightsMode.REMOVE: before & ~rights}[mode]
    new = Grant(grantee_id, old.granted, after) if is_negative else Grant(grantee_id, after, old.denied)
    if grantee_id not in known and len(known) >= MAX_GRANTS:
        raise TooManyGrants
    _put(tx, account_id, mailbox_id, new)
    tx.wake(rights_topic(account_id, mailbox_id))
    tx.wake(mailboxes_topic(grantee_id))


def share_account(tx: Tx, account_id: int, grantee_id: int, rights: Right) -> None:
    """Grant exactly these rights on every mailbox, and on those to come. Raises NoSuchAccount, TooManyGrants."""
    rows = tx.execute("select id from mailbox where account_id = :account_id order by id", account_id=account_id)
    for mailbox_id in (WHOLE_ACCOUNT, *(row[0] for row in rows)):
        change_rights(tx, account_id, mailbox_id, grantee_id, rights)
        change_rights(tx, account_id, mailbox_id, grantee_id, NO_RIGHTS, is_negative=True)


def inherit_rights(tx: Tx, account_id: int, mailbox_id: int, parent_id: int) -> None:
    """Give a new mailbox the rights of the one above it, or of the WHOLE_ACCOUNT (RFC 4314 §4, CREATE)."""
    rows = tx.execute(
        """insert into mailbox_right (account_id, mailbox_id, grantee_id, granted, denied)
        select account_id, :mailbox_id, grantee_id, granted, denied from mailbox_right
        where account_id = :account_id and mailbox_id = :parent_id returning grantee_id""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        parent_id=parent_id,
    )
    for (grantee_id,) in rows:
        tx.wake(mailboxes_topic(grantee_id))


def forget_mailbox(tx: Tx, account_id: int, mailbox_id: int) -> None:
    """The mailbox is deleted: it is shared with nobody, and what was noted beside it goes with it."""
    for grant in list_grants(tx, account_id, mailbox_id):
        tx.wake(mailboxes_topic(grant.grantee_id))
    for table in ("mailbox_right", "annotation"):
        tx.execute(
            f"delete from {table} where account_id = :account_id and mailbox_id = :mailbox_id",
            account_id=account_id,
            mailbox_id=mailbox_id,
        )
    tx.wake(rights_topic(account_id, mailbox_id))


def forget_account(tx: Tx, account_id: int) -> None:
    """The account is removed: nothing of it is shared any more, nothing with it, and what it noted is gone."""
    rows = tx.execute(
        "delete from mailbox_right where account_id = :account_id returning mailbox_id", account_id=account_id
    )
    for (mailbox_id,) in rows:
        tx.wake(rights_topic(account_id, mailbox_id))
    tx.execute("delete from mailbox_right where grantee_id = :account_id", account_id=account_id)
    tx.execute("delete from annotation where account_id = :id or reader_id = :id", id=account_id)


def _together(rows: Iterable[Row]) -> Right:
    granted = denied = 0
    for more, less in rows:
        granted |= more
        denied |= less
    return Right(granted & ~denied)


def _put(tx: Tx, account_id: int, mailbox_id: int, grant: Grant) -> None:
    if grant.granted or grant.denied:
        tx.execute(
            """insert into mailbox_right (account_id, mailbox_id, grantee_id, granted, denied)
            values (:account_id, :mailbox_id, :grantee_id, :granted, :denied)
            on conflict (account_id, mailbox_id, grantee_id) do update set granted = :granted, denied = :denied""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            grantee_id=grant.grantee_id,
            granted=int(grant.granted),
            denied=int(grant.denied),
        )
    else:
        tx.execute(
            """delete from mailbox_right
            where account_id = :account_id and mailbox_id = :mailbox_id and grantee_id = :grantee_id""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            grantee_id=grant.grantee_id,
        )
