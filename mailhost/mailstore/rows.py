"""Rows for FETCH and SEARCH: the wanted columns of a run of messages, as plain tuples in the order of their UIDs."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from mailhost.mailstore.model import UidRange
from mailhost.storage.database import Row, Tx

_FROM_PLACEMENT: Final = frozenset({"uid", "modseq", "flags", "message_id", "saved_at", "account_id"})
_FROM_MESSAGE: Final = frozenset(
    {
        "blob",
        "prefix",
        "octets",
        "header_octets",
        "internal_date",
        "sent_date",
        "sent_day",
        "envelope",
        "bodystructure",
        "parts",
        "fields",
        "preview",
        "open_end",
    }
)


LABELS: Final = "labels"
"""A column no table has: the ids of all mailboxes the message stands in, joined by commas."""

LABELS_SQL: Final = """(select string_agg(cast(labelled.mailbox_id as text), ',') from placement as labelled
    where labelled.account_id = placed.account_id and labelled.message_id = placed.message_id)"""

HEAVY: Final = frozenset({"envelope", "bodystructure", "fields"})
"""Columns that a sender can make as large as a megabyte."""


_HEAVY_AT_ONCE: Final = 10


def rows_at_once(tx: Tx, account_id: int, columns: Iterable[str], usual: int) -> int:
    """How many messages with these columns are held in memory at a time: `usual`, but few where some message of the
    account has much in the HEAVY columns. The condition is that of an index."""
    if HEAVY.isdisjoint(columns):
        return usual
    rows = tx.execute(
        """select 1 from message where account_id = :account_id
            and length(envelope) + length(bodystructure) + length(fields) > 32768
        limit 1""",
        account_id=account_id,
    )
    return _HEAVY_AT_ONCE if rows else usual


def live_rows(
    tx: Tx, account_id: int, mailbox_id: int, first_uid: int, last_uid: int, columns: tuple[str, ...], limit: int
) -> list[Row]:
    """The columns of at most `limit` placements with UIDs from `first_uid` to `last_uid`."""
    return tx.execute(
        _select(columns, "placement"),
        account_id=account_id,
        mailbox_id=mailbox_id,
        first_uid=first_uid,
        last_uid=last_uid,
        limit=limit,
    )


def expunged_rows(
    tx: Tx, account_id: int, mailbox_id: int, span: UidRange, columns: tuple[str, ...], since: int
) -> list[Row]:
    """The same of all messages that were expunged after `since`, for sessions that have not been told of it
    (RFC 2180 §4.1.2)."""
    return tx.execute(
        _select(columns, "tombstone"),
        account_id=account_id,
        mailbox_id=mailbox_id,
        first_uid=span[0],
        last_uid=span[1],
        since=since,
    )


def live_flags(tx: Tx, account_id: int, mailbox_id: int, first_uid: int, last_uid: int) -> list[int]:
    """The flags of every placement with a UID in the range, in the order of UIDs.

    They come as one text, which costs a quarter of so many rows and lets other threads run meanwhile.
    """
    [(text,)] = tx.execute(
        """select string_agg(cast(flags as text), ',' order by uid) from placement
        where account_id = :account_id and mailbox_id = :mailbox_id and uid between :first_uid and :last_uid""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        first_uid=first_uid,
        last_uid=last_uid,
    )
    return list(map(int, text.split(","))) if text else []


def live_uids(tx: Tx, account_id: int, mailbox_id: int, uid_next: int, since: int) -> list[int]:
    """The UIDs below `uid_next` that were there at modseq `since`: those alive and those expunged later; ascending."""
    [(text,)] = tx.execute(
        """select string_agg(cast(uid as text), ',' order by uid) from (
            select uid from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and uid < :uid_next
            union all
            select uid from tombstone
            where account_id = :account_id and mailbox_id = :mailbox_id and modseq > :since and uid < :uid_next
        ) as uids""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        uid_next=uid_next,
        since=since,
    )
    return list(map(int, text.split(","))) if text else []


@lru_cache(maxsize=256)
def _select(columns: tuple[str, ...], table: str) -> str:
    unknown = set(columns) - _FROM_PLACEMENT - _FROM_MESSAGE - {"thread_id", LABELS}
    if unknown:
        raise ValueError(f"no such column: {unknown}")
    names = []
    for column in columns:
        if column == "saved_at" and table == "tombstone":
            names.append("cast(null as bigint)")  # tombstones do not keep it
        elif column == "thread_id":
            names.append("coalesce(thread.thread_id, placed.message_id)")
        elif column == LABELS:
            names.append(LABELS_SQL)
        else:
            names.append(("message." if column in _FROM_MESSAGE else "placed.") + column)
    join = ""
    if not _FROM_MESSAGE.isdisjoint(columns):
        join = "join message on message.account_id = placed.account_id and message.id = placed.message_id"
    if "thread_id" in columns:
        join += " left join thread on thread.account_id = placed.account_id and thread.message_id = placed.message_id"
    which, limit = ("", "limit :limit") if table == "placement" else ("and placed.modseq > :since", "")
    return f"""select {", ".join(names)} from {table} as placed {join}
        where placed.account_id = :account_id and placed.mailbox_id = :mailbox_id
            and placed.uid between :first_uid and :last_uid {which}
        order by placed.uid {limit}"""
