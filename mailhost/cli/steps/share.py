"""Rights as the commands change and list them."""

from __future__ import annotations

from pathlib import Path

from mailhost import accounts, mailstore
from mailhost.accounts import Account
from mailhost.cli.share import ANYONE
from mailhost.cli.store import opened
from mailhost.errors import MailhostError
from mailhost.login.enrol import account_at
from mailhost.mailstore.account import EVERYBODY
from mailhost.mailstore.sharing import WHOLE_ACCOUNT, Grant, change_rights, list_grants, share_account
from mailhost.protocols.imap.rights import Right, letters_of
from mailhost.storage.database import Tx


class OwnMailbox(MailhostError):
    """An account was to be given rights on its own mailboxes."""


async def change_share(data: Path, owner: str, grantee: str, mailbox: str | None, rights: Right) -> tuple[str, str]:
    """The two addresses as they are known here."""
    async with opened(data) as store:
        return await store.database.write(_share, owner, grantee, mailbox, rights)


def _share(tx: Tx, owner: str, grantee: str, mailbox: str | None, rights: Right) -> tuple[str, str]:
    account = account_at(tx, owner)
    other: Account | None = None if grantee == ANYONE else account_at(tx, grantee)
    if other is not None and other.id == account.id:
        raise OwnMailbox(f"{account.address} has all rights on its own mailboxes.")
    grantee_id = EVERYBODY if other is None else other.id
    if mailbox is None:
        share_account(tx, account.id, grantee_id, rights)
    else:
        try:
            found = mailstore.find_mailbox(tx, account.id, mailbox)
        except mailstore.NoSuchMailbox as error:
            raise mailstore.NoSuchMailbox(f"{account.address} has no mailbox {mailbox}.") from error
        change_rights(tx, account.id, found.id, grantee_id, rights)
    return account.address, ANYONE if other is None else other.address


def list_shares(tx: Tx, owner: str) -> list[tuple[str, str, str]]:
    """(mailbox, grantee, rights); the mailbox is empty for those to come."""
    account = account_at(tx, owner)
    rows = []
    names = {WHOLE_ACCOUNT: ""} | {mailbox.id: mailbox.name for mailbox in mailstore.list_mailboxes(tx, account.id)}
    for mailbox_id, name in names.items():
        for grant in list_grants(tx, account.id, mailbox_id):
            rows += [(name, who, letters_of(rights)) for who, rights in _entries(tx, grant)]
    return rows


def _entries(tx: Tx, grant: Grant) -> list[tuple[str, Right]]:
    who = ANYONE if grant.grantee_id == EVERYBODY else accounts.get_account(tx, grant.grantee_id).address
    return [(name, rights) for name, rights in ((who, grant.granted), (f"-{who}", grant.denied)) if rights]
