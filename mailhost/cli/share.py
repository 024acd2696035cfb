"""`mailhost share`: who may use whose mailboxes, as IMAP shows them below `Other Users/`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Final

import click

from mailhost.cli.options import Group, data_option, plainly
from mailhost.protocols.imap.rights import LETTERS, NO_RIGHTS, InvalidRights, Right, letters_of, parse_rights

ANYONE: Final = "anyone"

_ROLES: Final = {"read": "lr", "write": "lrswite", "all": LETTERS.replace("a", "")}
"""What `--rights` takes beside letters. Only the owner passes rights on, unless `a` is named."""


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
    from mailhost.cli.steps.share import change_share

    names = asyncio.run(change_share(data, owner, grantee, mailbox, rights))
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
    from mailhost.cli.steps.share import change_share

    names = asyncio.run(change_share(data, owner, grantee, mailbox, NO_RIGHTS))
    what = f"the mailbox {mailbox}" if mailbox else "any mailbox"
    click.echo(f"{names[1]} may not use {what} of {names[0]}.")


@share.command(name="list")
@_owner
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each mailbox and grantee.")
@data_option
@plainly
def list_(owner: str, as_json: bool, data: Path) -> None:
    """List who may use the mailboxes of OWNER; a hyphen before a name takes rights away from it again."""
    from mailhost.cli.steps.share import list_shares
    from mailhost.cli.store import opened, show_table

    async def work() -> list[tuple[str, str, str]]:
        async with opened(data) as store:
            return await store.database.read(list_shares, owner)

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
