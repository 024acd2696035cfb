"""`mailhost app-password`: what mail clients sign in with."""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from mailhost import accounts
from mailhost.accounts import ALL_PROTOCOLS, AppPassword, NoSuchAppPassword, Protocols
from mailhost.cli.store import data_option, opened, plainly, show_table
from mailhost.login.enrol import account_at, issue_app_password
from mailhost.storage.database import Tx

_NAMES = {"imap": Protocols.IMAP, "pop3": Protocols.POP3, "smtp": Protocols.SMTP}


class ProtocolsType(click.ParamType[Protocols]):
    """Names of protocols, divided by commas."""

    name = "protocols"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Protocols:
        """The protocols; ends the command in a sentence when one has another name."""
        if isinstance(value, Protocols):
            return value
        chosen = Protocols(0)
        for name in str(value).lower().split(","):
            if name.strip() not in _NAMES:
                self.fail(f"{name.strip()!r} is none of imap, pop3, smtp.", param, ctx)
            chosen |= _NAMES[name.strip()]
        return chosen


@click.group(name="app-password")
def app_password() -> None:
    """App passwords: what mail clients sign in with."""


@app_password.command()
@click.argument("address")
@click.option("--name", required=True, help="What it is for, such as 'Anna's phone'.")
@click.option("--protocols", type=ProtocolsType(), default=ALL_PROTOCOLS, help="What it opens: imap,pop3,smtp.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@data_option
@plainly
def add(address: str, name: str, protocols: Protocols, as_json: bool, data: Path) -> None:
    """Make an app password and show it, this once."""

    async def work() -> tuple[AppPassword, str]:
        async with opened(data) as store:
            return await store.database.write(
                issue_app_password, store.key, address, name=name, protocols=protocols, now=int(time.time())
            )

    made, secret = asyncio.run(work())
    if as_json:
        facts = {"id": made.id, "name": made.name, "protocols": shown_protocols(made.protocols).split(",")}
        click.echo(json.dumps(facts | {"app_password": secret}))
        return
    click.echo(f"App password {made.id} ({made.name}), shown this once; blanks do not matter: {secret}")


@app_password.command(name="list")
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each app password.")
@data_option
@plainly
def list_(address: str, as_json: bool, data: Path) -> None:
    """List the app passwords of an account and when each was used last."""

    def find(tx: Tx) -> list[AppPassword]:
        return accounts.list_app_passwords(tx, account_at(tx, address).id)

    async def work() -> list[AppPassword]:
        async with opened(data) as store:
            return await store.database.read(find)

    found = asyncio.run(work())
    if as_json:
        for one in found:
            use = one.last_use
            last = None if use is None else {"at": shown_time(use.at), "peer": use.peer, "protocol": use.protocol}
            facts = {"id": one.id, "name": one.name, "protocols": shown_protocols(one.protocols).split(",")}
            click.echo(json.dumps(facts | {"created": shown_time(one.created_at), "last_use": last}))
        return
    show_table(
        ("id", "name", "protocols", "created", "last use", "from", "by"),
        [
            (
                str(one.id),
                one.name,
                shown_protocols(one.protocols),
                shown_time(one.created_at),
                shown_time(use.at) if (use := one.last_use) else "never",
                use.peer if use else "",
                use.protocol if use else "",
            )
            for one in found
        ],
    )


@app_password.command()
@click.argument("address")
@click.argument("number", type=int)
@data_option
@plainly
def revoke(address: str, number: int, data: Path) -> None:
    """End an app password by its number; sessions that use it end too."""

    def work_on(tx: Tx) -> str:
        found = account_at(tx, address)
        try:
            accounts.revoke_app_password(tx, found.id, number, int(time.time()))
        except NoSuchAppPassword as error:
            raise NoSuchAppPassword(f"{found.address} has no app password {number}.") from error
        return found.address

    async def work() -> str:
        async with opened(data) as store:
            return await store.database.write(work_on)

    click.echo(f"App password {number} of {asyncio.run(work())} is revoked.")


def shown_protocols(protocols: Protocols) -> str:
    """The names of protocols, divided by commas."""
    return ",".join(name for name, protocol in _NAMES.items() if protocols & protocol)


def shown_time(moment: int) -> str:
    """A Unix time, in UTC, to the minute."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%MZ")
