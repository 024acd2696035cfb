"""COPY and MOVE, in batches so that other writers pass between (RFC 9051 §6.4.7, §6.4.8)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailhost.errors import MailhostError
from mailhost.mailstore.across import Target, copy_across, move_across
from mailhost.mailstore.copy import copy, move
from mailhost.mailstore.model import Copied, NoSuchMessage, UidRange
from mailhost.protocols.imap.commands import Copy
from mailhost.protocols.imap.sets import format_numbers
from mailhost.servers.imap.reach import Reached
from mailhost.servers.imap.rights import changeable
from mailhost.servers.imap.store import LABELLED_AT_ONCE, count_known, newest, split_ranges
from mailhost.servers.imap.view import MailboxView, ReadOnlyView
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database

COPIED_AT_ONCE = 2_000
"""Then other writers pass: a message costs twice what it costs in STORE."""
ACROSS_AT_ONCE = 500
"""Between accounts each message gets rows of its own."""


class TooManyMessages(MailhostError):
    """A COPY names more messages than one command may; `lowest` is the UID it would have come down to."""

    def __init__(self, lowest: int) -> None:
        super().__init__("The COPY names too many messages; copy them in pieces.")
        self.lowest = lowest


@dataclass(frozen=True, slots=True)
class Placed:
    """What COPY or MOVE did: the code `COPYUID v sources targets`, None for no message, and the new UIDs.

    `lowest` is set where a MOVE named too many messages and did only the newest: the lowest UID among those.
    """

    code: str | None
    target_uids: list[int]
    lowest: int | None


async def copy_or_move(
    database: Database,
    blobs: Blobs,
    view: MailboxView,
    command: Copy,
    target: Reached,
    *,
    now: int,
    limit: int,
    tell: Callable[[int, int], None],
) -> Placed:
    """Place the messages in `target`, at most `limit`. `tell` is told how many are done, of how many.

    The EXPUNGEs of a MOVE are told with the session's next news.

    Raises NoSuchMailbox, NoSuchMessage, ReadOnlyView, ViewBroken, TooManyMessages and, between accounts, OverQuota,
    TooManyKeywords.
    """
    if command.moves and view.is_read_only:
        raise ReadOnlyView
    sources: list[int] = []
    targets: list[int] = []
    ranges: Sequence[UidRange] = await view.named_ranges(database, command.numbers, by_uid=command.by_uid)
    numbers = await view.numbers(database)
    ranges, lowest = newest(ranges, numbers, limit)
    if lowest is not None and not command.moves:
        raise TooManyMessages(lowest)  # COPY is all or nothing (RFC 9738 §3.1)
    goal = count_known(ranges, numbers)
    at_once = ACROSS_AT_ONCE
    if target.account_id == view.account_id:
        at_once = LABELLED_AT_ONCE if view.shows_labels else COPIED_AT_ONCE
    for piece in split_ranges(ranges, numbers, at_once):
        copied = await _copy_piece(database, blobs, view, command, target, piece, now)
        sources += copied.source_uids
        targets += copied.target_uids
        tell(len(sources), goal)
    if not sources:
        if goal and not command.by_uid:
            raise NoSuchMessage  # an OK would let the client delete what it takes for copied (RFC 2180 §4.4)
        return Placed(None, [], lowest)
    pairs = f"{format_numbers(sources).decode()} {format_numbers(targets).decode()}"
    return Placed(f"COPYUID {target.mailbox.uid_validity} {pairs}", targets, lowest)


async def _copy_piece(
    database: Database,
    blobs: Blobs,
    view: MailboxView,
    command: Copy,
    target: Reached,
    piece: Sequence[UidRange],
    now: int,
) -> Copied:
    there = target.mailbox.id
    kept = changeable(target.rights)
    if target.account_id != view.account_id:
        work = move_across if command.moves else copy_across
        place = Target(target.account_id, there, kept)
        return await database.write(work, blobs, view.account_id, view.mailbox_id, place, piece, now)
    if command.moves:
        return await database.write(move, view.account_id, view.mailbox_id, there, piece, now=now)
    return await database.write(copy, view.account_id, view.mailbox_id, there, piece, now=now, kept=kept)
