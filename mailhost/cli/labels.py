"""`mailhost account layout`, `labels` and `label`: how an account shows its mail, and what its owner sets there."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from mailhost.cli.options import LAYOUTS, data_option, plainly


@click.command()
@click.argument("address")
@click.argument("chosen", type=LAYOUTS, metavar="[classic|gmail]")
@data_option
@plainly
def layout(address: str, chosen: str, data: Path) -> None:
    """Show an account's mail as folders (classic) or as labels (gmail). Nothing is lost, and it can be undone.

    Sessions that are open go on as they were; mail clients see the new folders when they connect again. What is
    interrupted the server goes on with, and so does this command, which may also lead back at any time.
    """
    from mailhost import mailstore
    from mailhost.cli.store import opened
    from mailhost.login.enrol import account_at
    from mailhost.mailstore import Layout

    async def work() -> str:
        async with opened(data) as store:
            found = await store.database.read(account_at, address)
            await mailstore.switch_layout(store.database, found.id, Layout(chosen), int(time.time()))
            return found.address

    shown = "labels, as Gmail does" if chosen == Layout.GMAIL.value else "folders"
    click.echo(f"{asyncio.run(work())} shows {shown}.")


@click.command()
@click.argument("address")
@click.option("--auto-expunge/--no-auto-expunge", default=None, help="Whether \\Deleted takes a label away at once.")
@click.option(
    "--on-expunge",
    type=click.Choice(["archive", "trash", "delete"]),
    help="What becomes of a message expunged from its last label; only without --auto-expunge.",
)
@click.option(
    "--folder-limit",
    type=click.IntRange(0, 1_000_000),
    help="The newest so many messages of each folder are shown; 0 shows all.",
)
@data_option
@plainly
def labels(
    address: str, auto_expunge: bool | None, on_expunge: str | None, folder_limit: int | None, data: Path
) -> None:
    """Show, and change, what IMAP does with the labels of an account in the gmail layout."""
    from mailhost import mailstore
    from mailhost.cli.store import opened
    from mailhost.login.enrol import account_at
    from mailhost.mailstore import LabelSettings, OnExpunge
    from mailhost.storage.database import Tx

    def change(tx: Tx) -> LabelSettings:
        account_id = account_at(tx, address).id
        before = mailstore.label_settings(tx, account_id)
        settings = LabelSettings(
            before.auto_expunge if auto_expunge is None else auto_expunge,
            before.on_expunge if on_expunge is None else OnExpunge(on_expunge),
            before.folder_limit if folder_limit is None else folder_limit,
        )
        mailstore.set_label_settings(tx, account_id, settings)
        return settings

    async def work() -> LabelSettings:
        async with opened(data) as store:
            return await store.database.write(change)

    settings = asyncio.run(work())
    click.echo(f"auto-expunge: {'on' if settings.auto_expunge else 'off'}")
    click.echo(
        f"on expunge: {settings.on_expunge.value}{', when auto-expunge is off' if settings.auto_expunge else ''}"
    )
    click.echo(f"folder limit: {settings.folder_limit or 'none'}")


@click.command()
@click.argument("address")
@click.argument("name")
@click.option("--show/--hide", "is_shown", required=True, help="Whether IMAP lists it.")
@data_option
@plainly
def label(address: str, name: str, is_shown: bool, data: Path) -> None:
    """Let IMAP list a label of an account, or leave it out."""
    from mailhost import mailstore
    from mailhost.cli.store import opened
    from mailhost.login.enrol import account_at
    from mailhost.storage.database import Tx

    def change(tx: Tx) -> None:
        mailstore.show_mailbox(tx, account_at(tx, address).id, name, is_shown=is_shown)

    async def work() -> None:
        async with opened(data) as store:
            await store.database.write(change)

    asyncio.run(work())
    click.echo(f"{name} is {'listed' if is_shown else 'left out of lists'}.")
