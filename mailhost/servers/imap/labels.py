"""STORE of X-GM-LABELS (Gmail's IMAP extensions). What FETCH and the news say of labels is in label_texts.py."""

from typing import Final

from mailhost.mailstore.labelling import LabelChange, Labelled, LabelMode, LabelsStored, NoLabels, store_labels
from mailhost.mailstore.model import Stored, UidRange
from mailhost.protocols.imap.commands import StoreLabels, StoreMode
from mailhost.protocols.imap.sets import format_numbers
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.label_texts import read_texts
from mailhost.servers.imap.notices import learn_condstore
from mailhost.servers.imap.plan import KnownFlags
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.store import LABELLED_AT_ONCE, newest, split_ranges
from mailhost.servers.imap.view import ReadOnlyView

_MODES: Final = {
    StoreMode.REPLACE: LabelMode.REPLACE,
    StoreMode.ADD: LabelMode.ADD,
    StoreMode.REMOVE: LabelMode.REMOVE,
}


async def change_labels(session: Session, command: StoreLabels) -> Answer:
    """STORE X-GM-LABELS. Raises ReadOnlyView, NoLabels, BadMailboxName, TooManyMailboxes, ViewBroken."""
    view, database = session.selected, session.services.database
    if view.is_read_only:
        raise ReadOnlyView
    if not view.shows_labels:
        raise NoLabels
    session.knows_labels = True
    if command.unchanged_since is not None:
        await learn_condstore(session)
    change = LabelChange(_MODES[command.mode], command.labels)
    ranges = await view.named_ranges(database, command.numbers, by_uid=command.by_uid)
    numbers = await view.numbers(database)
    limit = session.services.settings.message_limit
    newest_ranges, lowest = newest(ranges, numbers, limit)
    modified: list[int] = []
    for piece in split_ranges(newest_ranges, numbers, LABELLED_AT_ONCE):
        stored = await _store(session, piece, change, command.unchanged_since)
        modified += stored.modified
        await _tell(session, stored, command)
    if not command.by_uid:
        modified = [number for uid in modified if (number := numbers.number_of(uid))]
    if lowest is not None:
        return Answer("OK", f"MESSAGELIMIT {limit} {lowest}", f"STORE completed for the newest {limit} messages.")
    if modified:
        return Answer("OK", f"MODIFIED {format_numbers(modified).decode()}", "Conditional Store Failed (Success)")
    return completed("STORE")


async def _store(
    session: Session, piece: list[UidRange], change: LabelChange, unchanged_since: int | None
) -> LabelsStored:
    view = session.selected
    stored = await session.services.database.write(
        store_labels,
        view.account_id,
        view.mailbox_id,
        piece,
        change,
        now=int(session.services.clock()),
        unchanged_since=unchanged_since,
    )
    view.own_change(Stored(stored.modseq, stored.previous_modseq, stored.has_echo, [], []))
    return stored


async def _tell(session: Session, stored: LabelsStored, command: StoreLabels) -> None:
    """The labels, unless they are silent; flags that changed with them in an answer of their own, in any case."""
    view, database = session.selected, session.services.database
    numbers = await view.numbers(database)
    await view.know_keywords(database, (each.flags for each in stored.changed))
    texts = await database.point(read_texts, view)
    flags = KnownFlags(view.keywords)
    lines = []
    for each in stored.changed:
        number = numbers.number_of(each.uid)
        if not number:
            continue
        behind = _behind(session, each, command)
        start = b"* %d UIDFETCH (" % each.uid if session.uid_only else b"* %d FETCH (" % number
        if not command.silent:
            lines.append(start + _joined(b"X-GM-LABELS %b" % texts.of(each.mailboxes), behind) + b")\r\n")
        if each.flags_changed:
            lines.append(start + _joined(b"FLAGS (%b)" % flags[each.flags], behind) + b")\r\n")
        elif command.silent and session.knows_condstore:
            lines.append(start + _joined(b"", behind) + b")\r\n")
    await session.say(b"".join(lines))


def _behind(session: Session, each: Labelled, command: StoreLabels) -> bytes:
    """MODSEQ and UID, where the client is to hear them."""
    words = [b"MODSEQ (%d)" % each.modseq] if session.knows_condstore else []
    if (command.by_uid or session.knows_condstore) and not session.uid_only:
        words.append(b"UID %d" % each.uid)
    return b" ".join(words)


def _joined(*words: bytes) -> bytes:
    return b" ".join(word for word in words if word)
