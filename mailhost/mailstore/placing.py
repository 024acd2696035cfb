"""Messages into mailboxes and out of them: the counters, the tombstones and the log that go with each placement.

The gmail layout names messages, not UIDs: what it changes, it changes for all of a message's mailboxes.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from mailhost.mailstore.account import Turn, charge
from mailhost.mailstore.mailboxes import mailbox_topic
from mailhost.mailstore.model import MAX_UID, Flag, MailboxFull, NoSuchMailbox, UidRange, UidRanges
from mailhost.protocols.imap.sets import format_ranges
from mailhost.storage.database import Row, Tx, Value

Ids = Sequence[int]
"""Ids of messages; callers bound them to a few thousand."""

Masks = tuple[int, int]
"""Bits of flags that are cleared, and bits that are set then."""

COPIED: Final = """blob, prefix, octets, header_octets, internal_date, sent_date, sent_day, removed_at, envelope,
    bodystructure, parts, fields, preview, open_end"""
"""The columns of `message` that a new row on the same blob takes over."""

EXACT_RANGES: Final = 1_000
"""A change of so many ranges at most is noted range by range; 8 KB."""

_SEEN: Final = int(Flag.SEEN)
_DELETED: Final = int(Flag.DELETED)


def among(tx: Tx, numbers: Iterable[int], column: str, name: str) -> tuple[str, dict[str, str]]:
    """The condition that a column is one of some numbers, which travel as one value, the parameter `name`."""
    text = ",".join(map(str, numbers))
    if tx.engine == "sqlite":
        return f"{column} in (select value from json_each(:{name}))", {name: f"[{text}]"}
    return f"{column} = any(cast(:{name} as bigint[]))", {name: f"{{{text}}}"}


def by_message(tx: Tx) -> str:
    """The table of placements, to be read by the index that leads to a message's.

    SQLite, which counts no rows, would rather walk through all placements of the account.
    """
    return "placement indexed by placement_message" if tx.engine == "sqlite" else "placement"


BESIDE: Final = "mailbox_id + 0"
"""The mailbox as a further condition on placements of messages that are named.

PostgreSQL, which counted the rows a while ago, may believe that a mailbox is empty and walk through all of it.
"""


def of_messages(tx: Tx, ids: Ids) -> tuple[str, str, dict[str, str]]:
    """(table, condition, parameters): the placements of some messages."""
    condition, value = among(tx, ids, "message_id", "ids")
    return by_message(tx), condition, value


def take_uids(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    count: int,
    *,
    modseq: int,
    octets: int,
    unseen: int,
    deleted: int,
) -> tuple[int, int]:
    """Reserve `count` UIDs for placements about to be made and count them in; returns (UIDVALIDITY, first UID).

    The account's modseq was raised before. Raises NoSuchMailbox, MailboxFull. RFC 9051 §2.3.1.1
    """
    rows = tx.execute(
        """update mailbox set uid_next = uid_next + :count, highest_modseq = :modseq, messages = messages + :count,
            unseen = unseen + :unseen, deleted = deleted + :deleted, octets = octets + :octets
        where account_id = :account_id and id = :mailbox_id and is_selectable = 1
        returning uid_validity, uid_next - :count""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        count=count,
        modseq=modseq,
        unseen=unseen,
        deleted=deleted,
        octets=octets,
    )
    if not rows:
        raise NoSuchMailbox
    uid_validity, first_uid = rows[0]
    if first_uid + count > MAX_UID:
        raise MailboxFull
    tx.wake(mailbox_topic(account_id, mailbox_id))
    return uid_validity, first_uid


def place_one(tx: Tx, turn: Turn, mailbox_id: int, message_id: int, flags: int, octets: int, now: int) -> int:
    """Place a message that stands nowhere yet, or not here; returns its UID. Raises NoSuchMailbox, MailboxFull."""
    _, uid = take_uids(
        tx,
        turn.account_id,
        mailbox_id,
        1,
        modseq=turn.modseq,
        octets=octets,
        unseen=int(not flags & _SEEN),
        deleted=int(flags & _DELETED != 0),
    )
    tx.execute(
        """insert into placement (account_id, mailbox_id, uid, message_id, modseq, flags, saved_at)
        values (:account_id, :mailbox_id, :uid, :message_id, :modseq, :flags, :now)""",
        account_id=turn.account_id,
        mailbox_id=mailbox_id,
        uid=uid,
        message_id=message_id,
        modseq=turn.modseq,
        flags=flags,
        now=now,
    )
    return uid


def enter(tx: Tx, turn: Turn, mailbox_id: int, ids: Ids, now: int, *, source_id: int = 0) -> None:
    """Place messages that stand elsewhere in this mailbox too, those that do not yet; \\Deleted does not come along.

    They come in the order they have in the mailbox `source_id`, else in that of their ids.
    """
    table, condition, value = of_messages(tx, ids)
    fresh = f"""select message_id, min(flags & {~_DELETED}) as flags,
            max(case when mailbox_id = :source_id then uid else 0 end) as place
        from {table} where account_id = :account_id and {condition}
        group by message_id having max(case when mailbox_id = :mailbox_id then 1 else 0 end) = 0"""
    keys: dict[str, Value] = {"account_id": turn.account_id, "mailbox_id": mailbox_id, "source_id": source_id, **value}
    # `cross join`: else SQLite, which counts no rows, begins with all messages of the account.
    [(count, octets, unseen)] = tx.execute(
        f"""select count(*), cast(coalesce(sum(octets), 0) as bigint), cast(coalesce(sum(1 - flags % 2), 0) as bigint)
        from ({fresh}) as fresh cross join message
        where message.account_id = :account_id and message.id = message_id""",
        **keys,
    )
    if not count:
        return
    _, first_uid = take_uids(
        tx, turn.account_id, mailbox_id, count, modseq=turn.modseq, octets=octets, unseen=unseen, deleted=0
    )
    tx.execute(
        f"""insert into placement (account_id, mailbox_id, uid, message_id, modseq, flags, saved_at)
        select :account_id, :mailbox_id, :before_first + row_number() over (order by place, message_id), message_id,
            :modseq, flags, :now
        from ({fresh}) as fresh""",
        before_first=first_uid - 1,
        modseq=turn.modseq,
        now=now,
        **keys,
    )


def leave(tx: Tx, turn: Turn, ids: Ids, now: int, *, mailboxes: Collection[int] = (), but: int = 0) -> None:
    """Take messages out of some mailboxes, or out of all but one; who has them open hears of it by the tombstones."""
    table, condition, value = of_messages(tx, ids)
    if mailboxes:
        inside, boxes = among(tx, mailboxes, BESIDE, "mailboxes")
        where, keys = f"{condition} and {inside}", {**value, **boxes}
    else:
        where, keys = f"{condition} and mailbox_id <> {int(but)}", value
    tallies = tx.execute(
        f"""select mailbox_id, count(*), cast(sum(octets) as bigint), cast(sum(1 - flags % 2) as bigint),
            cast(sum(flags / {_DELETED} % 2) as bigint)
        from {table} join message on message.account_id = placement.account_id and message.id = message_id
        where placement.account_id = :account_id and {where} group by mailbox_id""",
        account_id=turn.account_id,
        **keys,
    )
    if not tallies:
        return
    tx.execute(
        f"""insert into tombstone (account_id, mailbox_id, uid, modseq, message_id, flags, expunged_at)
        select account_id, mailbox_id, uid, :modseq, message_id, flags, :now from {table}
        where account_id = :account_id and {where}""",
        account_id=turn.account_id,
        modseq=turn.modseq,
        now=now,
        **keys,
    )
    tx.execute(f"delete from {table} where account_id = :account_id and {where}", account_id=turn.account_id, **keys)
    for mailbox_id, *tally in tallies:
        count_out(tx, turn, mailbox_id, *tally)


def count_out(tx: Tx, turn: Turn, mailbox_id: int, count: int, octets: int, unseen: int, deleted: int) -> None:
    """Set a mailbox's counters right for placements that are gone."""
    tx.execute(
        """update mailbox set highest_modseq = :modseq, messages = messages - :count, unseen = unseen - :unseen,
            deleted = deleted - :deleted, octets = octets - :octets
        where account_id = :account_id and id = :mailbox_id""",
        account_id=turn.account_id,
        mailbox_id=mailbox_id,
        modseq=turn.modseq,
        count=count,
        unseen=unseen,
        deleted=deleted,
        octets=octets,
    )
    tx.wake(mailbox_topic(turn.account_id, mailbox_id))


def touch(tx: Tx, turn: Turn, ids: Ids) -> None:
    """The messages changed: raise their MODSEQ wherever they stand, and leave that in the log."""
    table, condition, value = of_messages(tx, ids)
    where = f"account_id = :account_id and modseq <> :modseq and {condition}"
    keys: dict[str, Value] = {"account_id": turn.account_id, "modseq": turn.modseq, **value}
    spans = tx.execute(
        f"select mailbox_id, min(uid), max(uid) from {table} where {where} group by mailbox_id",
        **keys,
    )
    tx.execute(f"update {table} set modseq = :modseq where {where}", **keys)
    for mailbox_id, first_uid, last_uid in spans:
        log_change(tx, turn.account_id, mailbox_id, turn.modseq, (first_uid, last_uid))
        tx.execute(
            "update mailbox set highest_modseq = :modseq where account_id = :account_id and id = :mailbox_id",
            account_id=turn.account_id,
            mailbox_id=mailbox_id,
            modseq=turn.modseq,
        )
        tx.wake(mailbox_topic(turn.account_id, mailbox_id))


def log_change(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    modseq: int,
    span: UidRange,
    ranges: UidRanges = (),
    masks: Masks | None = None,
) -> None:
    """Note that something changed in a span of UIDs, for sessions that ask later; nowhere but in `ranges` if given.

    `masks`, if given, is all that was done to the messages in `ranges`.
    """
    is_exact = 0 < len(ranges) <= EXACT_RANGES
    clear_mask, set_mask = masks if masks is not None and is_exact else (None, None)
    tx.execute(
        """insert into flag_change (account_id, mailbox_id, modseq, first_uid, last_uid, uids, clear_mask, set_mask)
        values (:account_id, :mailbox_id, :modseq, :first_uid, :last_uid, :uids, :clear_mask, :set_mask)
        on conflict (account_id, mailbox_id, modseq) do update set uids = null, clear_mask = null, set_mask = null,
            first_uid = case when flag_change.first_uid < :first_uid then flag_change.first_uid else :first_uid end,
            last_uid = case when flag_change.last_uid > :last_uid then flag_change.last_uid else :last_uid end""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        modseq=modseq,
        first_uid=span[0],
        last_uid=span[1],
        uids=format_ranges(ranges).decode() if is_exact and len(ranges) > 1 else None,
        clear_mask=clear_mask,
        set_mask=set_mask,
    )


def release_unplaced(tx: Tx, account_id: int, mailbox_id: int, modseq: int, now: int) -> None:
    """Move the messages that lost their last placement in this transaction from usage to retention."""
    rows = tx.execute(
        """update message set removed_at = :now where account_id = :account_id and removed_at is null
            and id in (select message_id from tombstone
                where account_id = :account_id and mailbox_id = :mailbox_id and modseq = :modseq)
            and not exists (select 1 from placement
                where placement.account_id = message.account_id and placement.message_id = message.id)
        returning octets""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        modseq=modseq,
        now=now,
    )
    octets = sum(row[0] for row in rows)
    charge(tx, account_id, -octets, -len(rows), retained=octets)


def stands(tx: Tx, account_id: int, mailbox_id: int, ids: Ids) -> dict[int, int]:
    """Message id → UID of those of the messages that stand in the mailbox."""
    table, condition, value = of_messages(tx, ids)
    rows: list[Row] = tx.execute(
        f"""select message_id, uid from {table}
        where account_id = :account_id and {BESIDE} = :mailbox_id and {condition}""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        **value,
    )
    return dict(rows)
