"""`mailhost share`: who may use whose mailboxes, as IMAP shows them below `Other Users/`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Final

import click

from mailhost import accounts, mailstore
from mailhost.accounts import Account
from mailhost.cli.options import Group, data_option, plainly
from mailhost.cli.store import opened, show_table
from mailhost.errors import MailhostError
from mailhost.login.enrol import account_at
from mailhost.mailstore.account import EVERYBODY
from mailhost.mailstore.sharing import WHOLE_ACCOUNT, Grant, change_rights, list_grants, share_account
from mailhost.protocols.imap.rights import LETTERS, NO_RIGHTS, InvalidRights, Right, letters_of, parse_rights
from mailhost.storage.database import Tx

ANYONE: Final = "anyone"

_ROLES: Final = {"read": "lr", "write": "lrswite", "all": LETTERS.replace("a", "")}
"""What `--rights` takes beside letters. Only the owner passes rights on, unless `a` is named."""


class OwnMailbox(MailhostError):
    """An account was to be given rights on its own mailboxes."""


class RightsType(click.ParamType[Right]):
    """Rights as a word or as letters of RFC 4314."""

    name = "rights"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Right:
        """The rights; ends the command in a sentence when a letter is none."""
        if isinstance(value, Right):
            return value
        try:
            return parse_rights(_ROLES.get(str(value), str(value)))
        except InvalidRights as error:
            self.fail(f"there is no right {error}; say {', '.join(_ROLES)} or letters of {LETTERS}.", param, ctx)


@click.group(cls=Group)
def share() -> None:
    """Mailboxes that others may use, in their mail programs below "Other Users"."""


_owner = click.argument("owner")
_grantee = click.argument("grantee")
_mailbox = click.option("--mailbox", help="One mailbox, such as INBOX or work/plans; else the whole account.")


@share.command()
@_owner
@_grantee
@_mailbox
@click.option("--rights", type=RightsType(), default="read", show_default=True, help="read, write, all or letters.")
@data_option
@plainly
def add(owner: str, grantee: str, mailbox: str | None, rights: Right, data: Path) -> None:
    """Let GRANTEE, an address or "anyone", use mailboxes of OWNER. A whole account includes mailboxes to come."""
    names = asyncio.run(_change(data, owner, grantee, mailbox, rights))
    what = f"the mailbox {mailbox}" if mailbox else "all mailboxes"
    click.echo(f"{names[1]} may use {what} of {names[0]}, with the rights {letters_of(rights)}.")


@share.command()
@_owner
@_grantee
@_mailbox
@data_option
@plainly
def remove(owner: str, grantee: str, mailbox: str | None, data: Path) -> None:
    """Let GRANTEE no longer use mailboxes of OWNER. Open sessions hear of it at once."""
    names = asyncio.run(_change(data, owner, grantee, mailbox, NO_RIGHTS))
    what = f"the mailbox {mailbox}" if mailbox else "any mailbox"
    click.echo(f"{names[1]} may not use {what} of {names[0]}.")


@share.command(name="list")
@_owner
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each mailbox and grantee.")
@data_option
@plainly
def list_(owner: str, as_json: bool, data: Path) -> None:
    """List who may use the mailboxes of OWNER; a hyphen before a name takes rights away from it again."""

    async def work() -> list[tuple[str, str, str]]:
        async with opened(data) as store:
            return await store.database.read(_list, owner)

    rows = asyncio.run(work())
    if as_json:
        for mailbox, grantee, rights in rows:
            click.echo(json.dumps({"mailbox": mailbox or None, "grantee": grantee, "rights": rights}))
        return
    show_table(
        ("mailbox", "who", "rights"),
        [(mailbox or "(to come)", grantee, rights) for mailbox, grantee, rights in rows],
        f"{owner} shares no mailbox.",
    )


async def _change(data: Path, owner: str, grantee: str, mailbox: str | None, rights: Right) -> tuple[str, str]:
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


def _list(tx: Tx, owner: str) -> list[tuple[str, str, str]]:
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
