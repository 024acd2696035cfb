"""SEARCH: rows first, contents only where a key needs them (RFC 9051 §6.4.4, RFC 4731, RFC 5182)."""

from array import array
from collections.abc import Mapping, Sequence
from itertools import compress

from mailhost.mailstore.answers import identity_keys, text_keys
from mailhost.mailstore.conversations import complete_threads
from mailhost.mailstore.flags import load_keywords
from mailhost.mailstore.indexer import TextIndex
from mailhost.mailstore.labelling import NoLabels, find_labels
from mailhost.mailstore.matching import MAX_CONTENT, Candidate, Verdict
from mailhost.mailstore.model import MAX_UID, UidRanges
from mailhost.mailstore.named import identified
from mailhost.mailstore.pages import Page
from mailhost.mailstore.ranges import as_ranges
from mailhost.mailstore.rows import LABELS
from mailhost.mailstore.search import (
    SCAN_COLUMNS,
    Condition,
    Scope,
    candidates,
    is_quickly_thought,
    labels_asked,
    set_keys,
)
from mailhost.mailstore.thinking import think
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Search, Sort, Thread
from mailhost.protocols.imap.counting import chosen_text
from mailhost.protocols.imap.fetch import Window
from mailhost.protocols.imap.search import (
    And,
    LabelIs,
    NumberIn,
    ReturnOption,
    SearchKey,
    UidIn,
    asks_modseq,
    asks_threads,
)
from mailhost.protocols.imap.sets import SequenceSet
from mailhost.servers.imap.knowledge import known_to_decide, sifted
from mailhost.servers.imap.relevancy import relevancies
from mailhost.servers.imap.session import ImapServices
from mailhost.servers.imap.sort import in_order, sorted_at_once, sorts_by_relevancy, threads_text
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Row, Tx
from mailhost.storage.errors import BlobDamaged, BlobMissing

_SOME = frozenset({ReturnOption.MIN, ReturnOption.MAX, ReturnOption.PARTIAL})
ROWS_AT_ONCE = 10_000
CANDIDATES_AT_ONCE = 500
_HEADERS_AT_ONCE = 4 * 1024 * 1024  # octets
_AT_A_GLANCE = 20  # rows that a few keys are held against while everybody waits


async def search(
    database: Database,
    blobs: Blobs,
    index: TextIndex,
    view: MailboxView,
    command: Search | Sort,
    now: int,
    *,
    source: responses.SearchedMailbox | None = None,
) -> tuple[bytes, list[int]]:
    """The untagged answer to SEARCH or SORT, if any, and the UIDs found, in their order, where RETURN was said.

    `source` is the mailbox the answer is to name, as that to ESEARCH does.
    What is to be saved becomes the view's `$`. Raises ViewBroken.
    """
    returns = command.returns
    saves = returns is not None and ReturnOption.SAVE in returns
    sets = await _resolve(database, view, command.key)
    if saves:
        view.saved = ()  # it stays empty if the search fails (RFC 5182 §2.1)
    scope = await _scope(database, index, view, command.key, sets, now)
    if returns is None and not asks_modseq(command.key):
        if isinstance(command, Sort):
            text = await sorted_at_once(view, command, scope)
        else:
            text = await _found_at_once(view, command, scope)
        if text is not None:
            return text, []
    found = await _find(database, blobs, view, command.key, scope)
    wants_scores = ReturnOption.RELEVANCY in (returns or ())
    scores: dict[int, int] = {}
    if wants_scores or sorts_by_relevancy(command):
        scores = await relevancies(database, blobs, view, command.key, scope, [uid for uid, _ in found])
    if isinstance(command, Sort):
        found = await in_order(database, view, found, command.criteria, scores)
    named = found if returns is None else _named(found, returns, command.window)
    modseq = max((modseq for _, modseq in named), default=0) if asks_modseq(command.key) else None
    if saves:
        view.saved = array("I", [uid for uid, _ in named])
    uids = numbers = [uid for uid, _ in found]
    if not command.by_uid and numbers:
        order = await view.numbers(database)
        numbers = order.numbers_in_order(numbers) if isinstance(command, Sort) else order.numbers_of(numbers)
    if returns is None:
        return responses.search(numbers, modseq, name=b"SORT" if isinstance(command, Sort) else b"SEARCH"), uids
    if returns == {ReturnOption.SAVE}:
        return b"", uids
    answer = responses.esearch(
        command.tag,
        numbers,
        returns,
        by_uid=command.by_uid,
        modseq=modseq or None,
        window=command.window,
        source=source,
        relevancy=[scores.get(uid, 1) for uid in uids] if wants_scores else None,
    )
    return answer, uids


async def _found_at_once(view: MailboxView, command: Search, scope: Scope) -> bytes | None:
    """The answer without an object a message, where nothing is gone that the session was not told of; else None."""
    known = await known_to_decide(view, command.key, scope)
    if known is None or known.gone_modseq > view.modseq:
        return None
    known, chosen = await sifted(command.key, known, scope)
    first, end = known.span(view.first_uid, view.uid_next - 1)
    chosen = chosen[first:end]
    numbers = known.uids[first:end] if command.by_uid else range(1, len(chosen) + 1)
    return responses.search_text(chosen_text(numbers, chosen))


async def fixed_sets(database: Database, view: MailboxView, key: SearchKey) -> dict[int, UidRanges]:
    """The sets of the tree that keep their meaning while messages come and go: sequence numbers and `$`.

    `3:*` goes on with what comes, as the same UIDs would.
    """
    sets = await _resolve(database, view, key)
    fixed: dict[int, UidRanges] = {}
    for asked in set_keys(key):
        numbers = asked.uids if isinstance(asked, UidIn) else asked.numbers
        ranges = sets[id(asked)]
        if numbers.is_saved:
            fixed[id(asked)] = ranges
        elif isinstance(asked, NumberIn):
            end = [(ranges[-1][0] if ranges else view.uid_next, MAX_UID)]
            fixed[id(asked)] = [*ranges[:-1], *end] if numbers.is_open else ranges
    return fixed


def uses_numbers(key: SearchKey) -> bool:
    """Whether a sequence number stands in the tree; `$` is none."""
    return any(isinstance(each, NumberIn) and not each.numbers.is_saved for each in set_keys(key))


async def find_among(
    services: ImapServices, view: MailboxView, key: SearchKey, fixed: Mapping[int, UidRanges], uids: Sequence[int]
) -> set[int]:
    """Which of the ascending UIDs match now; `fixed` are the sets that mean what they meant. Raises ViewBroken."""
    narrowed = And((UidIn(SequenceSet(tuple(as_ranges(uids)))), key))
    sets = await _resolve(services.database, view, narrowed) | dict(fixed)
    scope = await _scope(services.database, services.index, view, narrowed, sets, int(services.clock()))
    found = await _find(services.database, services.blobs, view, narrowed, scope)
    return {uid for uid, _ in found}


async def thread(
    database: Database, blobs: Blobs, index: TextIndex, view: MailboxView, command: Thread, now: int
) -> bytes:
    """The untagged answer to THREAD. Raises ViewBroken."""
    sets = await _resolve(database, view, command.key)
    scope = await _scope(database, index, view, command.key, sets, now)
    found = await _find(database, blobs, view, command.key, scope)
    return await threads_text(database, view, found, command.algorithm, by_uid=command.by_uid)


def _named(
    found: list[tuple[int, int]], returns: frozenset[ReturnOption], window: Window | None
) -> list[tuple[int, int]]:
    """The messages MODSEQ and `$` speak of: those in the answer, where it does not speak of all.

    RFC 5182 §2.4, RFC 7162 §3.1.10, RFC 9394 §3.2.
    """
    if not returns & _SOME or returns & {ReturnOption.ALL, ReturnOption.COUNT}:
        return found
    named = set() if window is None else set(found[window.of(len(found))])
    if ReturnOption.MIN in returns:
        named.update(found[:1])
    if ReturnOption.MAX in returns:
        named.update(found[-1:])
    return sorted(named)


async def _resolve(database: Database, view: MailboxView, key: SearchKey) -> dict[int, UidRanges]:
    """The sets in the tree by their identity, as the view has them now."""
    sets: dict[int, UidRanges] = {}
    for asked in set_keys(key):
        numbers = asked.uids if isinstance(asked, UidIn) else asked.numbers
        sets[id(asked)] = await view.uid_ranges(database, numbers, by_uid=isinstance(asked, UidIn))
    return sets


async def _scope(
    database: Database,
    index: TextIndex,
    view: MailboxView,
    key: SearchKey,
    sets: Mapping[int, UidRanges],
    now: int,
) -> Scope:
    answers = await index.answers(view.account_id, text_keys(key))
    if named := identity_keys(key):
        if asks_threads(key):
            await complete_threads(database, view.account_id)
        answers |= await database.read(identified, view.account_id, named)
    view.keywords = await database.point(load_keywords, view.account_id)
    labels: dict[str, int] = {}
    asked = labels_asked(key)
    if not view.shows_labels and (asked or any(isinstance(each, LabelIs) for each in named)):
        raise NoLabels  # what another's labels are called, and what has them, is no matter of one shared mailbox
    if asked:
        labels = await database.read(find_labels, view.account_id, asked)
    return Scope(view.keywords, sets, now, answers, database.engine, labels)


async def _find(
    database: Database, blobs: Blobs, view: MailboxView, key: SearchKey, scope: Scope
) -> list[tuple[int, int]]:
    """(uid, modseq) of the messages found, ascending."""
    if (known := await known_to_decide(view, key, scope)) is not None:
        known, chosen = await sifted(key, known, scope)
        first, end = known.span(view.first_uid, view.uid_next - 1)
        chosen = chosen[first:end]
        columns = (known.uids[first:end], known.modseqs[first:end])
        return list(zip(*(compress(column, chosen) for column in columns), strict=True))
    is_light = is_quickly_thought(key, scope)
    condition = Condition(key, scope) if is_light else await think(Condition, key, scope)
    if condition.is_exact:
        return await _rows(database, view, condition)
    found: list[tuple[int, int]] = []
    first_uid = view.first_uid
    while first_uid < view.uid_next:
        rows = await database.read(_candidates, view, condition, first_uid, bool(labels_asked(key)))
        found += await _look_at(blobs, rows, scope, key, is_light=is_light and len(rows) <= _AT_A_GLANCE)
        first_uid = rows[-1][0] + 1 if len(rows) == CANDIDATES_AT_ONCE else view.uid_next
    return found


async def _rows(database: Database, view: MailboxView, condition: Condition) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    first_uid = view.first_uid
    while first_uid < view.uid_next:
        rows = await database.read(
            candidates, view.account_id, view.mailbox_id, condition, first_uid, view.uid_next, ROWS_AT_ONCE
        )
        found += [(uid, modseq) for uid, modseq in rows]
        first_uid = rows[-1][0] + 1 if len(rows) == ROWS_AT_ONCE else view.uid_next
    return found


def _candidates(tx: Tx, view: MailboxView, condition: Condition, first_uid: int, asks_labels: bool) -> list[Row]:
    return candidates(
        tx,
        view.account_id,
        view.mailbox_id,
        condition,
        first_uid,
        view.uid_next,
        CANDIDATES_AT_ONCE,
        columns=(*SCAN_COLUMNS, LABELS) if asks_labels else SCAN_COLUMNS,
    )


async def _look_at(
    blobs: Blobs, rows: Sequence[Row], scope: Scope, key: SearchKey, *, is_light: bool
) -> list[tuple[int, int]]:
    """The candidates that match; of those whose rows leave the question open first headers are read, then contents.

    `is_light`: to look at the rows takes less time than to wait for a thread that does.
    """

    def by_row() -> tuple[Page, list[Verdict]]:
        page = Page(rows, scope, key)
        return page, page.verdicts()

    page, verdicts = by_row() if is_light else await think(by_row)
    if page.wants_headers:
        await _read_headers(blobs, page, [place for place, verdict in enumerate(verdicts) if verdict is None])
        verdicts = await think(page.verdicts)
    found: list[tuple[int, int]] = []
    for row, verdict in zip(rows, verdicts, strict=True):
        candidate, is_found = Candidate(row, scope), verdict  # not that of the page, which would keep the content
        if verdict is None:
            candidate.read(await _read(blobs, candidate, MAX_CONTENT))
            is_found = await think(candidate.matches, key)
        if is_found:
            found.append((candidate.uid, candidate.modseq))
    return found


async def _read_headers(blobs: Blobs, page: Page, places: Sequence[int]) -> None:
    headers: dict[int, bytes] = {}
    octets = 0
    for place in places:
        candidate = page.candidates[place]
        headers[place] = await _read(blobs, candidate, candidate.header_octets)
        octets += len(headers[place])
        if octets > _HEADERS_AT_ONCE or place == places[-1]:
            await think(page.read_headers, headers)
            headers, octets = {}, 0


async def _read(blobs: Blobs, candidate: Candidate, octets: int) -> bytes:
    try:
        return await blobs.read(candidate.digest, 0, min(octets, MAX_CONTENT))
    except (BlobDamaged, BlobMissing):
        return b""  # FETCH tells of it; here only what it says cannot be found
