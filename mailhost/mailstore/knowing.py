"""The mailboxes that this process knows: a cache all sessions share, in bounded memory.

Whoever asks for a mailbox gets the present. A point read of its HIGHESTMODSEQ says whether something changed, and then
only that is read, once for all who wait. Other processes change the same mailbox, so nothing is believed beyond its
modseq. What nobody asked for longest is let go when the columns together exceed the budget; it can be read again.
"""

from __future__ import annotations  # array is no generic before Python 3.12

from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

from mailhost.mailstore.changes import changed_rows, changed_spans, highest_modseq, repeatable_changes, vanished
from mailhost.mailstore.known import Detail, KnownMailbox, Moved, Packed, Values
from mailhost.mailstore.mailboxes import load_mailbox
from mailhost.mailstore.model import MAX_UID, NoSuchMailbox
from mailhost.mailstore.rows import live_rows, rows_at_once
from mailhost.storage.database import Database, Row, Tx

BUDGET: Final = 64 * 1024 * 1024
"""Octets of all columns in a process: the flags of three million messages."""

_ROWS_AT_ONCE: Final = 10_000
_DETAILS_AT_ONCE: Final = 2_000  # some are made of header fields
_REPEATED: Final = 50_000  # single messages; others wait while columns change, so more work is done beside the loop
_LARGEST_SHARE: Final = 2  # a mailbox that would take more than half of the budget is not taken in


class KnownMailboxes:
    """The registry of one process, which takes about `octets`. Belongs to the event loop."""

    def __init__(self, database: Database, budget: int = BUDGET) -> None:
        self._database = database
        self._budget = budget
        self.octets = 0
        self._known: dict[tuple[int, int], KnownMailbox] = {}
        self._octets: OrderedDict[tuple[int, int], int] = OrderedDict()  # of each, the least recently used first

    def has(self, account_id: int, mailbox_id: int) -> bool:
        """Whether the mailbox is known already, so that to ask costs only what changed."""
        return (account_id, mailbox_id) in self._known

    async def present(self, account_id: int, mailbox_id: int, details: Sequence[Detail] = ()) -> KnownMailbox | None:
        """The mailbox as it is now; None when it is gone, or too large to be kept: then ask the rows."""
        key = (account_id, mailbox_id)
        latest = await self._database.point(highest_modseq, account_id, mailbox_id)
        if latest is None:
            self._forget(key)
            return None
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = KnownMailbox(account_id, mailbox_id)
        if known.modseq < latest or known.unread(details)[0]:
            try:
                async with known.lock:
                    if known.modseq < latest:
                        known.move(await self._database.read(_moved, known, self._budget // _LARGEST_SHARE))
                    await self._read_details(known, details)
            except (NoSuchMailbox, _TooLarge):
                self._forget(key)
                return None
            except BaseException:
                if key not in self._octets:  # what is not counted is never let go
                    self._forget(key)
                raise
            self.make_room(known)
        elif key in self._octets:
            self._octets.move_to_end(key)
        return known

    async def _read_details(self, known: KnownMailbox, details: Sequence[Detail]) -> None:
        while True:
            wanted, start = known.unread(details)
            if not wanted:
                return
            names = [name for detail in wanted for name in detail.columns]
            at_once = await self._database.point(rows_at_once, known.key[0], names, _DETAILS_AT_ONCE)
            uids = known.uids[start : start + at_once]
            found, values = await self._database.read(_details, known.key, uids, wanted)
            if not known.learn(start, found, values) or len(found) < len(uids):
                # Some of them are gone meanwhile; then the mailbox has moved, too.
                known.move(await self._database.read(_moved, known, self._budget // _LARGEST_SHARE))

    def make_room(self, known: KnownMailbox) -> None:
        """Count what a mailbox takes now, and let others go where that is too much.

        One that was let go while somebody worked on it belongs to him alone.
        """
        if self._known.get(known.key) is not known:
            return
        self.octets += known.octets - self._octets.get(known.key, 0)
        self._octets[known.key] = known.octets
        self._octets.move_to_end(known.key)
        while self.octets > self._budget:
            self._forget(next(iter(self._octets)))

    def _forget(self, key: tuple[int, int]) -> None:
        self.octets -= self._octets.pop(key, 0)
        self._known.pop(key, None)


class _TooLarge(Exception):  # not an error: the rows answer in its stead
    """The mailbox has more messages than the budget allows."""


def _moved(tx: Tx, known: KnownMailbox, largest: int) -> Moved:
    """What happened since the known modseq, or everything. Raises NoSuchMailbox, _TooLarge."""
    account_id, mailbox_id = known.key
    mailbox = load_mailbox(tx, account_id, mailbox_id)
    if known.modseq == mailbox.highest_modseq:
        return Moved(known.modseq, known.uid_next, known.gone_modseq, (), (), (), (), is_whole=False)
    [(purged_below, gone_modseq)] = tx.execute(
        """select purged_below, (
            select coalesce(max(modseq), 0) from tombstone
            where account_id = :account_id and mailbox_id = :mailbox_id)
        from mailbox where account_id = :account_id and id = :mailbox_id""",
        account_id=account_id,
        mailbox_id=mailbox_id,
    )
    gone_modseq = max(gone_modseq, purged_below - 1)
    if known.modseq < max(purged_below - 1, 0):
        if mailbox.messages * 20 > largest:
            raise _TooLarge
        whole = list(_packed(tx, known.key, 1, MAX_UID))
        return Moved(mailbox.highest_modseq, mailbox.uid_next, gone_modseq, (), (), (), whole, is_whole=True)
    done = repeatable_changes(tx, account_id, mailbox_id, known.modseq, known.uid_next, _REPEATED)
    changed = []
    if done is None:
        spans = changed_spans(tx, account_id, mailbox_id, known.modseq, known.uid_next, exactly=True)
        changed = [_pack(rows) for rows in changed_rows(tx, account_id, mailbox_id, spans, known.modseq) if rows]
    return Moved(
        mailbox.highest_modseq,
        mailbox.uid_next,
        gone_modseq,
        vanished(tx, account_id, mailbox_id, known.modseq, known.uid_next),
        done or (),
        changed,
        list(_packed(tx, known.key, known.uid_next, MAX_UID)),
        is_whole=False,
    )


def _packed(tx: Tx, key: tuple[int, int], first: int, last: int) -> Iterator[Packed]:
    """The messages of a UID range in pieces, as rows take ten times the room."""
    while True:
        rows = live_rows(tx, *key, first, last, ("uid", "modseq", "flags"), _ROWS_AT_ONCE)
        if rows:
            yield _pack(rows)
        if len(rows) < _ROWS_AT_ONCE:
            return
        first = rows[-1][0] + 1


def _pack(rows: Sequence[Row]) -> Packed:
    uids, modseqs, flags = zip(*rows, strict=True)
    return Packed(array("I", uids), array("Q", flags), array("Q", modseqs))


def _details(
    tx: Tx, key: tuple[int, int], uids: Sequence[int], details: Sequence[Detail]
) -> tuple[Sequence[int], dict[Detail, Values]]:
    """The values of some messages; fewer than asked for when some are gone."""
    columns = tuple(dict.fromkeys(("uid", *(name for detail in details for name in detail.columns))))
    rows: list[Row] = live_rows(tx, *key, uids[0], uids[-1], columns, len(uids))
    places = {name: place for place, name in enumerate(columns)}
    values = {}
    for detail in details:
        chosen = [places[name] for name in detail.columns]
        values[detail] = detail.make([tuple(row[place] for place in chosen) for row in rows])
    return [row[0] for row in rows], values
