"""SORT and THREAD: what a search found, in another order or as conversations (RFC 5256, RFC 6203)."""

from __future__ import annotations  # array is no generic before Python 3.12

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from types import MappingProxyType
from typing import TypeVar

from mailhost.mailstore.known import Detail, KnownMailbox, Values, whole_order
from mailhost.mailstore.rows import live_rows, rows_at_once
from mailhost.mailstore.search import Scope
from mailhost.mailstore.sift import sift, takes_long
from mailhost.mailstore.sorting import THREAD_COLUMNS, sort_detail, sort_values, threaded
from mailhost.mailstore.thinking import think
from mailhost.message.threads import Node, Threaded, by_references, by_subject
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Search, Sort
from mailhost.protocols.imap.counting import numbers_text
from mailhost.protocols.imap.sorting import Algorithm, Criterion, SortKey
from mailhost.servers.imap.knowledge import known_to_decide
from mailhost.servers.imap.numbers import NumberMap
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.database import Database, Row, Tx

ROWS_AT_ONCE = 2_000
_PART = 8
"""To sort so small a part of a mailbox, its rows are read and not the columns of all."""

T = TypeVar("T")
Found = list[tuple[int, int]]
"""(uid, modseq) of messages."""


async def sorted_at_once(view: MailboxView, command: Sort, scope: Scope) -> bytes | None:
    """The answer to SORT of a good part of a known mailbox, without an object a message; else None."""
    if sorts_by_relevancy(command):
        return None
    details = [sort_detail(criterion.key) for criterion in command.criteria]
    known = await known_to_decide(view, command.key, scope)
    if known is None or takes_long(command.key, known):
        return None
    if sift(command.key, known, scope).count(1) * _PART < len(known.uids):
        return None
    known = await known_to_decide(view, command.key, scope, details)
    if known is None or known.gone_modseq > view.modseq:
        return None
    first, end = known.span(view.first_uid, view.uid_next - 1)
    chosen = b"\0" * first + sift(command.key, known, scope)[first:end] + b"\0" * (len(known.uids) - end)
    *rest, last = zip(command.criteria, details, strict=True)
    columns = [known.detail(detail)[:] for _, detail in rest]
    numbers = known.uids if command.by_uid else range(1 - first, end + 1)
    order = await _whole_order(view, known, *last)

    def text() -> bytes:
        places = list(compress(order, map(chosen.__getitem__, order)))
        _sort_places(places, [criterion for criterion, _ in rest], columns)
        return numbers_text(tuple(map(numbers.__getitem__, places)))

    return responses.search_text(await think(text), name=b"SORT")


async def _whole_order(view: MailboxView, known: KnownMailbox, criterion: Criterion, detail: Detail) -> array[int]:
    """Every place in the order of one criterion."""
    order = known.order(detail, is_reverse=criterion.is_reverse)
    values, there = known.detail(detail)[:], known.uids
    if len(order) == len(values):
        return order
    made = await think(whole_order, order, values, is_reverse=criterion.is_reverse)
    if known.uids is there:
        known.keep_order(detail, made, is_reverse=criterion.is_reverse)
        view.known.make_room(known)
    return made


def _sort_places(places: list[int], criteria: Sequence[Criterion], columns: Sequence[Sequence[int | str]]) -> None:
    # Sorting is stable, also in reverse, so the last criterion goes first and equals stay in their old order.
    for criterion, column in zip(reversed(criteria), reversed(columns), strict=True):
        places.sort(key=column.__getitem__, reverse=criterion.is_reverse)


def sorts_by_relevancy(command: Search | Sort) -> bool:
    """Whether the order is one of this search alone."""
    return isinstance(command, Sort) and any(criterion.key is SortKey.RELEVANCY for criterion in command.criteria)


async def in_order(
    database: Database,
    view: MailboxView,
    found: Found,
    criteria: Sequence[Criterion],
    scores: Mapping[int, int] = MappingProxyType({}),
) -> Found:
    """The messages found, in the order of the criteria; a message that is gone meanwhile is left out.

    `scores` are the relevancies by UID, for criteria that ask for them: the highest comes first (RFC 6203 §6).
    """
    details = [sort_detail(criterion.key) for criterion in criteria if criterion.key is not SortKey.RELEVANCY]
    known = await view.present(details) if len(found) * _PART > view.exists else None
    uids: Sequence[int]
    columns: Sequence[Sequence[int | str]]
    if known is not None:
        uids, columns = known.uids, [known.detail(detail)[:] for detail in details]
    else:
        uids, columns = await _read_details(database, view, [uid for uid, _ in found], details)
    modseqs = dict(found)
    for place, criterion in enumerate(criteria):
        if criterion.key is SortKey.RELEVANCY:
            columns = [*columns[:place], [-scores.get(uid, 0) for uid in uids], *columns[place:]]

    def order() -> Found:
        places = [place for place, uid in enumerate(uids) if uid in modseqs]
        _sort_places(places, criteria, columns)
        return [(uids[place], modseqs[uids[place]]) for place in places]

    return await think(order)


async def _read_details(
    database: Database, view: MailboxView, uids: list[int], details: Sequence[Detail]
) -> tuple[list[int], list[list[int | str]]]:
    """The UIDs that are there, and a column for each detail."""
    names = tuple(dict.fromkeys(("uid", *(name for detail in details for name in detail.columns))))

    def read(rows: list[Row]) -> tuple[list[int], list[Values]]:
        return [row[0] for row in rows], [sort_values(rows, detail, names) for detail in details]

    there: list[int] = []
    columns: list[list[int | str]] = [[] for _ in details]
    for some, theirs in await read_rows(database, view, uids, names, read):
        there += some
        for column, more in zip(columns, theirs, strict=True):
            column.extend(more)
    return there, columns


async def threads_text(
    database: Database, view: MailboxView, found: Found, algorithm: Algorithm, *, by_uid: bool
) -> bytes:
    """The answer to THREAD. That about all messages of a mailbox is kept for whoever asks again. Raises ViewBroken."""
    known = await view.present() if len(found) == view.exists else None
    if known is not None and (known.gone_modseq > view.modseq or len(known.uids) != view.exists):
        known = None
    if known is not None and (answer := known.threads(algorithm.name, by_uid=by_uid)) is not None:
        return answer
    numbers = None if by_uid else await view.numbers(database)
    there = known.uids if known is not None else None
    answer = responses.thread(await in_threads(database, view, found, algorithm, numbers))
    if known is not None and known.uids is there:
        known.keep_threads(algorithm.name, answer, by_uid=by_uid)
        view.known.make_room(known)
    return answer


async def in_threads(
    database: Database, view: MailboxView, found: Found, algorithm: Algorithm, numbers: NumberMap | None
) -> list[Node]:
    """The messages found as conversations, by their UIDs, or by `numbers` where they are given."""

    def read(rows: list[Row]) -> list[Threaded]:
        return [threaded(row, row[0] if numbers is None else numbers.number_of(row[0])) for row in rows]

    pieces = await read_rows(database, view, [uid for uid, _ in found], THREAD_COLUMNS, read)
    messages = [message for piece in pieces for message in piece if message.number]
    make = by_references if algorithm is Algorithm.REFERENCES else by_subject
    return await think(make, messages)


async def read_rows(
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

    at_once = await database.point(rows_at_once, view.account_id, columns, ROWS_AT_ONCE)
    return [await database.read(work, batch) for batch in _batches(uids, at_once)]


def _batches(uids: list[int], at_once: int) -> Iterator[list[int]]:
    """Runs of UIDs that span few others, so that a rare find does not read the whole mailbox."""
    start = 0
    for place in range(1, len(uids) + 1):
        if place == len(uids) or uids[place] - uids[start] >= at_once:
            yield uids[start:place]
            start = place
