"""Taking mail in, in batches, each message once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from mailhost import mailstore
from mailhost.app.services import Services
from mailhost.cli.mail_files import Letter, maildir_folders, read_maildir, read_mbox
from mailhost.cli.store import chosen_account, opened
from mailhost.errors import MailhostError
from mailhost.mailstore import (
    Intake,
    MailboxExists,
    MessageTooLarge,
    NewMessage,
    NoSuchMailbox,
    NulInMessage,
    OverQuota,
    create_mailbox,
    find_selectable,
)
from mailhost.mailstore.labelnames import label_name
from mailhost.storage.database import Tx
from mailhost.storage.sql import read_meta, write_meta

_BATCH: Final = 100
_BATCH_OCTETS: Final = 8 * 1024 * 1024
_FINGERPRINT: Final = 4096


class CannotImport(MailhostError):
    """The source is no mail, or has no room; the message says which."""


@dataclass(slots=True)
class Tally:
    """Messages taken in, and messages left out."""

    imported: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class _Source:
    """One file or folder that goes into one mailbox. `key` names it among what was imported before."""

    mailbox: str
    key: str
    octets: int
    letters: Callable[[str, int], Iterator[Letter]]


async def import_mail(source: Path, mailbox: str, address: str | None, data: Path) -> Tally:
    """Take in a file or a folder; what an earlier run took is skipped. Raises CannotImport."""
    tally = Tally()
    async with opened(data) as services:
        account = await services.database.read(chosen_account, address)
        sources = _sources(source, mailbox, account.id)
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("importing", total=sum(each.octets for each in sources))
            for each in sources:
                await _import_one(services, account.id, each, tally, lambda size: progress.advance(task, size))
    return tally


def _sources(path: Path, mailbox: str, account_id: int) -> list[_Source]:
    if path.is_dir():
        folders = maildir_folders(path)
        if not folders:
            raise CannotImport(f"{path} is no Maildir: it has neither cur nor new.")
        return [
            _Source(
                f"{mailbox}/{folder.name}" if folder.name else mailbox,
                _key(account_id, mailbox, str(folder.path.resolve()).encode()),
                sum(file.stat().st_size for sub in ("cur", "new") for file in (folder.path / sub).glob("*")),
                partial(read_maildir, folder.path),
            )
            for folder in folders
        ]
    if not path.is_file():
        raise CannotImport(f"{path} is neither a file nor a folder.")
    with path.open("rb") as file:
        head = file.read(_FINGERPRINT)
    if head and not head.startswith(b"From "):
        raise CannotImport(f"{path} is no mbox file: it does not begin with a From line.")
    # A file that was replaced by another one of the same name must not be taken for a longer version of itself.
    key = _key(account_id, mailbox, str(path.resolve()).encode() + head.partition(b"\n\n")[0])
    return [_Source(mailbox, key, path.stat().st_size, partial(read_mbox, path))]


def _key(account_id: int, mailbox: str, what: bytes) -> str:
    return f"import:{account_id}:" + hashlib.sha256(mailbox.encode() + b"\0" + what).hexdigest()


async def _import_one(
    services: Services, account_id: int, source: _Source, tally: Tally, advance: Callable[[int], None]
) -> None:
    after = await services.database.read(read_meta, source.key) or ""
    batch: list[NewMessage] = []
    octets = 0
    place = after
    for letter in source.letters(after, services.config.limits.message_octets):
        message = await _take(services, letter, tally)
        place = letter.place
        if message is not None:
            batch.append(message)
            octets += message.octets
        if len(batch) >= _BATCH or octets >= _BATCH_OCTETS:
            await services.database.write(_commit, services, account_id, source, batch, place)
            tally.imported += len(batch)
            batch, octets = [], 0
        advance(letter.size)
    if place != after:
        await services.database.write(_commit, services, account_id, source, batch, place)
        tally.imported += len(batch)


async def _take(services: Services, letter: Letter, tally: Tally) -> NewMessage | None:
    """The letter, stored and ready to be placed; None for one that cannot be."""
    intake = Intake(services.blobs, services.config.limits.message_octets, normalise=True)
    try:
        intake.write(letter.content)
        incoming = await intake.finish()
    except (MessageTooLarge, NulInMessage) as refused:
        intake.discard()
        tally.skipped += 1
        click.echo(f"Left out, at {letter.place.lstrip('0')}: {refused}", err=True)
        return None
    now = int(time.time())
    date = letter.date if letter.date is not None else incoming.digest.date
    return NewMessage(incoming, min(max(date if date is not None else now, 0), now), flags=int(letter.flags))


def _commit(
    tx: Tx, services: Services, account_id: int, source: _Source, batch: Sequence[NewMessage], place: str
) -> None:
    """The messages and how far we are, in one transaction: nothing comes twice, whatever interrupts us."""
    try:
        mailbox = find_selectable(tx, account_id, source.mailbox)
    except NoSuchMailbox:
        try:
            mailbox = create_mailbox(tx, account_id, source.mailbox)
        except MailboxExists:  # under the name that the gmail layout gives it
            mailbox = find_selectable(tx, account_id, label_name(source.mailbox))
    if batch:
        try:
            mailstore.append_from_client(tx, services.blobs, account_id, mailbox.id, batch, int(time.time()))
        except OverQuota:
            words = "The account is full. Give it more room (mailhost account quota) and call this again."
            raise CannotImport(words) from None
    write_meta(tx, source.key, place)
