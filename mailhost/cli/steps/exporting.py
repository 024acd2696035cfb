"""Writing mail out: rows and contents, into an mbox file or a Maildir."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from mailhost import mailstore
from mailhost.app.services import Services
from mailhost.cli.exporting import CannotExport
from mailhost.cli.mail_files import MaildirWriter, MboxWriter
from mailhost.cli.store import chosen_account, opened
from mailhost.mailstore import Flag, Mailbox, NoSuchMailbox, NotSelectable
from mailhost.storage.database import Row, Tx

_PAGE: Final = 200
_LAST_UID: Final = (1 << 32) - 1
_COLUMNS: Final = ("uid", "blob", "prefix", "flags", "internal_date")


class _Writer(Protocol):
    def write(self, content: bytes, date: int, flags: Flag) -> None:
        """Add one letter."""

    def close(self) -> None:
        """All is written."""


async def export_mail(target: Path, mailbox: str | None, address: str | None, data: Path) -> int:
    """Write one mailbox, or all, to a file or a folder; returns the number of messages. Raises CannotExport."""
    async with opened(data) as services:
        account = await services.database.read(chosen_account, address)
        is_mbox = target.suffix == ".mbox"
        name = mailbox or (mailstore.INBOX if is_mbox else None)
        try:
            boxes = await services.database.read(_mailboxes, account.id, name)
        except (NoSuchMailbox, NotSelectable):
            raise CannotExport(f"{account.address} has no mailbox {name} with messages.") from None
        try:
            if is_mbox:
                return await _write(services, account.id, boxes[0], MboxWriter(target))
            return sum([await _write(services, account.id, box, MaildirWriter(target, box.name)) for box in boxes])
        except OSError as error:
            raise CannotExport(f"{error.filename or target} cannot be written: {error.strerror}.") from error


def _mailboxes(tx: Tx, account_id: int, name: str | None) -> Sequence[Mailbox]:
    if name is not None:
        return [mailstore.find_selectable(tx, account_id, name)]
    return [mailbox for mailbox in mailstore.list_mailboxes(tx, account_id) if mailbox.is_selectable]


async def _write(services: Services, account_id: int, mailbox: Mailbox, writer: _Writer) -> int:
    count = 0
    first_uid = 1
    while rows := await services.database.read(_page, account_id, mailbox.id, first_uid):
        for uid, blob, prefix, flags, internal_date in rows:
            content = prefix + await services.blobs.read(blob)
            writer.write(content, internal_date, Flag(flags & sum(Flag)))
            first_uid = uid + 1
            count += 1
    writer.close()
    return count


def _page(tx: Tx, account_id: int, mailbox_id: int, first_uid: int) -> list[Row]:
    return mailstore.live_rows(tx, account_id, mailbox_id, first_uid, _LAST_UID, _COLUMNS, _PAGE)
