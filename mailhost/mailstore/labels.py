"""The gmail layout's rules: mailboxes are labels of messages, and what one label means for the others.

Between two transactions these hold for each message that is not removed:

- it stands at most once in a mailbox;
- it is in Trash, or in Spam, and then nowhere else; or it is in All Mail;
- it is in Starred exactly when it is \\Flagged and in All Mail.

While the account is on its way from or to folders (switching.py), All Mail and Starred may still lack what another
label shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.account import Turn
from mailhost.mailstore.layout import OnExpunge
from mailhost.mailstore.model import INBOX, MAX_UID, Copied, Flag, UidRanges
from mailhost.mailstore.placing import BESIDE, Ids, among, enter, leave, of_messages, release_unplaced, stands, touch
from mailhost.mailstore.ranges import conditions
from mailhost.storage.database import Tx

Found = list[tuple[int, int]]
"""(uid, message id), ascending by UID."""

_FLAGGED: Final = int(Flag.FLAGGED)
_DELETED: Final = int(Flag.DELETED)


@dataclass(frozen=True, slots=True)
class Boxes:
    """The ids of the mailboxes that every gmail-layout account has."""

    inbox: int
    all_mail: int
    starred: int
    important: int
    sent: int
    drafts: int
    spam: int
    trash: int

    @property
    def ends(self) -> tuple[int, int]:
        """Where a message stands alone."""
        return self.trash, self.spam

    @property
    def views(self) -> tuple[int, int, int]:
        """What shows messages that are found elsewhere, as far as "the last visible folder" is asked for."""
        return self.all_mail, self.starred, self.important


_FIELDS: Final = {
    "\\All": "all_mail",
    "\\Flagged": "starred",
    "\\Important": "important",
    "\\Sent": "sent",
    "\\Drafts": "drafts",
    "\\Junk": "spam",
    "\\Trash": "trash",
}


def find_boxes(tx: Tx, account_id: int) -> Boxes:
    """The system mailboxes of an account in the gmail layout."""
    rows = tx.execute(
        "select id, special_use from mailbox where account_id = :account_id and (special_use <> '' or name = :inbox)",
        account_id=account_id,
        inbox=INBOX,
    )
    return Boxes(**{_FIELDS.get(use, "inbox"): box_id for box_id, use in rows if use in _FIELDS or not use})


class Labels:
    """One change of an account in the gmail layout, inside its transaction."""

    def __init__(self, tx: Tx, turn: Turn, now: int) -> None:
        self.boxes = find_boxes(tx, turn.account_id)
        self._tx = tx
        self._turn = turn
        self._now = now

    def add(self, mailbox_id: int, ids: Ids, *, source_id: int = 0) -> None:
        """Give the messages a label, in the order they have in the mailbox `source_id`."""
        there = stands(self._tx, self._turn.account_id, mailbox_id, ids)
        fresh = [each for each in ids if each not in there]
        if not fresh:
            return
        boxes = self.boxes
        if mailbox_id in boxes.ends:
            enter(self._tx, self._turn, mailbox_id, fresh, self._now, source_id=source_id)
            leave(self._tx, self._turn, fresh, self._now, but=mailbox_id)
        else:
            if mailbox_id == boxes.starred:
                self._set_star(fresh, is_set=True)
            for each in (boxes.all_mail, mailbox_id):
                enter(self._tx, self._turn, each, fresh, self._now, source_id=source_id)
            leave(self._tx, self._turn, fresh, self._now, mailboxes=boxes.ends)
            self.follow_stars(fresh)
        touch(self._tx, self._turn, fresh)

    def remove(self, mailbox_id: int, ids: Ids) -> None:
        """Take a label from the messages. Nothing is taken out of All Mail, Trash or Spam this way."""
        boxes = self.boxes
        if mailbox_id in (boxes.all_mail, *boxes.ends):
            return
        there = list(stands(self._tx, self._turn.account_id, mailbox_id, ids))
        if not there:
            return
        if mailbox_id == boxes.starred:
            self._set_star(there, is_set=False)
        if self._turn.switching:  # it may have been the only place
            enter(self._tx, self._turn, boxes.all_mail, there, self._now, source_id=mailbox_id)
        leave(self._tx, self._turn, there, self._now, mailboxes=(mailbox_id,))
        touch(self._tx, self._turn, there)

    def erase(self, mailbox_id: int, ids: Ids) -> None:
        """Take the messages away altogether; they stand in the mailbox, and their owner can undo."""
        leave(self._tx, self._turn, ids, self._now)
        release_unplaced(self._tx, self._turn.account_id, mailbox_id, self._turn.modseq, self._now)

    def homes(self, mailboxes: Sequence[int], flags: int) -> list[int]:
        """Where a message with these flags is to stand that comes back to some mailboxes, or to none: to INBOX."""
        boxes = self.boxes
        ends = [each for each in mailboxes if each in boxes.ends]
        if ends:
            return ends[-1:]
        stars = {boxes.starred} if flags & _FLAGGED else set()
        return sorted(({*mailboxes} or {boxes.inbox}) - {boxes.starred} | {boxes.all_mail} | stars)

    def star(self, ids: Ids, *, is_set: bool) -> None:
        """Give or take the label \\Starred, which is \\Flagged and leaves a message in Trash or Spam where it is."""
        if changed := self._set_star(ids, is_set=is_set):
            self.follow_stars(changed)
            touch(self._tx, self._turn, changed)

    def follow_stars(self, ids: Ids) -> None:
        """\\Flagged changed, or where the messages stand: put them into Starred or take them out."""
        table, condition, value = of_messages(self._tx, ids)
        boxes = self.boxes
        rows = self._tx.execute(
            f"""select message_id, max(case when flags & {_FLAGGED} <> 0 and mailbox_id = :all_mail then 1 else 0 end),
                max(case when mailbox_id = :starred then 1 else 0 end)
            from {table} where account_id = :account_id and {condition} group by message_id""",
            account_id=self._turn.account_id,
            all_mail=boxes.all_mail,
            starred=boxes.starred,
            **value,
        )
        come = [message_id for message_id, belongs, is_there in rows if belongs and not is_there]
        go = [message_id for message_id, belongs, is_there in rows if is_there and not belongs]
        if come:
            enter(self._tx, self._turn, boxes.starred, come, self._now)
        if go:
            leave(self._tx, self._turn, go, self._now, mailboxes=(boxes.starred,))

    def _set_star(self, ids: Ids, *, is_set: bool) -> list[int]:
        """Returns those of the messages for which that was a change."""
        table, condition, value = of_messages(self._tx, ids)
        rows = self._tx.execute(
            f"""update {table} set flags = (flags & {~_FLAGGED}) | :star
            where account_id = :account_id and {condition} and flags & {_FLAGGED} <> :star
            returning message_id""",
            account_id=self._turn.account_id,
            star=_FLAGGED * is_set,
            **value,
        )
        return sorted({row[0] for row in rows})

    def expunge(self, mailbox_id: int, found: Found) -> list[int]:
        """Expunge messages of a mailbox as its label and the account's settings have it; returns the UIDs that went."""
        boxes, ids = self.boxes, [message_id for _, message_id in found]
        behaviour = OnExpunge.ARCHIVE if self._turn.auto_expunge else OnExpunge(self._turn.on_expunge)
        if mailbox_id in boxes.ends:
            self.erase(mailbox_id, ids)
        elif mailbox_id == boxes.drafts:
            self._discard(ids)
        elif mailbox_id == boxes.all_mail and behaviour is OnExpunge.ARCHIVE:
            self._unmark(mailbox_id, ids)  # there is nowhere else to archive it to
            return []
        elif mailbox_id == boxes.all_mail:
            self._dispose(mailbox_id, ids, behaviour)
        else:
            if behaviour is not OnExpunge.ARCHIVE and mailbox_id not in boxes.views:
                self._dispose(mailbox_id, self._last_in(mailbox_id, ids), behaviour)
            self.remove(mailbox_id, ids)
        return [uid for uid, _ in found]

    def _dispose(self, mailbox_id: int, ids: Ids, behaviour: OnExpunge) -> None:
        if not ids:
            return
        if behaviour is OnExpunge.TRASH:
            self.add(self.boxes.trash, ids, source_id=mailbox_id)
        else:
            self.erase(mailbox_id, ids)

    def _discard(self, ids: Ids) -> None:
        """Take drafts away, but of what has another label only this one: it was copied there, or sent."""
        alone = self._last_in(self.boxes.drafts, ids, shown=0)
        self.remove(self.boxes.drafts, [each for each in ids if each not in set(alone)])
        if alone:
            self.erase(self.boxes.drafts, alone)

    def _last_in(self, mailbox_id: int, ids: Ids, *, shown: int = 1) -> list[int]:
        """Those of the messages that no other label shows, or none which IMAP shows."""
        table, condition, value = of_messages(self._tx, ids)
        outside, boxes = among(self._tx, (mailbox_id, *self.boxes.views), "mailbox_id", "mailboxes")
        rows = self._tx.execute(
            f"""select distinct message_id from {table}
            join mailbox on mailbox.account_id = placement.account_id and mailbox.id = mailbox_id
            where placement.account_id = :account_id and is_shown >= :shown and {condition} and not ({outside})""",
            account_id=self._turn.account_id,
            shown=shown,
            **value,
            **boxes,
        )
        elsewhere = {row[0] for row in rows}
        return [each for each in ids if each not in elsewhere]

    def _unmark(self, mailbox_id: int, ids: Ids) -> None:
        """Take \\Deleted off again, which belongs to the place."""
        table, condition, value = of_messages(self._tx, ids)
        marked = self._tx.execute(
            f"""update {table} set flags = flags & {~_DELETED}
            where account_id = :account_id and {BESIDE} = :mailbox_id and {condition} and flags & {_DELETED} <> 0
            returning message_id""",
            account_id=self._turn.account_id,
            mailbox_id=mailbox_id,
            **value,
        )
        self._tx.execute(
            "update mailbox set deleted = deleted - :count where account_id = :account_id and id = :mailbox_id",
            account_id=self._turn.account_id,
            mailbox_id=mailbox_id,
            count=len(marked),
        )
        touch(self._tx, self._turn, [row[0] for row in marked])

    def copy(self, source_id: int, target: tuple[int, int], ranges: UidRanges, *, moves: bool) -> Copied:
        """COPY and MOVE to the mailbox `target`, (id, UIDVALIDITY): a label is added, and for MOVE one is taken away.

        What has the label already keeps its UID there (RFC 4315 lets COPYUID name it).
        """
        found = find_messages(self._tx, self._turn.account_id, source_id, ranges)
        if not found:
            return Copied(target[1], [], [])
        ids = [message_id for _, message_id in found]
        target_id, uid_validity = target
        self.add(target_id, ids, source_id=source_id)
        if moves and target_id != source_id:
            self.remove(source_id, ids)
        uids = stands(self._tx, self._turn.account_id, target_id, ids)
        return Copied(uid_validity, [uid for uid, _ in found], [uids[each] for each in ids])


def find_messages(
    tx: Tx, account_id: int, mailbox_id: int, ranges: UidRanges, *, flags: int = 0, limit: int = MAX_UID
) -> Found:
    """The messages inside the ranges that carry all the flags, at most `limit` of them."""
    found: Found = []
    for condition, parameters in conditions(ranges):
        found += tx.execute(
            f"""select uid, message_id from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and {condition} and flags & :flags = :flags
            order by uid limit :room""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            flags=flags,
            room=limit - len(found),
            **parameters,
        )
    return found


def labels_of(tx: Tx, account_id: int, ids: Ids) -> dict[int, list[int]]:
    """Message id → the mailboxes it stands in."""
    table, condition, value = of_messages(tx, ids)
    found: dict[int, list[int]] = {}
    for message_id, mailbox_id in tx.execute(
        f"""select message_id, mailbox_id from {table} where account_id = :account_id and {condition}
        order by mailbox_id""",
        account_id=account_id,
        **value,
    ):
        found.setdefault(message_id, []).append(mailbox_id)
    return found
