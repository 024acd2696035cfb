"""`mailhost undelete`: what was deleted in the last 30 days, and back it comes."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from mailhost import mailstore
from mailhost.cli.options import NUMBER, account_option, data_option, plainly
from mailhost.cli.store import chosen_account, opened, show_table
from mailhost.mailstore.model import RETENTION_SECONDS
from mailhost.mailstore.overview import heading
from mailhost.storage.database import Row, Tx

_HOUR: Final = 3600
_AT_MOST: Final = 1_000
_SHOWN: Final = 60  # characters of a subject or a sender


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
    now = int(time.time())
    since = now - min(hours * _HOUR, RETENTION_SECONDS)
    count = asyncio.run(_undelete(since, now, everything, numbers, account, data))
    if count is not None:
        click.echo(f"{count} messages put back.")


async def _undelete(
    since: int, now: int, everything: bool, numbers: tuple[int, ...], address: str | None, data: Path
) -> int | None:
    """How many came back; None when they were only listed."""
    async with opened(data) as services:
        account = await services.database.read(chosen_account, address)
        if not everything and not numbers:
            rows = await services.database.read(mailstore.removed_messages, account.id, since, _AT_MOST)
            nothing = "Nothing was deleted in that time; --hours looks further back."
            show_table(("number", "deleted", "from", "subject"), [_line(row) for row in rows], nothing)
            return None
        return await services.database.write(_put_back, account.id, None if everything else numbers, since, now)


def _put_back(tx: Tx, account_id: int, numbers: tuple[int, ...] | None, since: int, now: int) -> int:
    if numbers is None:
        # Oldest deletion first, so that they come back in the order in which they went.
        found = mailstore.removed_messages(tx, account_id, since, _AT_MOST)
        numbers = tuple(row[0] for row in reversed(found))
    return mailstore.restore_removed(tx, account_id, numbers, now)


def _line(row: Row) -> tuple[str, str, str, str]:
    number, removed_at, _octets, fields = row
    sender, subject = heading(fields)
    moment = datetime.fromtimestamp(removed_at, tz=UTC).strftime("%Y-%m-%d %H:%M")
    return str(number), moment, sender[:_SHOWN], subject[:_SHOWN]
