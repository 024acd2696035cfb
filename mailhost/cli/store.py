"""What commands on a store share: opening it beside a running server, finding an account, and tables."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

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
