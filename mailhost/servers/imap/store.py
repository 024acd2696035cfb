"""STORE, in batches so that other writers pass between (RFC 9051 §6.4.6, RFC 7162 §3.1.3)."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from mailhost.mailstore.model import SYSTEM_FLAGS, UidRange
from mailhost.mailstore.store import FlagChange, store_flags
from mailhost.protocols.imap.commands import Store, StoreMode
from mailhost.protocols.imap.sets import format_numbers
from mailhost.servers.imap.numbers import NumberMap
from mailhost.servers.imap.plan import KnownFlags
from mailhost.servers.imap.view import MailboxView, ReadOnlyView
from mailhost.storage.database import Database

UIDS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Words:
    """What each answer to a STORE says; with `uid_only` it is called by its UID and nothing else."""

    uid_only: bool
    uid: bool
    flags: bool
    modseq: bool


async def store(
    database: Database,
    view: MailboxView,
    command: Store,
    write: Callable[[bytes], Awaitable[None]],
    *,
    tells_modseq: bool,
    tells_uid: bool,
    uid_only: bool = False,
) -> str | None:
    """Carry STORE out and write its untagged answers; returns the code of the tagged OK: `MODIFIED 7,9`, or None.

    `tells_modseq` is set once the client has shown that it knows CONDSTORE: it is then told MODSEQ even of a .SILENT
    STORE. `tells_uid` names each message by UID too. Raises ReadOnlyView, TooManyKeywords, ViewBroken.
    """
    if view.is_read_only:
        raise ReadOnlyView
    change = _flag_change(command)
    words = Words(uid_only, tells_uid and not uid_only, not command.silent, tells_modseq)
    wants_rows = tells_modseq or not command.silent
    modified: list[int] = []
    ranges = await view.named_ranges(database, command.numbers, by_uid=command.by_uid)
    for piece in split_ranges(ranges, await view.numbers(database)):
        stored = await database.write_relaxed(
            store_flags,
            view.account_id,
            view.mailbox_id,
            piece,
            change,
            unchanged_since=command.unchanged_since,
            wants_rows=wants_rows,
        )
        view.own_change(stored)
        modified += stored.modified
        if stored.changed:
            await write(await _answers(database, view, stored.changed, words))
    if not modified:
        return None
    if not command.by_uid:
        numbers = await view.numbers(database)
        modified = [number for uid in modified if (number := numbers.number_of(uid))]
    return f"MODIFIED {format_numbers(modified).decode()}" if modified else None


def split_ranges(ranges: Sequence[UidRange], numbers: NumberMap) -> Iterator[list[UidRange]]:
    """The ranges in pieces of at most `UIDS_AT_ONCE` messages; UIDs that nobody has any more count for nothing."""
    piece: list[UidRange] = []
    room = UIDS_AT_ONCE
    for low, high in ranges:
        _, known = numbers.known_in(low, high)
        start = 0
        while start < len(known):
            end = min(len(known), start + room)
            piece.append((known[start], known[end - 1]))
            room -= end - start
            start = end
            if room == 0:
                yield piece
                piece, room = [], UIDS_AT_ONCE
    if piece:
        yield piece


def _flag_change(command: Store) -> FlagChange:
    mask = 0
    keywords = []
    for flag in command.flags:
        if flag in SYSTEM_FLAGS:
            mask |= SYSTEM_FLAGS[flag]
        else:
            keywords.append(flag)
    if command.mode is StoreMode.REMOVE:
        return FlagChange(clear_flags=mask, clear_keywords=tuple(keywords))
    return FlagChange(mask, tuple(keywords), replaces=command.mode is StoreMode.REPLACE)


async def _answers(
    database: Database, view: MailboxView, changed: Sequence[tuple[int, int, int]], said: Words
) -> bytes:
    numbers = await view.numbers(database)
    await view.know_keywords(database, (mask for _, _, mask in changed))
    names = KnownFlags(view.keywords)
    line = b"* %d UIDFETCH (%b)\r\n" if said.uid_only else b"* %d FETCH (%b)\r\n"
    lines = []
    for uid, modseq, mask in changed:
        number = numbers.number_of(uid)
        if not number:  # it arrived after this session was last told
            continue
        words = [b"UID %d" % uid] if said.uid else []
        if said.flags:
            words.append(b"FLAGS (%b)" % names[mask])
        if said.modseq:
            words.append(b"MODSEQ (%d)" % modseq)
        lines.append(line % (uid if said.uid_only else number, b" ".join(words)))
    return b"".join(lines)
