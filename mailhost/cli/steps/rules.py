"""Rules as text: read, changed and shown."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import msgspec
from msgspec import structs

from mailhost.cli.store import opened
from mailhost.limits import Rules, Unusual
from mailhost.storage.database import Tx

_UNSET: Final = "default"
_SWITCHES: Final = frozenset({"imap", "pop3", "smtp"})


def changed_rules(rules: Rules, changes: tuple[str, ...]) -> Rules:
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


def run_and_show(work: Callable[[Tx], Rules], data: Path, else_: str) -> None:
    """Do the work, then show the rules; `else_` says what holds where there are none."""

    async def run() -> Rules:
        async with opened(data) as store:
            return await store.database.write(work)

    _show(asyncio.run(run()), else_)
