"""`mailhost queue`: mail on its way out, and what the server could not handle and keeps for the operator."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import click

from mailhost.cli.app_password import shown_time
from mailhost.cli.options import Group, data_option, plainly
from mailhost.errors import MailhostError

_AT_MOST: Final = 1_000
_REMEDY: Final = """
What is set aside broke the server each time it was tried; the log event queue.stumbled tells where.
A damaged message: restore its file from a backup. Else: install a newer Mailhost, or report that event as a bug. Then
  mailhost queue retry MESSAGE      tries it again (--all: every one)
  mailhost queue give-up MESSAGE    drops it, and tells its sender that it was not delivered"""


class NothingAside(MailhostError):
    """Nothing of that message is set aside: mailhost queue list shows what is."""


@click.group(cls=Group)
def outgoing() -> None:
    """The outbound queue: mail that waits for its next try, and what was set aside."""


@outgoing.command("list")
@data_option
@plainly
def list_(data: Path) -> None:
    """List who is still to be served, first what was set aside, each with the last answer or failure."""
    from mailhost.cli.store import opened, show_table
    from mailhost.queue import sql as queue
    from mailhost.queue.model import NEVER, Waiting

    async def work() -> list[Waiting]:
        async with opened(data) as store:
            return await store.database.read(queue.list_waiting, _AT_MOST)

    found = asyncio.run(work())
    show_table(
        ("message", "since", "from", "to", "tries", "next", "why"),
        [
            (
                row.lease.transaction_id,
                shown_time(row.queued_at),
                row.sender or "<>",
                row.lease.recipient,
                str(row.lease.attempts),
                "set aside" if row.next_at == NEVER else shown_time(row.next_at),
                row.last_reply,
            )
            for row in found
        ],
        "No mail waits to be sent.",
    )
    if found and found[0].next_at == NEVER:
        click.echo(_REMEDY, err=True)


@outgoing.command()
@click.argument("message", required=False)
@click.option("--all", "everything", is_flag=True, help="Every message that was set aside.")
@data_option
@plainly
def retry(message: str | None, everything: bool, data: Path) -> None:
    """Try a MESSAGE again that was set aside; the running server does so at once."""
    from mailhost.cli.store import opened
    from mailhost.queue import sql as queue

    if (message is None) != everything:
        raise click.UsageError("Name one message, or all with --all.")

    async def work() -> int:
        async with opened(data) as store:
            return await store.database.write(queue.try_again, int(time.time()), message)

    count = asyncio.run(work())
    if not count:
        raise NothingAside("" if message else "Nothing is set aside.")
    click.echo(f"Recipients that are tried again: {count}.")


@outgoing.command("give-up")
@click.argument("message")
@data_option
@plainly
def give_up_(message: str, data: Path) -> None:
    """Drop a MESSAGE that was set aside, and tell its sender that it was not delivered."""
    from mailhost import domains
    from mailhost.app.office import office_of
    from mailhost.cli.store import opened
    from mailhost.delivery.ending import give_up
    from mailhost.delivery.send import Sent
    from mailhost.queue import sql as queue

    verdict = Sent(554, "5.3.0", "The administrator of this server decided not to send the message.")

    async def work() -> int:
        async with opened(data) as store:
            rows = await store.database.read(queue.list_aside, message)
            first_domain = (await store.database.read(domains.list_domains, 1))[0].name
            office = office_of(store, store.config.host_name or f"mail.{first_domain}")
            for row in rows:
                key = (row.lease.account_id, row.lease.transaction_id)
                if (found := await store.database.read(queue.find_outgoing, *key)) is not None:
                    await give_up(office, found, row.lease, verdict)
            return len(rows)

    count = asyncio.run(work())
    if not count:
        raise NothingAside
    click.echo(f"Recipients given up: {count}. The sender finds the news in the inbox.")
