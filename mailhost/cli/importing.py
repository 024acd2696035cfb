"""`mailhost import`: mail from an mbox file or a Maildir, streamed, with progress, and resumable at any message."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from mailhost.cli.options import account_option, data_option, plainly


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--into", "mailbox", required=True, help="The mailbox; it is made where it is missing.")
@account_option
@data_option
@plainly
def importing(source: Path, mailbox: str, account: str | None, data: Path) -> None:
    """Bring mail in from SOURCE, an mbox file or a Maildir.

    Flags and the time of delivery come along, and a Maildir's subfolders become mailboxes. Interrupted, or called again
    when the source has grown, it goes on behind the last message it brought in.
    """
    from mailhost.cli.steps.importing import import_mail

    tally = asyncio.run(import_mail(source, mailbox, account, data))
    words = f"{tally.imported} messages imported into {mailbox}"
    if tally.skipped:
        words += f"; {tally.skipped} left out, as the lines above say"
    click.echo(words + ".")
