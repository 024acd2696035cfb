"""What a process knows of a mailbox, for the commands that ask no more: then no row is looked at."""

from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from mailhost.mailstore.known import Detail, KnownMailbox
from mailhost.mailstore.model import UidRange
from mailhost.mailstore.ranges import intersection
from mailhost.mailstore.search import Scope, few_answered
from mailhost.mailstore.sift import details_for, sift, takes_long
from mailhost.mailstore.thinking import think
from mailhost.protocols.imap.search import SearchKey
from mailhost.servers.imap.numbers import NumberMap
from mailhost.servers.imap.plan import KnownFlags, RowPlan
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.database import Database

_KNOWN: Final = frozenset({"uid", "flags", "modseq"})
_PART: Final = 4
"""A FETCH of so small a part of a mailbox that is not known yet reads rows: it may be the only one."""
_AT_ONCE: Final = 1_000


async def known_for(
    view: MailboxView, numbers: NumberMap, ranges: Sequence[UidRange], plan: RowPlan
) -> KnownMailbox | None:
    """The mailbox, for a FETCH that it can answer; None where the rows must.

    A message that is gone but whose EXPUNGE the session has not been told is answered from its tombstone.
    """
    if not _KNOWN.issuperset(plan.columns) or (len(ranges) == 1 and ranges[0][0] == ranges[0][1]):
        return None
    if not view.known.has(view.account_id, view.mailbox_id):
        asked = sum(len(numbers.known_in(first, last)[1]) for first, last in ranges)
        if asked * _PART < len(numbers):
            return None
    known = await view.present()
    return known if known is not None and known.gone_modseq <= view.modseq else None


async def known_to_decide(
    view: MailboxView, key: SearchKey, scope: Scope, more: Sequence[Detail] = ()
) -> KnownMailbox | None:
    """The mailbox with all that decides a key, and `more`; None where the rows tell, as when few messages may match."""
    details = details_for(key, scope)
    if details is None or few_answered(key, scope) is not None:
        return None
    return await view.present((*details, *more))


async def sifted(key: SearchKey, known: KnownMailbox, scope: Scope) -> tuple[KnownMailbox, bytes]:
    """1 for each message that matches, 0 for the others; and the mailbox they are of, as it was then."""
    if not takes_long(key, known):
        return known, sift(key, known, scope)
    copy = known.copy(details_for(key, scope) or ())
    return copy, await think(sift, key, copy, scope)


async def from_known(
    database: Database,
    view: MailboxView,
    known: KnownMailbox,
    numbers: NumberMap,
    ranges: Sequence[UidRange],
    plan: RowPlan,
    changed_since: int,
) -> AsyncIterator[bytes]:
    """The untagged answers, as they were when `known` was asked for; `changed_since` is -1 where all are wanted."""
    wants_all = changed_since < 0
    batches = _batches(known, numbers, ranges) if wants_all else _changed(known, numbers, ranges, changed_since)
    for counted, uids, flags, modseqs in batches:
        if "flags" in plan.columns:
            await view.know_keywords(database, set(flags))
        columns = {"uid": uids, "flags": flags, "modseq": modseqs}
        yield plan.render(counted, [columns[name] for name in plan.columns], KnownFlags(view.keywords))


Batch = tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]
"""Sequence numbers, UIDs, flags and MODSEQ of some messages."""


def _batches(known: KnownMailbox, numbers: NumberMap, ranges: Sequence[UidRange]) -> Iterator[Batch]:
    """All in the ranges that the session knows. The columns are copied first: they move while the client reads."""
    there, flags, modseqs = known.uids, known.flags[:], known.modseqs[:]
    for first, last in ranges:
        before, uids = numbers.known_in(first, last)
        if not uids:
            continue
        # Nothing is gone, so the UIDs that the session knows are neighbours here, too.
        start = bisect_left(there, uids[0])
        for place in range(0, len(uids), _AT_ONCE):
            some = uids[place : place + _AT_ONCE]
            here = slice(start + place, start + place + len(some))
            yield range(before + place + 1, before + place + 1 + len(some)), some, flags[here], modseqs[here]


def _changed(known: KnownMailbox, numbers: NumberMap, ranges: Sequence[UidRange], since: int) -> Iterator[Batch]:
    """Those of them whose MODSEQ is above `since`."""
    places = known.changed_since(since, intersection(ranges, [(numbers.uids[0], numbers.uids[-1])]))
    uids, flags, modseqs = ([column[place] for place in places] for column in (known.uids, known.flags, known.modseqs))
    for start in range(0, len(uids), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        yield numbers.numbers_of(uids[some]), uids[some], flags[some], modseqs[some]
