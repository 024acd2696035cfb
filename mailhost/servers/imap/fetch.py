"""FETCH: rows in batches, contents in pieces; no transaction waits for a slow client (RFC 9051 §6.4.5)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mailhost.mailstore.changes import changed_spans
from mailhost.mailstore.flags import Keywords
from mailhost.mailstore.model import Flag, UidRange
from mailhost.mailstore.ranges import as_ranges
from mailhost.mailstore.rows import expunged_rows, live_rows
from mailhost.mailstore.store import FlagChange, store_flags
from mailhost.protocols.imap.commands import Fetch
from mailhost.protocols.imap.fetch import Attribute, FetchItem, Section
from mailhost.servers.imap.content import content_pieces
from mailhost.servers.imap.numbers import NumberMap
from mailhost.servers.imap.plan import CONTENT_COLUMNS, FlagNames, KnownFlags, RowPlan, plan_rows, split_items
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Row, Tx

ROWS_AT_ONCE = 1_000
CONTENTS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one batch with their numbers, and the UID to go on from (0 when the range is done)."""

    numbers: Sequence[int]
    rows: Sequence[Row]
    next_uid: int


async def fetch(database: Database, blobs: Blobs, view: MailboxView, command: Fetch) -> AsyncIterator[bytes]:
    """The untagged answers to FETCH, in pieces to be written one after the other. Raises ViewBroken.

    A message that is gone but whose EXPUNGE this session has not been told is still answered.
    """
    ranges = await view.uid_ranges(database, command.numbers, by_uid=command.by_uid)
    if not ranges:
        return
    numbers = await view.numbers(database)
    changed_since = -1 if command.changed_since is None else command.changed_since
    if command.changed_since is not None:
        ranges = await database.read(_changed_ranges, view, ranges, command.changed_since)
    by_row, by_content = split_items(command.items)
    if by_content:
        pieces = _with_contents(database, blobs, view, numbers, ranges, by_row, by_content, changed_since)
    else:
        pieces = _rows_only(database, view, numbers, ranges, plan_rows(by_row), changed_since)
    async for piece in pieces:
        yield piece


async def _rows_only(
    database: Database,
    view: MailboxView,
    numbers: NumberMap,
    ranges: Sequence[UidRange],
    plan: RowPlan,
    changed_since: int,
) -> AsyncIterator[bytes]:
    def work(tx: Tx, first: int, last: int) -> tuple[bytes, int, Keywords]:
        batch = _read_batch(tx, view, numbers, (first, last), plan.columns, plan.uid_column, changed_since)
        names = FlagNames(tx, view.account_id, view.keywords)
        return plan.render(batch.numbers, batch.rows, names) if batch.rows else b"", batch.next_uid, names.keywords

    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        piece, _, view.keywords = await database.point(work, *ranges[0])
        yield piece
        return
    for first, last in ranges:
        async for piece, keywords in _ahead(database, work, first, last):
            view.keywords = keywords
            yield piece


async def _ahead(
    database: Database, work: Callable[[Tx, int, int], tuple[bytes, int, Keywords]], first: int, last: int
) -> AsyncIterator[tuple[bytes, Keywords]]:
    """Read the next batch while the caller writes the last one; never more than one ahead."""
    reading = asyncio.ensure_future(database.read(work, first, last))
    try:
        while True:
            piece, next_uid, keywords = await reading
            if next_uid:
                reading = asyncio.ensure_future(database.read(work, next_uid, last))
            yield piece, keywords
            if not next_uid:
                return
    finally:
        if not reading.done():
            with suppress(asyncio.CancelledError):
                reading.cancel()
                await reading


async def _with_contents(
    database: Database,
    blobs: Blobs,
    view: MailboxView,
    numbers: NumberMap,
    ranges: Sequence[UidRange],
    by_row: Sequence[FetchItem],
    by_content: Sequence[Section],
    changed_since: int,
) -> AsyncIterator[bytes]:
    sets_seen = not view.is_read_only and any(section.sets_seen for section in by_content)
    plan = plan_rows(by_row)
    seen_plan = plan if Attribute.FLAGS in by_row else plan_rows([*by_row, Attribute.FLAGS])
    columns = tuple(dict.fromkeys((*plan.columns, *CONTENT_COLUMNS)))
    for first, last in ranges:
        next_uid = first
        while next_uid:
            read = database.point if next_uid == last else database.read
            batch = await read(_content_batch, view, numbers, (next_uid, last), columns, changed_since)
            newly_seen = await _mark_seen(database, view, batch, columns) if sets_seen else frozenset()
            next_uid = batch.next_uid
            for number, row in zip(batch.numbers, batch.rows, strict=True):
                message = dict(zip(columns, row, strict=True))
                words = plan
                if message["uid"] in newly_seen:
                    message["flags"] |= Flag.SEEN
                    words = seen_plan
                await view.know_keywords(database, message["flags"])
                said = words.words(tuple(message[name] for name in words.columns), KnownFlags(view.keywords))
                async for piece in content_pieces(blobs, number, said, message, by_content):
                    yield piece


def _content_batch(
    tx: Tx, view: MailboxView, numbers: NumberMap, span: UidRange, columns: tuple[str, ...], changed_since: int
) -> Batch:
    return _read_batch(tx, view, numbers, span, columns, columns.index("uid"), changed_since, limit=CONTENTS_AT_ONCE)


async def _mark_seen(database: Database, view: MailboxView, batch: Batch, columns: tuple[str, ...]) -> frozenset[int]:
    uid, flags = columns.index("uid"), columns.index("flags")
    unseen = [row[uid] for row in batch.rows if not row[flags] & Flag.SEEN]
    if not unseen:
        return frozenset()
    stored = await database.write_relaxed(
        store_flags,
        view.account_id,
        view.mailbox_id,
        as_ranges(unseen),
        FlagChange(set_flags=Flag.SEEN),
        wants_rows=False,
    )
    view.own_change(stored.modseq, stored.previous_modseq)
    return frozenset(unseen)


def _read_batch(
    tx: Tx,
    view: MailboxView,
    numbers: NumberMap,
    span: UidRange,
    columns: tuple[str, ...],
    uid_column: int,
    changed_since: int,
    limit: int = ROWS_AT_ONCE,
) -> Batch:
    """The next messages of the span that this session knows, at most `limit` of those that live."""
    first, last = span[0], min(span[1], view.uid_next - 1)
    rows = live_rows(tx, view.account_id, view.mailbox_id, first, last, columns, limit)
    end = rows[-1][uid_column] if len(rows) == limit else last
    before, known = numbers.known_in(first, end)
    if len(rows) != len(known):
        gone = expunged_rows(tx, view.account_id, view.mailbox_id, first, end, columns, len(known) + limit)
        rows = sorted(rows + gone, key=lambda row: int(row[uid_column]))
        rows = [row for row in rows if numbers.number_of(row[uid_column])]
        counted: Sequence[int] = [numbers.number_of(row[uid_column]) for row in rows]
    else:
        counted = range(before + 1, before + 1 + len(rows))
    if changed_since >= 0:
        modseq = columns.index("modseq")  # implied by CHANGEDSINCE (RFC 7162 §3.1.4.1)
        pairs = [(number, row) for number, row in zip(counted, rows, strict=True) if row[modseq] > changed_since]
        counted, rows = [number for number, _ in pairs], [row for _, row in pairs]
    return Batch(counted, rows, end + 1 if end < last else 0)


def _changed_ranges(tx: Tx, view: MailboxView, ranges: Sequence[UidRange], since: int) -> list[UidRange]:
    """The parts of the ranges where something may have changed after `since`."""
    found: list[UidRange] = []
    for low, high in changed_spans(tx, view.account_id, view.mailbox_id, since, view.uid_next):
        for first, last in ranges:
            if first <= high and low <= last:
                found.append((max(first, low), min(last, high)))
    return found
