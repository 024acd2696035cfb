"""X-GM-LABELS: labels by name, given, taken and replaced (Gmail's IMAP extensions)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from mailhost.errors import MailhostError
from mailhost.mailstore.account import take_turn
from mailhost.mailstore.labelnames import SYSTEM_BOXES, SYSTEM_LABELS, displaced, label_name, refuse_excess_blanks
from mailhost.mailstore.labels import Labels, labels_of
from mailhost.mailstore.mailboxes import canonical_name, create_mailbox, find_mailbox, list_mailboxes, load_mailbox
from mailhost.mailstore.model import INBOX, Mailbox, MailboxExists, NoSuchMailbox, UidRanges
from mailhost.mailstore.ranges import conditions
from mailhost.storage.database import Row, Tx


class NoLabels(MailhostError):
    """The account is in the classic layout: its mailboxes are no labels."""


class LabelMode(Enum):
    """What STORE does with the labels it names."""

    REPLACE = ""
    ADD = "+"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class LabelChange:
    """What STORE asks; names are decoded, and unknown ones are made, but for those to be taken away."""

    mode: LabelMode
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One message after a change of labels; `mailboxes` are those it stands in now."""

    uid: int
    modseq: int
    flags: int
    flags_changed: bool
    mailboxes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LabelsStored:
    """What a change of labels did, as `Stored` says it of flags. `has_echo`: the mailbox itself lost some of them."""

    modseq: int
    previous_modseq: int
    has_echo: bool
    changed: list[Labelled]
    modified: list[int]


def find_label(tx: Tx, account_id: int, name: str) -> Mailbox | None:
    """The mailbox of a label as X-GM-LABELS names it, system labels in any case; None when there is none.

    A name that the system keeps for itself leads to the label that was made in its stead.
    """
    use = SYSTEM_LABELS.get(name.lower())
    try:
        if use is None:
            return find_mailbox(tx, account_id, displaced(name))
        if not use:
            return find_mailbox(tx, account_id, INBOX)
    except NoSuchMailbox:
        return None
    return next((each for each in list_mailboxes(tx, account_id) if each.special_use == use), None)


def find_labels(tx: Tx, account_id: int, names: Iterable[str]) -> dict[str, int]:
    """The mailboxes of those labels that there are."""
    found = {name: find_label(tx, account_id, name) for name in names}
    return {name: mailbox.id for name, mailbox in found.items() if mailbox is not None}


def label_names(tx: Tx, account_id: int) -> dict[int, str]:
    """Mailbox id → the label it stands for, in the order they are told: INBOX, the system's, then by name."""
    by_use = {box.special_use: box.label for box in SYSTEM_BOXES}
    system: dict[int, str] = {}
    own: dict[int, str] = {}
    for mailbox in list_mailboxes(tx, account_id):
        if mailbox.name == INBOX:
            system[mailbox.id] = "\\Inbox"
        elif mailbox.special_use in by_use:
            system[mailbox.id] = by_use[mailbox.special_use]
        else:
            own[mailbox.id] = mailbox.name
    return {mailbox_id: name for mailbox_id, name in (system | own).items() if name}


def store_labels(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    ranges: UidRanges,
    change: LabelChange,
    *,
    now: int,
    unchanged_since: int | None = None,
) -> LabelsStored:
    """Change the labels of the messages inside the ranges; that of this mailbox itself stays (`gmail.md` §1.4).

    A message whose MODSEQ is above `unchanged_since` is left alone and named in `modified`.
    Raises NoSuchMailbox, NoLabels, BadMailboxName, TooManyMailboxes.
    """
    wanted = _resolve(tx, account_id, change)
    turn = take_turn(tx, account_id)
    if not turn.is_gmail:
        raise NoLabels
    previous = load_mailbox(tx, account_id, mailbox_id).highest_modseq
    rows = _rows(tx, account_id, mailbox_id, ranges)
    modified = [uid for uid, _, modseq, _ in rows if unchanged_since is not None and modseq > unchanged_since]
    rows = [row for row in rows if unchanged_since is None or row[2] <= unchanged_since]
    ids = [message_id for _, message_id, _, _ in rows]
    labels = Labels(tx, turn, now)
    if change.mode is LabelMode.REMOVE:
        for each in wanted:
            if each != mailbox_id:
                _remove(labels, each, ids)
    else:
        _add(labels, wanted, ids, mailbox_id)
        if change.mode is LabelMode.REPLACE and not set(wanted) & set(labels.boxes.ends):
            there = {box for boxes in labels_of(tx, account_id, ids).values() for box in boxes}
            for each in {labels.boxes.starred, *there} - {*wanted, mailbox_id}:
                _remove(labels, each, ids)
    changed, has_echo = _read_back(tx, account_id, mailbox_id, rows)
    return LabelsStored(turn.modseq, previous, has_echo, changed, modified)


def _add(labels: Labels, wanted: Iterable[int], ids: Sequence[int], mailbox_id: int) -> None:
    """Trash and Spam come last, for what goes there loses all other labels."""
    for each in sorted(wanted, key=lambda each: each in labels.boxes.ends):
        if each == labels.boxes.starred:
            labels.star(ids, is_set=True)
        else:
            labels.add(each, ids, source_id=mailbox_id)


def _remove(labels: Labels, mailbox_id: int, ids: Sequence[int]) -> None:
    if mailbox_id == labels.boxes.starred:
        labels.star(ids, is_set=False)
    else:
        labels.remove(mailbox_id, ids)


def _resolve(tx: Tx, account_id: int, change: LabelChange) -> list[int]:
    found: dict[int, None] = {}
    for name in change.names:
        mailbox = find_label(tx, account_id, name)
        if mailbox is not None and mailbox.is_selectable:
            found[mailbox.id] = None
        elif change.mode is not LabelMode.REMOVE:
            found[_make_label(tx, account_id, name).id] = None
    return list(found)


def _make_label(tx: Tx, account_id: int, name: str) -> Mailbox:
    refuse_excess_blanks(name)
    name = label_name(canonical_name(name))
    mailbox = find_label(tx, account_id, name)
    if mailbox is not None and mailbox.is_selectable:
        return mailbox
    try:
        return create_mailbox(tx, account_id, name)
    except MailboxExists:  # another session made it while this one waited for its turn
        return find_mailbox(tx, account_id, name)


def _rows(tx: Tx, account_id: int, mailbox_id: int, ranges: UidRanges) -> list[Row]:
    """(uid, message id, modseq, flags) of the messages inside the ranges."""
    rows: list[Row] = []
    for condition, parameters in conditions(ranges):
        rows += tx.execute(
            f"""select uid, message_id, modseq, flags from placement
            where account_id = :account_id and mailbox_id = :mailbox_id and {condition} order by uid""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            **parameters,
        )
    return rows


def _read_back(tx: Tx, account_id: int, mailbox_id: int, rows: Sequence[Row]) -> tuple[list[Labelled], bool]:
    """The messages as they are now, those too that left the mailbox; and whether some did."""
    if not rows:
        return [], False
    now = {row[0]: row for row in _rows(tx, account_id, mailbox_id, [(rows[0][0], rows[-1][0])])}
    boxes = labels_of(tx, account_id, [row[1] for row in rows])
    changed = []
    for before in rows:
        uid, message_id, modseq, flags = now.get(before[0], before)
        changed.append(Labelled(uid, modseq, flags, flags != before[3], tuple(boxes.get(message_id, ()))))
    return changed, len(changed) != sum(row[0] in now for row in rows)
