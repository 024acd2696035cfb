"""`mailhost account rules` and `mailhost domain rules`: protocols and limits that differ from the settings."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import msgspec
from msgspec import structs

from mailhost import accounts, domains
from mailhost.cli.options import data_option, plainly
from mailhost.cli.store import opened
from mailhost.limits import Rules, Unusual
from mailhost.login.enrol import account_at, domain_at
from mailhost.storage.database import Tx

_UNSET: Final = "default"
_SWITCHES: Final = frozenset({"imap", "pop3", "smtp"})


def _changed(rules: Rules, changes: tuple[str, ...]) -> Rules:
    """The rules with changes such as `imap=off` and `imap_connections=20`."""
    for change in changes:
        name, sign, text = change.partition("=")
        name, text = name.strip().replace("-", "_"), text.strip().lower()
        if not sign or name not in Rules.__struct_fields__:
            known = ", ".join(sorted(Rules.__struct_fields__))
            raise click.UsageError(f"{change!r} is no rule; write name=value with one of: {known}.")
        try:
            one = msgspec.convert({name: None if text == _UNSET else _value(text)}, Rules)
        except msgspec.ValidationError as error:
            raise click.UsageError(f"{change!r} does not fit: {name} is {_possible(name)}, or default.") from error
        rules = structs.replace(rules, **{name: getattr(one, name)})
    return rules


def _value(text: str) -> object:
    if text in ("on", "off"):
        return text == "on"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else text


def _possible(name: str) -> str:
    if name in _SWITCHES:
        return "on or off"
    return " or ".join(each.value for each in Unusual) if name == "unusual" else "a whole number from 1 on"


def _show(rules: Rules, else_: str) -> None:
    """One rule a line, as it can be typed."""
    found = {name: value for name, value in structs.asdict(rules).items() if value is not None}
    for name, value in found.items():
        shown = ("off", "on")[value] if isinstance(value, bool) else msgspec.to_builtins(value)
        click.echo(f"{name}={shown}")
    if not found:
        click.echo(f"No rules of its own: {else_}", err=True)


def _run(work: Callable[[Tx], Rules], data: Path, else_: str) -> None:
    async def run() -> Rules:
        async with opened(data) as store:
            return await store.database.write(work)

    _show(asyncio.run(run()), else_)


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

    _run(work, data, "those of the domain hold, and the settings.")


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

    _run(work, data, "the settings hold.")
