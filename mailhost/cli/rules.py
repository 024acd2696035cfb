"""`mailhost account rules` and `mailhost domain rules`: protocols and limits that differ from the settings."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import msgspec
from msgspec import structs

from mailhost import accounts, domains
from mailhost.cli.store import data_option, opened, plainly
from mailhost.limits import Rules
from mailhost.login.enrol import account_at, domain_at
from mailhost.storage.database import Tx

_UNSET: Final = "default"


def _changed(rules: Rules, changes: tuple[str, ...]) -> Rules:
    """The rules with changes such as `imap=off` and `imap_connections=20`."""
    chosen = structs.asdict(rules)
    for change in changes:
        name, sign, text = change.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or name not in chosen:
            known = ", ".join(sorted(chosen))
            raise click.UsageError(f"{change!r} is no rule; write name=value with one of: {known}.")
        chosen[name] = None if text == _UNSET else _value(text.strip().lower())
    try:
        return msgspec.convert(chosen, Rules)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"A rule has a value that does not fit: {error}.") from error


def _value(text: str) -> object:
    if text in ("on", "off"):
        return text == "on"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else text


def _show(rules: Rules) -> None:
    click.echo(json.dumps(msgspec.to_builtins(rules)))


def _run(work: Callable[[Tx], Rules], data: Path) -> None:
    async def run() -> Rules:
        async with opened(data) as store:
            return await store.database.write(work)

    _show(asyncio.run(run()))


@click.command(name="rules")
@click.argument("address")
@click.argument("changes", nargs=-1)
@data_option
@plainly
def account_rules(address: str, changes: tuple[str, ...], data: Path) -> None:
    """Show or change what one account may, such as imap=off imap_connections=20 imap_download=5000000000 unusual=alert.

    NAME=default leaves it to the domain again. Sessions heed it when they sign in next.
    """

    def work(tx: Tx) -> Rules:
        account = account_at(tx, address)
        rules = _changed(accounts.rules_of_account(tx, account.id), changes)
        if changes:
            accounts.set_rules(tx, account.id, rules)
        return rules

    _run(work, data)


@click.command(name="rules")
@click.argument("name")
@click.argument("changes", nargs=-1)
@data_option
@plainly
def domain_rules(name: str, changes: tuple[str, ...], data: Path) -> None:
    """Show or change what the accounts of a domain may; as `mailhost account rules`, whose rules go first."""

    def work(tx: Tx) -> Rules:
        domain = domain_at(tx, name)
        rules = _changed(domains.rules_of_domain(tx, domain.id), changes)
        if changes:
            domains.set_rules(tx, domain.id, rules)
        return rules

    _run(work, data)
