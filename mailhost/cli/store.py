"""What commands on a store share: --data, opening it beside a running server, and errors in one sentence."""

import functools
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailhost import accounts
from mailhost.accounts import Account
from mailhost.app.services import Services, open_services
from mailhost.config import load
from mailhost.errors import MailhostError
from mailhost.login.enrol import account_at
from mailhost.storage.database import Tx

P = ParamSpec("P")
R = TypeVar("R")

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("mailhost-data"),
    show_default=True,
    help="The data folder.",
)


NUMBER: Final = click.IntRange(1, 2**53)
"""What a column holds: the type of arguments that name a row."""

account_option = click.option("--account", help="The account's address; not needed where there is only one.")


class Group(click.Group):
    """Commands, each listed with the whole first sentence about it, where click would cut it off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two columns."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(1_000)) for name, one in found if one is not None])


class WhichAccount(MailhostError):
    """A command needs one account, and none was named."""


def chosen_account(tx: Tx, address: str | None) -> Account:
    """The account that was named, or the only one. Raises NoSuchAccount, WhichAccount."""
    if address is not None:
        return account_at(tx, address)
    everybody = accounts.list_accounts(tx, at_most=2)
    if not everybody:
        raise WhichAccount("There is no account yet: mailhost account add ADDRESS makes one.")
    if len(everybody) > 1:
        raise WhichAccount(f"There are several accounts: name one of them, as in --account {everybody[0].address}.")
    return everybody[0]


@asynccontextmanager
async def opened(data: Path) -> AsyncIterator[Services]:
    """The store of a data folder, also while a server runs on it. Raises MailhostError in the operator's words."""
    async with open_services(load(data), data) as services:
        yield services


def plainly(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end in one clear sentence and exit code 1 where it would end in a MailhostError."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except MailhostError as error:
            # A model says what happened by the class alone.
            raise click.ClickException(str(error) or (type(error).__doc__ or "").partition("\n")[0]) from error

    return wrapped


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """A table for eyes; for programs one line a row, its fields divided by tabs, without a heading.

    `nothing` is what people are told when there is no row.
    """
    if not rows:
        click.echo(nothing, err=True)
        return
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
