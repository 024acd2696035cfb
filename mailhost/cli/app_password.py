"""`mailhost app-password`: what mail clients sign in with."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from mailhost.cli.options import NUMBER, Group, data_option, plainly

_DAY_SECONDS = 86_400


class ProtocolsType(click.ParamType[frozenset[str]]):
    """Names of protocols, divided by commas."""

    name = "protocols"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        """The protocols; ends the command in a sentence when one has another name."""
        if isinstance(value, frozenset):
            return value
        chosen = frozenset(name.strip() for name in str(value).lower().split(","))
        for name in sorted(chosen - {"imap", "pop3", "smtp"}):
            self.fail(f"{name!r} is none of imap, pop3, smtp.", param, ctx)
        return chosen


@click.group(name="app-password", cls=Group)
def app_password() -> None:
    """App passwords: what mail clients sign in with."""


@app_password.command()
@click.argument("address")
@click.option("--name", required=True, help="What it is for, such as 'Anna's phone'.")
@click.option("--protocols", type=ProtocolsType(), help="What it opens: imap,pop3,smtp. All when nothing is said.")
@click.option("--read-only", is_flag=True, help="It may read mail and change nothing, nor send.")
@click.option("--send-only", is_flag=True, help="It may send and nothing else.")
@click.option("--from", "networks", multiple=True, help="Where it may be used, such as 192.0.2.0/24; may be repeated.")
@click.option("--days", type=click.IntRange(1, 36_500), help="It expires after so many days.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@data_option
@plainly
def add(
    address: str,
    name: str,
    protocols: frozenset[str] | None,
    read_only: bool,
    send_only: bool,
    networks: tuple[str, ...],
    days: int | None,
    as_json: bool,
    data: Path,
) -> None:
    """Make an app password and show it, this once."""
    from mailhost.accounts import AppPassword, Scope
    from mailhost.cli.steps.app_password import chosen_protocols, show_new
    from mailhost.cli.store import opened
    from mailhost.login.enrol import issue_app_password

    now = int(time.time())
    expires_at = now + days * _DAY_SECONDS if days else None
    scope = Scope(chosen_protocols(protocols, read_only, send_only), read_only, networks, expires_at)

    async def work() -> tuple[AppPassword, str]:
        async with opened(data) as store:
            return await store.database.write(issue_app_password, store.key, address, name=name, now=now, scope=scope)

    show_new(*asyncio.run(work()), as_json=as_json)


@app_password.command(name="list")
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each app password.")
@data_option
@plainly
def list_(address: str, as_json: bool, data: Path) -> None:
    """List the app passwords of an account, what each may, and when and how it was used last."""
    from mailhost import accounts
    from mailhost.accounts import AppPassword
    from mailhost.cli.steps.app_password import facts_of, shown_scope
    from mailhost.cli.store import opened, show_table
    from mailhost.login.enrol import account_at
    from mailhost.storage.database import Tx

    def find(tx: Tx) -> list[AppPassword]:
        return accounts.list_app_passwords(tx, account_at(tx, address).id)

    async def work() -> list[AppPassword]:
        async with opened(data) as store:
            return await store.database.read(find)

    found = asyncio.run(work())
    if as_json:
        for one in found:
            use = one.last_use
            last: dict[str, str | None] | None = None
            if use is not None:
                last = {"at": shown_time(use.at), "peer": use.peer, "protocol": use.protocol}
                last |= {"client": use.client_id, "tls": use.tls, "network": use.network}
            click.echo(json.dumps(facts_of(one) | {"created": shown_time(one.created_at), "last_use": last}))
        return
    show_table(
        ("id", "name", "may", "created", "last use", "from", "by", "client"),
        [
            (
                str(one.id),
                one.name,
                shown_scope(one.scope),
                shown_time(one.created_at),
                shown_time(use.at) if (use := one.last_use) else "never",
                use.peer if use else "",
                use.protocol if use else "",
                use.client_id if use else "",
            )
            for one in found
        ],
        f"{address} has no app password: mailhost app-password add {address} --name phone makes one.",
    )


@app_password.command()
@click.argument("address")
@click.argument("number", type=NUMBER)
@data_option
@plainly
def revoke(address: str, number: int, data: Path) -> None:
    """End an app password by its number; sessions that use it end too."""
    from mailhost import accounts
    from mailhost.accounts import NoSuchAppPassword
    from mailhost.cli.steps.app_password import no_such
    from mailhost.cli.store import opened
    from mailhost.login.enrol import account_at
    from mailhost.storage.database import Tx

    def work_on(tx: Tx) -> str:
        found = account_at(tx, address)
        try:
            accounts.revoke_app_password(tx, found.id, number, int(time.time()))
        except NoSuchAppPassword as error:
            raise no_such(found.address, number) from error
        return found.address

    async def work() -> str:
        async with opened(data) as store:
            return await store.database.write(work_on)

    click.echo(f"App password {number} of {asyncio.run(work())} is revoked.")


@app_password.command()
@click.argument("address")
@click.argument("number", type=NUMBER)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@data_option
@plainly
def replace(address: str, number: int, as_json: bool, data: Path) -> None:
    """Make a new app password for a new device in the place of an old one, which ends."""
    from mailhost.accounts import AppPassword, NoSuchAppPassword
    from mailhost.cli.steps.app_password import no_such, show_new
    from mailhost.cli.store import opened
    from mailhost.login.enrol import account_at, replace_app_password
    from mailhost.storage.database import Tx

    async def work() -> tuple[AppPassword, str]:
        async with opened(data) as store:
            key = store.key

            def work_on(tx: Tx) -> tuple[AppPassword, str]:
                found = account_at(tx, address)
                try:
                    return replace_app_password(tx, key, found.id, number, int(time.time()))
                except NoSuchAppPassword as error:
                    raise no_such(found.address, number) from error

            return await store.database.write(work_on)

    show_new(*asyncio.run(work()), as_json=as_json)


def shown_time(moment: int) -> str:
    """A Unix time, in UTC, to the minute."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%MZ")
