"""COPY and MOVE, in batches so that other writers pass between (RFC 9051 §6.4.7, §6.4.8)."""

import time

from mailhost.mailstore.copy import copy, move
from mailhost.mailstore.model import Mailbox
from mailhost.protocols.imap.commands import Copy
from mailhost.protocols.imap.sets import format_numbers
from mailhost.servers.imap.store import split_ranges
from mailhost.servers.imap.view import MailboxView, ReadOnlyView
from mailhost.storage.database import Database


async def copy_or_move(database: Database, view: MailboxView, command: Copy, target: Mailbox) -> str | None:
    """Place the messages in `target`; returns the code `COPYUID v sources targets`, or None when there were none.

    The EXPUNGEs of a MOVE are told with the session's next news. Raises NoSuchMailbox, ReadOnlyView, ViewBroken.
    """
    if command.moves and view.is_read_only:
        raise ReadOnlyView
    sources: list[int] = []
    targets: list[int] = []
    ranges = await view.named_ranges(database, command.numbers, by_uid=command.by_uid)
    for piece in split_ranges(ranges, await view.numbers(database)):
        work = move if command.moves else copy
        copied = await database.write(work, view.account_id, view.mailbox_id, target.id, piece, now=int(time.time()))
        sources += copied.source_uids
        targets += copied.target_uids
    if not sources:
        return None
    return f"COPYUID {target.uid_validity} {format_numbers(sources).decode()} {format_numbers(targets).decode()}"
