"""`mailhost account`: who has an account here."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import click

from mailhost.cli.held import held
from mailhost.cli.labels import label, labels, layout
from mailhost.cli.options import LAYOUTS, Group, data_option, plainly
from mailhost.cli.rules import account_rules
from mailhost.cli.sign_ins import sign_ins
from mailhost.cli.two_step import reset_two_step

_LARGEST = 2**60  # what a column holds, with room to add up
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


class OctetsType(click.ParamType[int]):
    """A size such as 500M or 15G, in powers of 1,024."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of octets; ends the command in a sentence when it is none."""
        if isinstance(value, int):
            return value
        text = str(value).upper().removesuffix("B").removesuffix("I")
        number, unit = (text[:-1], text[-1]) if text and text[-1] in _UNITS else (text, "")
        if not number.isascii() or not number.isdigit() or not 0 < int(number[:20]) * _UNITS[unit] < _LARGEST:
            self.fail(f"{value!r} is no size; write it like 500M or 15G.", param, ctx)
        return int(number) * _UNITS[unit]


@click.group(cls=Group)
def account() -> None:
    """Accounts: the people who have mail here."""


account.add_command(sign_ins)
account.add_command(account_rules)
account.add_command(held)
account.add_command(layout)
account.add_command(labels)
account.add_command(label)
account.add_command(reset_two_step)


@account.command()
@click.argument("address")
@click.option("--password-stdin", is_flag=True, help="Read the account password from standard input, one line.")
@click.option("--quota", type=OctetsType(), help="Room for mail, such as 500M; else as in the settings.")
@click.option("--name", default="", help="The person's name, for people's eyes.")
@click.option("--layout", "shown", type=LAYOUTS, help="Folders or labels; else as its domain or the settings say.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@data_option
@plainly
def add(
    address: str, password_stdin: bool, quota: int | None, name: str, shown: str | None, as_json: bool, data: Path
) -> None:
    """Make an account with its mailboxes and its account password."""
    from mailhost.accounts import Account
    from mailhost.cli.steps.account import read_password
    from mailhost.cli.store import opened
    from mailhost.crypto import hash_password, new_password
    from mailhost.login.enrol import enrol
    from mailhost.mailstore import Layout

    password = read_password() if password_stdin else new_password()
    password_hash = hash_password(password)

    async def work() -> Account:
        async with opened(data) as store:
            return await store.database.write(
                enrol,
                address,
                password_hash=password_hash,
                now=int(time.time()),
                quota_octets=quota or store.config.limits.quota_octets,
                display_name=name,
                layout=None if shown is None else Layout(shown),
                default_layout=Layout(store.config.layout.value),
            )

    made = asyncio.run(work())
    shown_password = None if password_stdin else password
    if as_json:
        click.echo(json.dumps({"address": made.address, "password": shown_password}))
        return
    click.echo(f"{made.address} has an account.")
    if shown_password is not None:
        click.echo(f"Account password, for the web only and shown this once: {shown_password}")
    click.echo(f"A mail client needs an app password: mailhost app-password add {made.address} --name phone")


@account.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each account.")
@data_option
@plainly
def list_(as_json: bool, data: Path) -> None:
    """List the accounts with what they store."""
    from mailhost import mailstore
    from mailhost.accounts import Account
    from mailhost.cli.steps.account import page_of_accounts
    from mailhost.cli.store import opened, show_table
    from mailhost.limits import shown_size

    async def work() -> list[tuple[Account, mailstore.Usage]]:
        found: list[tuple[Account, mailstore.Usage]] = []
        async with opened(data) as store:
            while page := await store.database.read(page_of_accounts, found[-1][0].address if found else ""):
                found += page
        return found

    found = asyncio.run(work())
    if as_json:
        for one, usage in found:
            facts = {"address": one.address, "name": one.display_name, "state": one.state.value}
            sizes = {"messages": usage.used_messages, "octets": usage.used_octets, "quota": usage.quota_octets}
            click.echo(json.dumps(facts | sizes))
        return
    show_table(
        ("address", "name", "state", "messages", "stored", "quota"),
        [
            (
                one.address,
                one.display_name,
                one.state.value,
                str(usage.used_messages),
                shown_size(usage.used_octets),
                shown_size(usage.quota_octets),
            )
            for one, usage in found
        ],
        "There is no account yet: mailhost account add ADDRESS makes one.",
    )


@account.command()
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@plainly
def remove(address: str, yes: bool, data: Path) -> None:
    """Remove an account with all its mail, for good."""
    from mailhost import mailstore
    from mailhost.accounts import Account
    from mailhost.cli.steps.account import account_with_usage, remove_account
    from mailhost.cli.store import opened

    async def find() -> tuple[Account, mailstore.Usage]:
        async with opened(data) as store:
            return await store.database.read(account_with_usage, address)

    async def work() -> None:
        async with opened(data) as store:
            account_id = await store.database.write(remove_account, store.blobs, address)
            while await store.database.write(mailstore.erase_closed, store.blobs, account_id):
                pass  # interrupted here, the server goes on with it

    found, usage = asyncio.run(find())
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"Nobody is there to be asked whether {found.address} may go: say --yes.")
        click.confirm(f"Remove {found.address} and its {usage.used_messages:,} messages for good?", abort=True)
    asyncio.run(work())
    click.echo(f"{found.address} is gone, with its mail and its passwords.")


@account.command()
@click.argument("address")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input, one line, instead of making one.")
@data_option
@plainly
def password(address: str, password_stdin: bool, data: Path) -> None:
    """Give an account another password; all its app passwords end."""
    from mailhost.cli.steps.account import read_password
    from mailhost.cli.store import opened
    from mailhost.crypto import hash_password, new_password
    from mailhost.login.enrol import account_at, change_password
    from mailhost.storage.database import Tx

    new = read_password() if password_stdin else new_password()
    password_hash = hash_password(new)

    def change(tx: Tx) -> int:
        return change_password(tx, account_at(tx, address).id, password_hash, int(time.time()))

    async def work() -> int:
        async with opened(data) as store:
            return await store.database.write(change)

    revoked = asyncio.run(work())
    if not password_stdin:
        click.echo(f"Account password, for the web only and shown this once: {new}")
    click.echo(f"App passwords that ended with the old one: {revoked}.")


@account.command()
@click.argument("address")
@data_option
@plainly
def suspend(address: str, data: Path) -> None:
    """Let nobody sign in to an account; mail still arrives."""
    from mailhost.accounts import AccountState
    from mailhost.cli.steps.account import set_state

    click.echo(f"{asyncio.run(set_state(data, address, AccountState.SUSPENDED))} is suspended.")


@account.command()
@click.argument("address")
@data_option
@plainly
def resume(address: str, data: Path) -> None:
    """Let people sign in to a suspended account again."""
    from mailhost.accounts import AccountState
    from mailhost.cli.steps.account import set_state

    click.echo(f"{asyncio.run(set_state(data, address, AccountState.LIVE))} may be signed in to.")


@account.command()
@click.argument("address")
@click.argument("size", type=OctetsType())
@click.option(
    "--messages", type=click.IntRange(0, 2**53), help="Limit the number of messages, too; else it is not limited."
)
@data_option
@plainly
def quota(address: str, size: int, messages: int | None, data: Path) -> None:
    """Set how much room an account has for mail, such as 500M or 15G."""
    from mailhost.cli.steps.account import set_quota
    from mailhost.limits import shown_size

    limit = "" if messages is None else f" and at most {messages:,} messages"
    click.echo(f"{asyncio.run(set_quota(data, address, size, messages))} has room for {shown_size(size)}{limit}.")
