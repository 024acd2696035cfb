"""`mailhost export`: mailboxes as an mbox file or a Maildir, for another program or another server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from mailhost.cli.options import account_option, data_option, plainly
from mailhost.errors import MailhostError


class CannotExport(MailhostError):
    """The target cannot be written; the message says why."""


@click.command("export")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--mailbox", help="One mailbox alone; INBOX for an mbox file if not given.")
@account_option
@data_option
@plainly
def exporting(target: Path, mailbox: str | None, account: str | None, data: Path) -> None:
    """Write mail out to TARGET: an mbox file if its name ends in .mbox, else a Maildir of every mailbox.

    A Maildir holds each message octet for octet, with its flags and the time of its delivery; an mbox file has LF as
    line end, quotes From lines (mboxrd), and has no place for flags.
    """
    from mailhost.cli.steps.exporting import export_mail

    if target.exists():
        raise CannotExport(f"{target} exists already; name a new one.")
    count = asyncio.run(export_mail(target, mailbox, account, data))
    click.echo(f"{count} messages written to {target}.")
