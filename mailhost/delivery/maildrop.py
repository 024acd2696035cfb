"""The maildrop of POP3: INBOX as it stood at sign-in, held by one session at a time (RFC 1939 §4, §8)."""

from __future__ import annotations  # array is not subscriptable when Python 3.11 runs

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from mailhost.delivery import sql
from mailhost.errors import MailhostError
from mailhost.mailstore import INBOX, expunge, expunged_rows, find_mailbox, live_rows
from mailhost.storage.database import Tx

LEASE_SECONDS: Final = 60
"""How long a maildrop stays locked after its session's server died."""
RENEW_SECONDS: Final = 20
_PAGE: Final = 10_000


class MaildropLocked(MailhostError):
    """Another session has the maildrop open, or took it over."""


class MessageGone(MailhostError):
    """The message was erased since the maildrop was opened."""


@dataclass(slots=True)
class Maildrop:
    """What the session was shown: the n-th entry is message number n + 1. Numbers never move."""

    account_id: int
    mailbox_id: int
    uids: array[int] = field(default_factory=lambda: array("Q"))
    message_ids: array[int] = field(default_factory=lambda: array("Q"))
    octets: array[int] = field(default_factory=lambda: array("Q"))
    twins: dict[int, list[int]] = field(default_factory=dict)  # message id -> UIDs of its further placements
    deleted: set[int] = field(default_factory=set)  # indexes marked by DELE

    def unique_id(self, index: int) -> str:
        """UIDL of a message: the same in every session, also after DELE, never another's."""
        return f"GmailId{self.message_ids[index]:x}"

    def doomed_uids(self) -> list[int]:
        """The UIDs that QUIT removes, ascending."""
        uids = [self.uids[index] for index in self.deleted]
        uids += (uid for index in self.deleted for uid in self.twins.get(self.message_ids[index], ()))
        return sorted(uids)


@dataclass(frozen=True, slots=True)
class Content:
    """Where the octets of one message are: prefix, then blob; the first `header_octets` of the blob are its header."""

    blob: bytes
    prefix: bytes
    header_octets: int


def lock(tx: Tx, account_id: int, holder: str, now: int) -> None:
    """Take the maildrop, or renew the hold on it. Raises MaildropLocked."""
    if not sql.take_maildrop(tx, account_id, holder, now, LEASE_SECONDS):
        raise MaildropLocked


def unlock(tx: Tx, account_id: int, holder: str) -> None:
    """Leave without deleting anything."""
    sql.release_maildrop(tx, account_id, holder)


def unlock_all(tx: Tx) -> None:
    """At the start of a server that is the store's only one: nobody can hold a maildrop yet."""
    sql.release_all_maildrops(tx)


def snapshot(tx: Tx, account_id: int) -> Maildrop:
    """INBOX as it stands. A message that is in it twice is listed once."""
    drop = Maildrop(account_id, find_mailbox(tx, account_id, INBOX).id)
    seen: set[int] = set()
    next_uid = 1
    while True:
        columns = ("uid", "message_id", "octets", "open_end")
        rows = live_rows(tx, account_id, drop.mailbox_id, next_uid, 2**32, columns, _PAGE)
        for uid, message_id, octets, open_end in rows:
            if message_id in seen:
                drop.twins.setdefault(message_id, []).append(uid)
                continue
            seen.add(message_id)
            drop.uids.append(uid)
            drop.message_ids.append(message_id)
            drop.octets.append(octets + 2 if open_end else octets)  # RETR ends the last line, as it must
        if len(rows) < _PAGE:
            return drop
        next_uid = rows[-1][0] + 1


def find_content(tx: Tx, account_id: int, mailbox_id: int, uid: int) -> Content:
    """One message, also when it was expunged elsewhere meanwhile. Raises MessageGone."""
    columns = ("blob", "prefix", "header_octets")
    rows = live_rows(tx, account_id, mailbox_id, uid, uid, columns, 1)
    rows = rows or expunged_rows(tx, account_id, mailbox_id, (uid, uid), columns, 0)
    if not rows:
        raise MessageGone
    return Content(*rows[0])


def settle(tx: Tx, drop: Maildrop, holder: str, now: int) -> int:
    """QUIT: remove what was marked and let go, all in one; returns how many went. Raises MaildropLocked."""
    lock(tx, drop.account_id, holder, now)
    doomed = drop.doomed_uids()
    gone = expunge(tx, drop.account_id, drop.mailbox_id, _ranges(doomed), now, only_deleted=False) if doomed else []
    unlock(tx, drop.account_id, holder)
    return len(gone)


def _ranges(uids: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as first and last of each run."""
    uids = list(uids)
    ends = [before for before, after in pairwise(uids) if after != before + 1] + uids[-1:]
    starts = uids[:1] + [after for before, after in pairwise(uids) if after != before + 1]
    return list(zip(starts, ends, strict=True))
