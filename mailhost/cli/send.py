"""`mailhost send`: hand in one message as its sender's mail program would."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import click

from mailhost.cli.options import data_option, plainly
from mailhost.errors import MailhostError


class CannotSend(MailhostError):
    """The message lacks something; the message of this error says what."""


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--from", "sender", help="The account that sends; the address in the From field if not given.")
@click.option("--to", "recipients", multiple=True, help="A recipient; those of To, Cc and Bcc if not given.")
@data_option
@plainly
def send(file: BinaryIO, sender: str | None, recipients: Sequence[str], data: Path) -> None:
    """Hand in the message in FILE (- for standard input), header and all, from an account of this server.

    As from a mail program, Bcc is taken off, Date and Message-ID are added where they are missing, a copy is filed in
    Sent, and recipients elsewhere are left to the smarthost by the running server.
    """
    from mailhost.cli.steps.send import send_message
    from mailhost.config import load

    read = file.read(load(data).limits.message_octets + 1)  # one more shows that it is too large
    if b"\0" in read:
        raise CannotSend("The message holds a NUL octet; encode what is not text as base64.")
    content = b"".join(line.rstrip(b"\r\n") + b"\r\n" for line in read.splitlines(keepends=True))
    reached = asyncio.run(send_message(content, sender, recipients, data))
    click.echo(f"Sent to {', '.join(reached)}.")
