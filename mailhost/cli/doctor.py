"""`mailhost doctor`: why mail does not work, at any provider, for a domain, on our own server, and while it happens."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.markup import escape

from mailhost.cli.diagnosis import EXIT_CODES, Sheet
from mailhost.cli.options import Group, data_option, plainly
from mailhost.config.model import name_server
from mailhost.doctor.catalogue import Language
from mailhost.doctor.client import Question, diagnose
from mailhost.doctor.domain import diagnose_domain
from mailhost.doctor.isp_database import import_folder
from mailhost.doctor.names import Resolver
from mailhost.doctor.providers import known_providers
from mailhost.doctor.report import Report
from mailhost.doctor.signin import Credentials
from mailhost.doctor.targets import BadSetting, Protocol, Target, parse_target
from mailhost.doctor.world import World

P = ParamSpec("P")
R = TypeVar("R")
_MAX_SECRET: Final = 8192
_OWN: Final = ("server", "watch")


class _Group(Group):
    """The commands of this file, and those about our own server, which are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In alphabetical order."""
        return sorted([*super().list_commands(ctx), *_OWN])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """From here, or from the other file."""
        if cmd_name not in _OWN:
            return super().get_command(ctx, cmd_name)
        command = getattr(importlib.import_module("mailhost.cli.doctor_own"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Group)
def doctor() -> None:
    """Find out why mail does not work.

    Exit codes: 0 nothing is wrong, 3 there is a warning, 4 a cause was found.
    """


def _system_language() -> str:
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "zh" if next((name for name in names if name), "").startswith("zh") else "en"


def common(command: Callable[P, R]) -> Callable[P, R]:
    """Options of every diagnosis."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document."),
        click.option(
            "--language", type=click.Choice(["en", "zh"]), default=_system_language, help="English or Chinese."
        ),
        click.option("--resolver", metavar="ADDRESS[:PORT]", help="Ask this name server instead of the system's."),
        click.option(
            "--ca",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="Trust this authority, too (a PEM file).",
        ),
    ):
        command = option(command)
    return command


def _server_list(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[Target, ...]:
    targets = []
    for text in texts:
        name, _, server = text.partition("=")
        if name not in {each.value for each in Protocol}:
            raise click.BadParameter(f"{text!r} does not begin with imap=, pop= or smtp=.")
        try:
            targets.append(parse_target(Protocol(name), server))
        except BadSetting as error:
            raise click.BadParameter(str(error)) from error
    return tuple(targets)


def _protocol_list(_context: click.Context, _option: click.Parameter, text: str) -> tuple[Protocol, ...]:
    try:
        return tuple(Protocol(name.strip()) for name in text.split(","))
    except ValueError as error:
        raise click.BadParameter("Protocols are imap, pop and smtp, divided by commas.") from error


@doctor.command()
@click.argument("address")
@click.option("--provider", default="auto", show_default=True, metavar="NAME", help="Take this provider's settings.")
@click.option("--protocol", "protocols", callback=_protocol_list, default="imap,smtp", show_default=True)
@click.option(
    "--server",
    "servers",
    multiple=True,
    callback=_server_list,
    metavar="PROTOCOL=HOST[:PORT][/tls|/starttls|/none]",
    help="What the mail program is set to. Can be given several times.",
)
@click.option("--from-message", "message", default="", metavar="TEXT", help="What the mail program says.")
@click.option("--password-stdin", is_flag=True, help="Sign in, with the password on standard input.")
@click.option("--oauth", is_flag=True, help="Sign in, with an OAuth access token on standard input.")
@common
@data_option
@plainly
def client(
    address: str,
    provider: str,
    protocols: tuple[Protocol, ...],
    servers: tuple[Target, ...],
    message: str,
    password_stdin: bool,
    oauth: bool,
    as_json: bool,
    language: str,
    resolver: str | None,
    ca: Path | None,
    data: Path,
) -> None:
    """Find out why a mail program of ADDRESS does not connect, here or at any provider."""
    if password_stdin and oauth:
        raise click.UsageError("Give either --password-stdin or --oauth.")
    credentials = Credentials(address, _secret(), oauth) if password_stdin or oauth else None
    question = Question(address, protocols, provider, servers, message, credentials)
    providers = known_providers(data)

    async def work(world: World, progress: Callable[[str], None]) -> Report:
        return await diagnose(question, world, providers, progress)

    finish(work, as_json=as_json, language=language, resolver=resolver, ca=ca)


@doctor.command()
@click.argument("name")
@common
@plainly
def domain(name: str, as_json: bool, language: str, resolver: str | None, ca: Path | None) -> None:
    """Check what the world looks up about the mail domain NAME, and its mail exchangers."""

    async def work(world: World, progress: Callable[[str], None]) -> Report:
        return await diagnose_domain(name, world, progress)

    finish(work, as_json=as_json, language=language, resolver=resolver, ca=ca)


@doctor.command(name="import-providers")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@data_option
@plainly
def import_providers(folder: Path, data: Path) -> None:
    """Take in a copy of Mozilla's autoconfig database (XML files in FOLDER); `doctor client` uses it from then on."""
    taken, skipped = import_folder(folder, data)
    click.echo(f"{taken} providers are known from {folder}; {skipped} files hold none.")


def _secret() -> str:
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
            raise click.BadParameter(f"{error}.") from error
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
