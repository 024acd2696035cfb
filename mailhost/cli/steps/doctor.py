"""A diagnosis on the terminal: what options mean, progress while it is made, the report."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markup import escape

from mailhost.cli.diagnosis import EXIT_CODES, Sheet
from mailhost.config.model import name_server
from mailhost.doctor.catalogue import Language
from mailhost.doctor.names import Resolver
from mailhost.doctor.report import Report
from mailhost.doctor.targets import BadSetting, Protocol, Target, parse_target
from mailhost.doctor.world import World

_MAX_SECRET: Final = 8192


def chosen_servers(texts: Sequence[str]) -> tuple[Target, ...]:
    """What `--server` says. Raises click.BadParameter."""
    targets = []
    for text in texts:
        name, _, server = text.partition("=")
        if name not in {each.value for each in Protocol}:
            raise _bad("--server", f"{text!r} does not begin with imap=, pop= or smtp=.")
        try:
            targets.append(parse_target(Protocol(name), server))
        except BadSetting as error:
            raise _bad("--server", str(error)) from error
    return tuple(targets)


def chosen_protocols(text: str) -> tuple[Protocol, ...]:
    """What `--protocol` says. Raises click.BadParameter."""
    try:
        return tuple(Protocol(name.strip()) for name in text.split(","))
    except ValueError as error:
        raise _bad("--protocol", "Protocols are imap, pop and smtp, divided by commas.") from error


def _bad(option: str, words: str) -> click.BadParameter:
    return click.BadParameter(words, ctx=click.get_current_context(), param_hint=f"'{option}'")


def read_secret() -> str:
    """The secret, typed unseen or piped: one line, without its end."""
    if sys.stdin.isatty():
        typed: str = click.prompt("Password or token", hide_input=True)
        return typed
    return sys.stdin.readline(_MAX_SECRET).rstrip("\r\n")


def open_world(resolver: str | None, ca: Path | None) -> World:
    """The world as the options want it seen. Raises click.BadParameter."""
    servers = None
    if resolver is not None:
        try:
            servers = (name_server(resolver),)
        except ValueError as error:
            raise _bad("--resolver", f"{error}.") from error
    return World(Resolver(servers), authorities=ca)


Work = Callable[[World, Callable[[str], None]], Coroutine[None, None, Report]]


def finish(work: Work, *, as_json: bool, language: str, resolver: str | None, ca: Path | None) -> None:
    """Do the work with progress on a terminal, print the report, end with its exit code."""
    world = open_world(resolver, ca)
    progress = Console(stderr=True)

    async def whole() -> Report:
        try:
            if as_json or not progress.is_terminal:
                return await work(world, lambda _: None)
            with progress.status("") as status:
                return await work(world, lambda words: status.update(f"[dim]{escape(words)} …[/dim]"))
        finally:
            await world.resolver.close()

    report = asyncio.run(whole())
    if as_json:
        click.echo(json.dumps(report.as_json(Language(language)), ensure_ascii=False, indent=2))
    else:
        Sheet(Language(language)).show(report)
    sys.exit(EXIT_CODES[report.severity])
