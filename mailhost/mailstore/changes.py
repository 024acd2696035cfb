"""What happened since a modseq: the one answer to IDLE, NOOP, CONDSTORE, POP3 and the web (DESIGN §4)."""

from collections.abc import Iterator
from typing import Final

from mailhost.mailstore.known import Repeatable
from mailhost.mailstore.mailboxes import load_mailbox
from mailhost.mailstore.model import Changes, SleptTooLong, UidRange, UidRanges
from mailhost.mailstore.ranges import conditions, portions
from mailhost.protocols.imap.sets import parse_set
from mailhost.storage.database import Row, Tx, Value

_UIDS_AT_ONCE: Final = 10_000


def highest_modseq(tx: Tx, account_id: int, mailbox_id: int) -> int | None:
    """The mailbox's HIGHESTMODSEQ, or None when it is gone: the cheap question before `changes`."""
    rows = tx.execute(
        "select highest_modseq from mailbox where account_id = :account_id and id = :mailbox_id and is_selectable = 1",
        account_id=account_id,
        mailbox_id=mailbox_id,
    )
    return int(rows[0][0]) if rows else None


def changes(tx: Tx, account_id: int, mailbox_id: int, since: int, uid_next: int) -> Changes:
    """What a session that knew the mailbox at modseq `since` and `uid_next` must hear.

    Raises NoSuchMailbox, and SleptTooLong when tombstones do not reach back so far.
    """
    mailbox = load_mailbox(tx, account_id, mailbox_id)
    if mailbox.highest_modseq <= since:
        return Changes(mailbox.highest_modseq, mailbox.uid_next, [], [], [])
    [(purged_below,)] = tx.execute(
        "select purged_below from mailbox where account_id = :account_id and id = :id",
        account_id=account_id,
        id=mailbox_id,
    )
    if since < purged_below - 1:
        raise SleptTooLong
    arrivals = tx.execute(
        """select uid from placement where account_id = :account_id and mailbox_id = :mailbox_id and uid >= :uid_next
        order by uid""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        uid_next=uid_next,
    )
    return Changes(
        mailbox.highest_modseq,
        mailbox.uid_next,
        [row[0] for row in arrivals],
        vanished(tx, account_id, mailbox_id, since, uid_next),
        changed_flags(tx, account_id, mailbox_id, since, uid_next),
    )


def vanished(tx: Tx, account_id: int, mailbox_id: int, since: int, uid_next: int) -> list[int]:
    """UIDs below `uid_next` expunged after `since`, ascending."""
    rows = tx.execute(
        """select uid from tombstone
        where account_id = :account_id and mailbox_id = :mailbox_id and modseq > :since and uid < :uid_next
        order by uid""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        since=since,
        uid_next=uid_next,
    )
    return [row[0] for row in rows]


def changed_flags(tx: Tx, account_id: int, mailbox_id: int, since: int, uid_next: int) -> list[tuple[int, int, int]]:
    """(uid, modseq, flags) of placements below `uid_next` whose MODSEQ is above `since`, ascending by UID."""
    spans = changed_spans(tx, account_id, mailbox_id, since, uid_next, exactly=True)
    return sorted(row for rows in changed_rows(tx, account_id, mailbox_id, spans, since) for row in rows)


def changed_rows(tx: Tx, account_id: int, mailbox_id: int, spans: UidRanges, since: int) -> Iterator[list[Row]]:
    """(uid, modseq, flags) of the placements inside the spans whose MODSEQ is above `since`, in ascending pieces."""
    single = [first for first, last in spans if first == last]
    wide = [(first, last) for first, last in spans if first < last]
    listed = "select value from json_each(:uids)" if tx.engine == "sqlite" else "select unnest(cast(:uids as bigint[]))"
    pieces: list[tuple[str, dict[str, Value]]] = []
    for start in range(0, len(single), _UIDS_AT_ONCE):
        text = ",".join(map(str, single[start : start + _UIDS_AT_ONCE]))
        pieces.append((f"uid in ({listed})", {"uids": f"[{text}]" if tx.engine == "sqlite" else f"{{{text}}}"}))
    for portion in portions(wide, _UIDS_AT_ONCE):
        pieces += ((condition, dict(parameters)) for condition, parameters in conditions(portion))
    for condition, parameters in pieces:
        yield tx.execute(
            f"""select uid, modseq, flags from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and {condition} and modseq > :since
            order by uid""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            since=since,
            **parameters,
        )


def repeatable_changes(
    tx: Tx, account_id: int, mailbox_id: int, since: int, uid_next: int, most: int
) -> list[Repeatable] | None:
    """What was done to the flags of messages below `uid_next` after `since`, when it is known of all of them, in its
    order; None where only the rows tell, or to do it again would be as much work as `most` single messages are.

    For who knows all these messages as they were at `since`: what arrived later is not below `uid_next`.
    """
    [(log_floor,)] = tx.execute(
        "select log_floor from mailbox where account_id = :account_id and id = :mailbox_id",
        account_id=account_id,
        mailbox_id=mailbox_id,
    )
    if since < log_floor:
        return None
    rows = tx.execute(
        """select modseq, first_uid, last_uid, uids, clear_mask, set_mask from flag_change
        where account_id = :account_id and mailbox_id = :mailbox_id and modseq > :since and first_uid < :uid_next
        order by modseq limit :limit""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        since=since,
        uid_next=uid_next,
        limit=most + 1,
    )
    done = []
    for modseq, first, last, uids, clear_mask, set_mask in rows:
        if clear_mask is None:
            return None
        done.append(Repeatable(modseq, _logged_ranges(first, last, uids), clear_mask, set_mask))
        most -= done[-1].work
        if most < 0:
            return None
    return done


def _logged_ranges(first: int, last: int, uids: str | None) -> UidRanges:
    """The UIDs that a row of flag_change is about; no others changed then."""
    if not uids:
        return ((first, last),)
    if ":" in uids:
        return parse_set(uids.encode()).ranges
    single = [*map(int, uids.split(","))]
    return [*zip(single, single, strict=True)]


def changed_spans(
    tx: Tx, account_id: int, mailbox_id: int, since: int, uid_next: int, *, exactly: bool = False
) -> list[UidRange]:
    """Ascending UID spans below `uid_next`; outside of them nothing arrived or changed its flags after `since`.

    They are few and wide, or, `exactly`, as narrow as the log knows them: thousands, perhaps.
    """
    [(log_floor,)] = tx.execute(
        "select log_floor from mailbox where account_id = :account_id and id = :mailbox_id",
        account_id=account_id,
        mailbox_id=mailbox_id,
    )
    if since < log_floor:
        return [(1, uid_next - 1)]
    # Arrivals are not logged: MODSEQ rises with the UID, so all that is newer lies above the last row that is not.
    rows = tx.execute(
        """select uid from placement
        where account_id = :account_id and mailbox_id = :mailbox_id and uid < :uid_next and modseq <= :since
        order by uid desc limit 1""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        since=since,
        uid_next=uid_next,
    )
    arrivals = (rows[0][0] + 1 if rows else 1, uid_next - 1)
    rows = tx.execute(
        """select first_uid, last_uid, uids from flag_change
        where account_id = :account_id and mailbox_id = :mailbox_id and modseq > :since and first_uid < :uid_next
        order by first_uid""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        since=since,
        uid_next=uid_next,
    )
    spans = [arrivals]
    for first, last, uids in rows:
        spans += _logged_ranges(first, last, uids if exactly else None)
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        end = min(last, uid_next - 1)
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif first <= end:
            merged.append((first, end))
    return merged
