"""STORE: flags set, cleared or replaced, in all placements of a message alike (RFC 9051 §6.4.6, RFC 7162 §3.1.3)."""

from dataclasses import dataclass

from mailhost.mailstore.account import Turn, take_turn, usage
from mailhost.mailstore.flags import keyword_mask
from mailhost.mailstore.labels import Labels, find_messages
from mailhost.mailstore.mailboxes import load_mailbox, mailbox_topic, placements
from mailhost.mailstore.model import FIRST_KEYWORD_BIT, Flag, Stored, UidRange, UidRanges
from mailhost.mailstore.placing import log_change, of_messages
from mailhost.mailstore.ranges import conditions, without
from mailhost.storage.database import Tx, Value

ALL_BITS = (1 << 63) - 1
_MOVING = int(Flag.FLAGGED | Flag.DELETED)
"""Flags that say in which mailboxes a message stands, in the gmail layout."""
KEYWORD_BITS = ALL_BITS & ~((1 << FIRST_KEYWORD_BIT) - 1)


@dataclass(frozen=True, slots=True)
class FlagChange:
    """What STORE asks: bits to set and keywords to set; the same to clear.

    With `replaces` all others are cleared, as STORE FLAGS without + or - has it, but no bits outside of `within`.
    """

    set_flags: int = 0
    set_keywords: tuple[str, ...] = ()
    clear_flags: int = 0
    clear_keywords: tuple[str, ...] = ()
    replaces: bool = False
    within: int = ALL_BITS


def store_flags(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    ranges: UidRanges,
    change: FlagChange,
    *,
    now: int,
    unchanged_since: int | None = None,
    wants_rows: bool = True,
) -> Stored:
    """Change the flags of the messages inside the ranges. Raises NoSuchMailbox, TooManyKeywords.

    A message whose MODSEQ is above `unchanged_since` is left alone and named in `modified`. With `wants_rows` unset
    the answer's `changed` is empty; else it holds every message in the ranges that was not `modified`. In the gmail
    layout \\Flagged moves messages into Starred and out of it, and \\Deleted may take them away at once.
    """
    turn = take_turn(tx, account_id)
    modseq = turn.modseq
    mailbox = load_mailbox(tx, account_id, mailbox_id)
    previous = mailbox.highest_modseq
    set_mask = change.set_flags | keyword_mask(tx, account_id, change.set_keywords, create=True)
    if turn.is_gmail and turn.auto_expunge and mailbox.special_use == "\\All":
        set_mask &= ~Flag.DELETED  # nothing is taken out of All Mail that way
    if change.replaces:
        clear_mask = change.within & ~set_mask
    else:
        clear_mask = change.clear_flags | keyword_mask(tx, account_id, change.clear_keywords, create=False)
    operation = _Operation(tx, account_id, mailbox_id, modseq, set_mask, clear_mask & ~set_mask)
    modified: list[int] = []
    if unchanged_since is not None:
        modified = operation.newer_than(unchanged_since, ranges)
        ranges = without(ranges, modified)
    changed: list[tuple[int, int, int]] = []
    for condition, parameters in conditions(ranges):
        operation.apply(condition, parameters, (ranges[0][0], ranges[-1][1]))
        if wants_rows:
            changed += operation.rows_now(condition, parameters)
    follows = turn.is_gmail and (operation.set_mask | operation.clear_mask) & _MOVING != 0
    operation.log_change(ranges, is_all=not follows)
    if follows and ranges:
        operation.has_echo = _follow_flags(tx, turn, mailbox_id, ranges, now) or operation.has_echo
    return Stored(modseq, previous, operation.has_echo, changed, modified)


def moves(change: FlagChange) -> bool:
    """Whether the flags named say in which mailboxes of the gmail layout a message stands."""
    return change.replaces or (change.set_flags | change.clear_flags) & _MOVING != 0


def _follow_flags(tx: Tx, turn: Turn, mailbox_id: int, ranges: UidRanges, now: int) -> bool:
    """Let the views follow; whether the mailbox itself may have lost something by it, which is told as news."""
    labels = Labels(tx, turn, now)
    found = find_messages(tx, turn.account_id, mailbox_id, ranges)
    labels.follow_stars([message_id for _, message_id in found])
    marked = []
    if turn.auto_expunge:
        marked = labels.expunge(
            mailbox_id, find_messages(tx, turn.account_id, mailbox_id, ranges, flags=int(Flag.DELETED))
        )
    return bool(marked) or mailbox_id == labels.boxes.starred


@dataclass(slots=True)
class _Operation:
    """One STORE inside one transaction: what is set and cleared, and which span of the mailbox it touched."""

    tx: Tx
    account_id: int
    mailbox_id: int
    modseq: int
    set_mask: int
    clear_mask: int
    first_uid: int = 0
    last_uid: int = 0
    has_echo: bool = False

    def newer_than(self, modseq: int, ranges: UidRanges) -> list[int]:
        uids: list[int] = []
        for condition, parameters in conditions(ranges):
            rows = self.tx.execute(
                f"""select uid from placement where account_id = :account_id and mailbox_id = :mailbox_id
                    and {condition} and modseq > :unchanged_since order by uid""",
                account_id=self.account_id,
                mailbox_id=self.mailbox_id,
                unchanged_since=modseq,
                **parameters,
            )
            uids += (row[0] for row in rows)
        return uids

    def rows_now(self, condition: str, parameters: dict[str, int]) -> list[tuple[int, int, int]]:
        return self.tx.execute(
            f"""select uid, modseq, flags from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and {condition} order by uid""",
            account_id=self.account_id,
            mailbox_id=self.mailbox_id,
            **parameters,
        )

    def apply(self, condition: str, parameters: dict[str, int], span: UidRange) -> None:
        """Change the placements of this mailbox, count the difference, then their siblings in other mailboxes."""
        new, differs = self._new_flags()
        where = f"account_id = :account_id and mailbox_id = :mailbox_id and {condition} and {differs}"
        keys = {
            "account_id": self.account_id,
            "mailbox_id": self.mailbox_id,
            "set_mask": self.set_mask,
            "clear_mask": self.clear_mask,
            **parameters,
        }
        first, last = span
        unseen = deleted = 0
        # To look first costs a quarter of the whole, and most flags are not counted.
        if (self.set_mask | self.clear_mask) & (Flag.SEEN | Flag.DELETED):
            [(count, first, last, unseen, deleted)] = self.tx.execute(
                f"""select count(*), min(uid), max(uid), cast(coalesce(sum(1 - flags % 2), 0) as bigint),
                    cast(coalesce(sum(flags / {int(Flag.DELETED)} % 2), 0) as bigint)
                from placement where {where}""",
                **keys,
            )
            if count == 0:
                return
        count = self.tx.change(
            f"update placement set flags = {new}, modseq = :modseq where {where}",
            modseq=self.modseq,
            **keys,
        )
        if count == 0:
            return
        self.first_uid = min(self.first_uid, first) if self.first_uid else first
        self.last_uid = max(self.last_uid, last)
        self.count(self.mailbox_id, count, unseen, deleted)
        if self._has_siblings():
            self._apply_to_siblings(condition, parameters)

    def count(self, mailbox_id: int, count: int, unseen: int, deleted: int) -> None:
        """Set a mailbox's counters right: of `count` changed placements, so many were unseen and deleted before."""
        self.tx.execute(
            """update mailbox set highest_modseq = :modseq, unseen = unseen + :unseen, deleted = deleted + :deleted
            where account_id = :account_id and id = :mailbox_id""",
            account_id=self.account_id,
            mailbox_id=mailbox_id,
            modseq=self.modseq,
            unseen=self._difference(Flag.SEEN, unseen, count, when_set=-1),
            deleted=self._difference(Flag.DELETED, count - deleted, count, when_set=1),
        )
        self.tx.wake(mailbox_topic(self.account_id, mailbox_id))

    def log_change(self, ranges: UidRanges, *, is_all: bool) -> None:
        """Leave behind what changed, nothing of it outside the ranges, for sessions that ask later.

        `is_all`: nothing else is done to the flags of these messages.
        """
        if self.last_uid:
            span = self.first_uid, self.last_uid
            masks = (self.clear_mask, self.set_mask) if is_all else None
            log_change(self.tx, self.account_id, self.mailbox_id, self.modseq, span, ranges, masks)

    def _difference(self, flag: Flag, without: int, count: int, *, when_set: int) -> int:
        # `without` of the `count` placements did not carry the flag before.
        if self.set_mask & flag:
            return when_set * without
        if self.clear_mask & flag:
            return -when_set * (count - without)
        return 0

    def _new_flags(self) -> tuple[str, str]:
        """The flags afterwards, and the condition under which they differ, in SQL.

        Most changes set or clear, and to compute no more than that takes a twelfth off a STORE of many.
        """
        if not self.clear_mask:
            return "flags | :set_mask", "(flags & :set_mask) <> :set_mask"
        if not self.set_mask:
            return "flags & ~:clear_mask", "(flags & :clear_mask) <> 0"
        return "(flags & ~:clear_mask) | :set_mask", "flags <> ((flags & ~:clear_mask) | :set_mask)"

    def _has_siblings(self) -> bool:
        # Most accounts hold no message twice; then the search for siblings, which costs more than the STORE, is spared.
        return placements(self.tx, self.account_id) > usage(self.tx, self.account_id).used_messages

    def _apply_to_siblings(self, condition: str, parameters: dict[str, int]) -> None:
        set_mask, clear_mask = self.set_mask & ~int(Flag.DELETED), self.clear_mask & ~int(Flag.DELETED)
        siblings = _Operation(self.tx, self.account_id, 0, self.modseq, set_mask, clear_mask)
        new, differs = siblings._new_flags()
        changed = self.tx.execute(
            f"""select message_id from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and modseq = :modseq and {condition}""",
            account_id=self.account_id,
            mailbox_id=self.mailbox_id,
            modseq=self.modseq,
            **parameters,
        )
        table, named, ids = of_messages(self.tx, [row[0] for row in changed])
        where = f"account_id = :account_id and {differs} and {named}"
        keys: dict[str, Value] = {
            "account_id": self.account_id,
            "set_mask": set_mask,
            "clear_mask": clear_mask,
            **ids,
        }
        touched = self.tx.execute(
            f"""select mailbox_id, count(*), min(uid), max(uid), cast(sum(1 - flags % 2) as bigint)
            from {table} where {where} group by mailbox_id""",
            **keys,
        )
        if not touched:
            return
        self.tx.execute(
            f"update {table} set flags = {new}, modseq = :modseq where {where}",
            modseq=self.modseq,
            **keys,
        )
        for mailbox_id, count, first, last, unseen in touched:
            self.has_echo = self.has_echo or mailbox_id == self.mailbox_id
            siblings.count(mailbox_id, count, unseen, 0)
            log_change(self.tx, self.account_id, mailbox_id, self.modseq, (first, last))
