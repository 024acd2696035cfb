"""STORE, in batches so that other writers pass between (RFC 9051 §6.4.6, RFC 7162 §3.1.3)."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from mailhost.mailstore.model import SYSTEM_FLAGS, UidRange
from mailhost.mailstore.store import KEYWORD_BITS, FlagChange, moves, store_flags
from mailhost.protocols.imap.commands import Store, StoreMode
from mailhost.protocols.imap.sets import format_numbers
from mailhost.servers.imap.numbers import NumberMap
from mailhost.servers.imap.plan import KnownFlags
from mailhost.servers.imap.rights import changeable
from mailhost.servers.imap.view import MailboxView, ReadOnlyView
from mailhost.storage.database import Database

UIDS_AT_ONCE = 20_000
LABELLED_AT_ONCE = 1_000
"""Where labels are shown: each message stands in several mailboxes, and may leave or enter some."""


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
    now: int,
    limit: int,
    tell: Callable[[int, int], None],
) -> tuple[str | None, int | None]:
    """Carry STORE out and write its untagged answers.

    Returns the code `MODIFIED 7,9` or None, and where more than `limit` messages were named, so that only the newest
    of them were changed, the lowest UID among those. `tell` is told how many are done, of how many.

    `tells_modseq` is set once the client has shown that it knows CONDSTORE: it is then told MODSEQ even of a .SILENT
    STORE. `tells_uid` names each message by UID too. Raises ReadOnlyView, TooManyKeywords, ViewBroken.
    """
    if view.is_read_only:
        raise ReadOnlyView
    change = _flag_change(command, changeable(view.rights))
    words = Words(uid_only, tells_uid and not uid_only, not command.silent, tells_modseq)
    wants_rows = tells_modseq or not command.silent
    modified: list[int] = []
    # What takes a message out of a view must survive loss of power, too.
    write_flags = database.write if (view.shows_labels or not view.is_own) and moves(change) else database.write_relaxed
    ranges: Sequence[UidRange] = await view.named_ranges(database, command.numbers, by_uid=command.by_uid)
    numbers = await view.numbers(database)
    ranges, lowest = newest(ranges, numbers, limit)
    goal, done = count_known(ranges, numbers), 0
    at_once = LABELLED_AT_ONCE if view.shows_labels else UIDS_AT_ONCE
    for piece in split_ranges(ranges, numbers, at_once):
        stored = await write_flags(
            store_flags,
            view.account_id,
            view.mailbox_id,
            piece,
            change,
            now=now,
            unchanged_since=command.unchanged_since,
            wants_rows=wants_rows,
        )
        view.own_change(stored)
        modified += stored.modified
        if stored.changed:
            await write(await _answers(database, view, stored.changed, words))
        done += at_once
        tell(min(done, goal), goal)
    if not command.by_uid:
        modified = [number for uid in modified if (number := numbers.number_of(uid))]
    return f"MODIFIED {format_numbers(modified).decode()}" if modified else None, lowest


def count_known(ranges: Sequence[UidRange], numbers: NumberMap) -> int:
    """How many messages of the ranges the session knows."""
    return sum(len(numbers.known_in(first, last)[1]) for first, last in ranges)


def newest(ranges: Sequence[UidRange], numbers: NumberMap, limit: int) -> tuple[Sequence[UidRange], int | None]:
    """The ranges as far as they hold the `limit` newest messages, and the lowest UID of those; None for all."""
    if len(numbers) <= limit or count_known(ranges, numbers) <= limit:
        return ranges, None
    chosen: list[UidRange] = []
    for first, last in reversed(ranges):
        _, known = numbers.known_in(first, last)
        if len(known) >= limit:
            return [(known[-limit], last), *reversed(chosen)], known[-limit]
        limit -= len(known)
        chosen.append((first, last))
    raise AssertionError("fewer messages than were counted")


def split_ranges(ranges: Sequence[UidRange], numbers: NumberMap, at_once: int) -> Iterator[list[UidRange]]:
    """The ranges in pieces of at most `at_once` messages; UIDs that nobody has any more count for nothing."""
    piece: list[UidRange] = []
    room = at_once
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
                piece, room = [], at_once
    if piece:
        yield piece


def _flag_change(command: Store, changeable_bits: int) -> FlagChange:
    mask = 0
    keywords = []
    for flag in command.flags:
        if flag in SYSTEM_FLAGS:
            mask |= SYSTEM_FLAGS[flag]
        elif changeable_bits & KEYWORD_BITS:
            keywords.append(flag)
    mask &= changeable_bits
    if command.mode is StoreMode.REMOVE:
        return FlagChange(clear_flags=mask, clear_keywords=tuple(keywords))
    replaces = command.mode is StoreMode.REPLACE
    return FlagChange(mask, tuple(keywords), replaces=replaces, within=changeable_bits)


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
