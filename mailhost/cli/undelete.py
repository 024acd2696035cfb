"""`mailhost undelete`: what was deleted in the last 30 days, and back it comes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import click

from mailhost.cli.options import NUMBER, account_option, data_option, plainly

_HOUR: Final = 3600


@click.command("undelete")
@click.option("--hours", type=click.IntRange(1, 100_000), default=24, show_default=True, help="How far back to look.")
@click.option("--all", "everything", is_flag=True, help="Put all of them back.")
@click.argument("numbers", type=NUMBER, nargs=-1)
@account_option
@data_option
@plainly
def undelete(hours: int, everything: bool, numbers: tuple[int, ...], account: str | None, data: Path) -> None:
    """List the messages deleted lately, or put those with the given NUMBERS back into the mailboxes they were in.

    Deleted messages are kept for 30 days and do not count against the quota, but at most one quota of them.
    """
    from mailhost.cli.steps.undelete import undelete_mail
    from mailhost.mailstore.model import RETENTION_SECONDS

    now = int(time.time())
    since = now - min(hours * _HOUR, RETENTION_SECONDS)
    count = asyncio.run(undelete_mail(since, now, everything, numbers, account, data))
    if count is not None:
        click.echo(f"{count} messages put back.")
