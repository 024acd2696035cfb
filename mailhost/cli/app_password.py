"""`mailhost app-password`: what mail clients sign in with."""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from mailhost import accounts
from mailhost.accounts import ALL_PROTOCOLS, AppPassword, NoSuchAppPassword, Protocols, Scope
from mailhost.cli.options import NUMBER, Group, data_option, plainly
from mailhost.cli.store import opened, show_table
from mailhost.login.enrol import account_at, issue_app_password, replace_app_password
from mailhost.storage.database import Tx

_NAMES = {"imap": Protocols.IMAP, "pop3": Protocols.POP3, "smtp": Protocols.SMTP}
_DAY_SECONDS = 86_400


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
    protocols: Protocols | None,
    read_only: bool,
    send_only: bool,
    networks: tuple[str, ...],
    days: int | None,
    as_json: bool,
    data: Path,
) -> None:
    """Make an app password and show it, this once."""
    now = int(time.time())
    expires_at = now + days * _DAY_SECONDS if days else None
    scope = Scope(_chosen(protocols, read_only, send_only), read_only, networks, expires_at)

    async def work() -> tuple[AppPassword, str]:
        async with opened(data) as store:
            return await store.database.write(issue_app_password, store.key, address, name=name, now=now, scope=scope)

    _show_new(*asyncio.run(work()), as_json=as_json)


def _chosen(protocols: Protocols | None, read_only: bool, send_only: bool) -> Protocols:
    if read_only and send_only:
        raise click.UsageError("--read-only and --send-only leave nothing to do.")
    if send_only:
        if protocols not in (None, Protocols.SMTP):
            raise click.UsageError("--send-only is SMTP alone; leave --protocols out.")
        return Protocols.SMTP
    if protocols is None:
        return Protocols.IMAP | Protocols.POP3 if read_only else ALL_PROTOCOLS
    return protocols


def _show_new(made: AppPassword, secret: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_facts(made) | {"app_password": secret}))
        return
    click.echo(f"App password {made.id} ({made.name}), shown this once; blanks do not matter: {secret}")


def _facts(made: AppPassword) -> dict[str, object]:
    """What stands in JSON for every app password; what does not limit it is left out."""
    scope = made.scope
    facts: dict[str, object] = {
        "id": made.id,
        "name": made.name,
        "protocols": shown_protocols(scope.protocols).split(","),
    }
    if scope.read_only:
        facts["read_only"] = True
    if scope.networks:
        facts["from"] = list(scope.networks)
    if scope.expires_at is not None:
        facts["expires"] = shown_time(scope.expires_at)
    return facts


@app_password.command(name="list")
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each app password.")
@data_option
@plainly
def list_(address: str, as_json: bool, data: Path) -> None:
    """List the app passwords of an account, what each may, and when and how it was used last."""

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
            click.echo(json.dumps(_facts(one) | {"created": shown_time(one.created_at), "last_use": last}))
        return
    show_table(
        ("id", "name", "may", "created", "last use", "from", "by", "client"),
        [
            (
                str(one.id),
                one.name,
                _shown_scope(one.scope),
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


def _shown_scope(scope: Scope) -> str:
    words = [shown_protocols(scope.protocols)]
    if scope.read_only:
        words.append("only to read")
    if scope.networks:
        words.append("from " + ",".join(scope.networks))
    if scope.expires_at is not None:
        words.append("until " + shown_time(scope.expires_at))
    return " ".join(words)


@app_password.command()
@click.argument("address")
@click.argument("number", type=NUMBER)
@data_option
@plainly
def revoke(address: str, number: int, data: Path) -> None:
    """End an app password by its number; sessions that use it end too."""

    def work_on(tx: Tx) -> str:
        found = account_at(tx, address)
        try:
            accounts.revoke_app_password(tx, found.id, number, int(time.time()))
        except NoSuchAppPassword as error:
            raise _no_such(found.address, number) from error
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

    async def work() -> tuple[AppPassword, str]:
        async with opened(data) as store:
            key = store.key

            def work_on(tx: Tx) -> tuple[AppPassword, str]:
                found = account_at(tx, address)
                try:
                    return replace_app_password(tx, key, found.id, number, int(time.time()))
                except NoSuchAppPassword as error:
                    raise _no_such(found.address, number) from error

            return await store.database.write(work_on)

    _show_new(*asyncio.run(work()), as_json=as_json)


def _no_such(address: str, number: int) -> NoSuchAppPassword:
    return NoSuchAppPassword(f"{address} has no app password {number}.")


def shown_protocols(protocols: Protocols) -> str:
    """The names of protocols, divided by commas."""
    return ",".join(name for name, protocol in _NAMES.items() if protocols & protocol)


def shown_time(moment: int) -> str:
    """A Unix time, in UTC, to the minute."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%MZ")
