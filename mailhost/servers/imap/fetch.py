"""FETCH: rows in batches, contents in pieces; no transaction waits for a slow client (RFC 9051 §6.4.5)."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter

from mailhost import observe
from mailhost.mailstore.changes import changed_spans
from mailhost.mailstore.flags import Keywords
from mailhost.mailstore.model import Flag, UidRange
from mailhost.mailstore.ranges import as_ranges, intersection
from mailhost.mailstore.rows import expunged_rows, live_flags, live_rows, rows_at_once
from mailhost.mailstore.store import FlagChange, store_flags
from mailhost.protocols.imap.commands import Fetch
from mailhost.protocols.imap.fetch import Attribute
from mailhost.servers.imap.binary import UnknownEncoding
from mailhost.servers.imap.content import ContentItem, ContentsDamaged, content_pieces, without_contents
from mailhost.servers.imap.knowledge import from_known, known_for
from mailhost.servers.imap.label_texts import tell_labels
from mailhost.servers.imap.numbers import NumberMap
from mailhost.servers.imap.plan import CONTENT_COLUMNS, FlagNames, KnownFlags, RowPlan, plan_rows, split_items
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Column, Database, Tx
from mailhost.storage.errors import BlobDamaged, BlobMissing

log = observe.logger()

ROWS_AT_ONCE = 1_000
CONTENTS_AT_ONCE = 50
"""Where some messages have a megabyte of structure each."""
AHEAD = 2
"""Batches that are read while the client takes the last one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages with their sequence numbers, column by column."""

    numbers: Sequence[int]
    columns: Sequence[Column]


async def fetch(
    database: Database,
    blobs: Blobs,
    view: MailboxView,
    command: Fetch,
    *,
    with_seen: tuple[Attribute, ...],
    uid_only: bool = False,
) -> AsyncIterator[bytes]:
    """The untagged answers to FETCH, in pieces to be written one after the other. Raises ViewBroken, UnknownEncoding.

    `with_seen` is said beside FLAGS of a message that becomes \\Seen by it. With `uid_only` they are UIDFETCH, which
    says the UID before anything else (RFC 9586 §3.3).

    A message that is gone but whose EXPUNGE this session has not been told is still answered. Where contents cannot be
    read, NIL stands for them and ContentsDamaged comes last, so that one message does not keep a client from the rest.
    """
    ranges = await view.named_ranges(database, command.numbers, by_uid=command.by_uid)
    if not ranges:
        return
    numbers = await view.numbers(database)
    if command.window is not None:
        known = [uid for first, last in ranges for uid in numbers.known_in(first, last)[1]]
        ranges = _clip(ranges, known[command.window.of(len(known))])
    changed_since = -1 if command.changed_since is None else command.changed_since
    items = command.items
    if uid_only and len(items) > 1:
        items = tuple(item for item in items if item is not Attribute.UID)
    by_row, by_content = split_items(items)
    plan = plan_rows(by_row, is_whole=not by_content, uid_only=uid_only and not by_content)
    there = None if by_content else await known_for(view, numbers, ranges, plan)
    if there is None and command.changed_since is not None:
        ranges = await database.read(_changed_ranges, view, ranges, command.changed_since)
    if by_content:
        newly_seen = plan_rows(tuple(dict.fromkeys((*by_row, Attribute.FLAGS, *with_seen))), is_whole=False)
        plans = (plan, newly_seen)
        verb = b"UIDFETCH" if uid_only else b"FETCH"
        pieces = _with_contents(database, blobs, view, numbers, ranges, plans, by_content, changed_since, verb)
    elif there is not None:
        pieces = from_known(database, view, there, numbers, ranges, plan, changed_since)
    else:
        pieces = _rows_only(database, view, numbers, ranges, plan, changed_since)
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
    def work(tx: Tx, span: UidRange) -> tuple[bytes, Keywords]:
        batch = _read_batch(tx, view, numbers, span, plan.columns, changed_since)
        names = FlagNames(tx, view.account_id, view.keywords)
        return plan.render(batch.numbers, batch.columns, names) if batch.numbers else b"", names.keywords

    spans = _spans(numbers, ranges, await database.point(rows_at_once, view.account_id, plan.columns, ROWS_AT_ONCE))
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        for span in spans:
            piece, view.keywords = await database.point(work, span)
            yield piece
        return
    async with aclosing(_ahead(database, work, spans)) as batches:
        async for piece, keywords in batches:
            view.keywords = keywords
            yield piece


async def _ahead(
    database: Database, work: Callable[[Tx, UidRange], tuple[bytes, Keywords]], spans: Iterator[UidRange]
) -> AsyncGenerator[tuple[bytes, Keywords], None]:
    """Read the next batches while the caller writes the last one; a slow client never has more than AHEAD waiting."""
    reading: deque[asyncio.Future[tuple[bytes, Keywords]]] = deque()
    try:
        while True:
            for span in islice(spans, AHEAD + 1 - len(reading)):
                reading.append(asyncio.ensure_future(database.read(work, span)))
            if not reading:
                return
            yield await reading.popleft()
    finally:
        for future in reading:
            future.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _with_contents(
    database: Database,
    blobs: Blobs,
    view: MailboxView,
    numbers: NumberMap,
    ranges: Sequence[UidRange],
    plans: tuple[RowPlan, RowPlan],
    by_content: Sequence[ContentItem],
    changed_since: int,
    verb: bytes,
) -> AsyncIterator[bytes]:
    """Contents, each behind what the first plan says, or the second if \\Seen is set here and now."""
    sets_seen = view.marks_seen and any(item.sets_seen for item in by_content)
    plan, seen_plan = plans
    columns = tuple(dict.fromkeys((*plan.columns, *CONTENT_COLUMNS)))
    is_damaged = is_unknown = False
    for span in _spans(
        numbers, ranges, await database.point(rows_at_once, view.account_id, plan.columns, CONTENTS_AT_ONCE)
    ):
        read = database.point if span[0] == span[1] else database.read
        batch = await read(_read_batch, view, numbers, span, columns, changed_since)
        newly_seen = await _mark_seen(database, view, batch, columns) if sets_seen else {}
        if batch.numbers:
            await view.know_keywords(database, batch.columns[columns.index("flags")])
        for number, row in zip(batch.numbers, zip(*batch.columns, strict=True), strict=True):
            message = dict(zip(columns, row, strict=True))
            said = plan
            if message["uid"] in newly_seen:
                message["flags"] |= Flag.SEEN
                message["modseq"] = newly_seen[message["uid"]]
                said = seen_plan
            words = said.render([number], [[message[name]] for name in said.columns], KnownFlags(view.keywords))
            has_begun = False
            called = number if verb == b"FETCH" else message["uid"]
            try:
                async with aclosing(content_pieces(blobs, called, words, message, by_content, verb)) as pieces:
                    async for piece in pieces:
                        has_begun = True
                        yield piece
            except UnknownEncoding:
                is_unknown = True  # the rest of this message, and the other messages, are still answered
            except (BlobDamaged, BlobMissing) as damage:
                log.warning("blob.damaged", account=view.account_id, message=message["message_id"], reason=str(damage))
                if has_begun:
                    raise  # but the blobs remember, and the next session comes past this message
                is_damaged = True
                yield without_contents(called, words, by_content, verb)
    if is_damaged:
        raise ContentsDamaged
    if is_unknown:
        raise UnknownEncoding


async def _mark_seen(database: Database, view: MailboxView, batch: Batch, columns: tuple[str, ...]) -> dict[int, int]:
    """Set \\Seen; returns the MODSEQ of each UID that did not have it."""
    if not batch.numbers:
        return {}
    pairs = zip(batch.columns[columns.index("uid")], batch.columns[columns.index("flags")], strict=True)
    unseen = [uid for uid, flags in pairs if not flags & Flag.SEEN]
    if not unseen:
        return {}
    stored = await database.write_relaxed(
        store_flags,
        view.account_id,
        view.mailbox_id,
        as_ranges(unseen),
        FlagChange(set_flags=Flag.SEEN),
        now=0,  # \\Seen puts a message nowhere
        wants_rows=False,
    )
    view.own_change(stored)
    return dict.fromkeys(unseen, stored.modseq)


def _spans(numbers: NumberMap, ranges: Sequence[UidRange], limit: int) -> Iterator[UidRange]:
    """The ranges in spans of at most `limit` messages that this session knows."""
    for first, last in ranges:
        _, known = numbers.known_in(first, last)
        for start in range(0, len(known), limit):
            yield known[start], known[min(start + limit, len(known)) - 1]


def _read_batch(
    tx: Tx,
    view: MailboxView,
    numbers: NumberMap,
    span: UidRange,
    columns: tuple[str, ...],
    changed_since: int,
) -> Batch:
    """The messages of the span that this session knows; those gone meanwhile are read from their tombstones."""
    before, known = numbers.known_in(*span)
    if set(columns) <= {"uid", "flags"} and changed_since < 0:
        flags = live_flags(tx, view.account_id, view.mailbox_id, *span)
        if len(flags) == len(known):
            return Batch(range(before + 1, before + 1 + len(known)), [known, flags][: len(columns)])
    rows = live_rows(tx, view.account_id, view.mailbox_id, *span, columns, len(known))
    uid = columns.index("uid")
    counted: Sequence[int] = range(before + 1, before + 1 + len(rows))
    if len(rows) != len(known):
        gone = expunged_rows(tx, view.account_id, view.mailbox_id, span, columns, view.modseq)
        rows = sorted((row for row in rows + gone if numbers.number_of(row[uid])), key=itemgetter(uid))
        counted = [numbers.number_of(row[uid]) for row in rows]
    if changed_since >= 0:
        modseq = columns.index("modseq")  # implied by CHANGEDSINCE (RFC 7162 §3.1.4.1)
        pairs = [(number, row) for number, row in zip(counted, rows, strict=True) if row[modseq] > changed_since]
        counted, rows = [number for number, _ in pairs], [row for _, row in pairs]
    read: list[Column] = list(zip(*rows, strict=True))
    if rows:
        tell_labels(tx, view, columns, read)
    return Batch(counted, read)


def _clip(ranges: Sequence[UidRange], known: Sequence[int]) -> list[UidRange]:
    """The ranges between the first and the last of some UIDs."""
    if not known:
        return []
    low, high = known[0], known[-1]
    return [(max(first, low), min(last, high)) for first, last in ranges if first <= high and low <= last]


def _changed_ranges(tx: Tx, view: MailboxView, ranges: Sequence[UidRange], since: int) -> list[UidRange]:
    """The parts of the ranges where something may have changed after `since`."""
    return intersection(changed_spans(tx, view.account_id, view.mailbox_id, since, view.uid_next), ranges)
