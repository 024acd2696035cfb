"""SORT and THREAD: what a search found, in another order or as conversations (RFC 5256)."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from mailhost.mailstore.rows import live_rows
from mailhost.mailstore.sorting import THREAD_COLUMNS, Value, sort_columns, sort_values, threaded
from mailhost.mailstore.thinking import think
from mailhost.message.threads import Node, Threaded, by_references, by_subject
from mailhost.protocols.imap.sorting import Algorithm, Criterion
from mailhost.servers.imap.numbers import NumberMap
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.database import Database, Row, Tx

ROWS_AT_ONCE = 2_000

T = TypeVar("T")
Found = list[tuple[int, int]]
"""(uid, modseq) of messages."""


async def in_order(database: Database, view: MailboxView, found: Found, criteria: Sequence[Criterion]) -> Found:
    """The messages found, in the order of the criteria; a message that is gone meanwhile is left out."""

    def read(rows: list[Row]) -> tuple[list[int], list[list[Value]]]:
        return [row[0] for row in rows], [sort_values(rows, criterion) for criterion in criteria]

    uids: list[int] = []
    values: list[list[Value]] = [[] for _ in criteria]
    for some, theirs in await _read(database, view, [uid for uid, _ in found], sort_columns(criteria), read):
        uids += some
        for column, more in zip(values, theirs, strict=True):
            column.extend(more)
    modseqs = dict(found)

    def order() -> Found:
        # Sorting is stable, also in reverse, so the last criterion goes first and equals stay in their old order.
        places = list(range(len(uids)))
        for criterion, known in zip(reversed(criteria), reversed(values), strict=True):
            places.sort(key=known.__getitem__, reverse=criterion.is_reverse)
        return [(uids[place], modseqs[uids[place]]) for place in places]

    return await think(order)


async def in_threads(
    database: Database, view: MailboxView, found: Found, algorithm: Algorithm, numbers: NumberMap | None
) -> list[Node]:
    """The messages found as conversations, by their UIDs, or by `numbers` where they are given."""

    def read(rows: list[Row]) -> list[Threaded]:
        return [threaded(row, row[0] if numbers is None else numbers.number_of(row[0])) for row in rows]

    pieces = await _read(database, view, [uid for uid, _ in found], THREAD_COLUMNS, read)
    messages = [message for piece in pieces for message in piece if message.number]
    make = by_references if algorithm is Algorithm.REFERENCES else by_subject
    return await think(make, messages)


async def _read(
    database: Database, view: MailboxView, uids: list[int], columns: tuple[str, ...], read: Callable[[list[Row]], T]
) -> list[T]:
    """What `read` makes of the rows of these UIDs, batch by batch; it is called in the thread that has the rows."""

    def work(tx: Tx, wanted: list[int]) -> T:
        span = wanted[-1] - wanted[0] + 1
        rows = live_rows(tx, view.account_id, view.mailbox_id, wanted[0], wanted[-1], columns, span)
        if len(rows) != len(wanted):
            chosen = set(wanted)
            rows = [row for row in rows if row[0] in chosen]
        return read(rows)

    return [await database.read(work, batch) for batch in _batches(uids)]


def _batches(uids: list[int]) -> Iterator[list[int]]:
    """Runs of UIDs that span few others, so that a rare find does not read the whole mailbox."""
    start = 0
    for place in range(1, len(uids) + 1):
        if place == len(uids) or uids[place] - uids[start] >= ROWS_AT_ONCE:
            yield uids[start:place]
            start = place
