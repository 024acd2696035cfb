"""What was deleted lately: found, shown, put back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mailhost import mailstore
from mailhost.cli.store import chosen_account, opened, show_table
from mailhost.mailstore.overview import heading
from mailhost.storage.database import Row, Tx

_AT_MOST: Final = 1_000
_SHOWN: Final = 60  # characters of a subject or a sender


async def undelete_mail(
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
