"""NOTIFY (RFC 5465 §8)."""

from typing import Final

from mailhost.protocols.imap.commands import Notify
from mailhost.protocols.imap.fetch import FetchItem
from mailhost.protocols.imap.notifying import MESSAGE_EVENTS, EventGroup, EventKind, Filter
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal
from mailhost.protocols.imap.parsing.messages import parse_items

MAX_GROUPS: Final = 100
MAX_NAMES: Final = 1_000

_EVENTS: Final = {kind.value.upper().encode(): kind for kind in EventKind}
_FILTERS: Final = {each.value.encode(): each for each in Filter}
_OF_SELECTED: Final = {Filter.SELECTED, Filter.SELECTED_DELAYED}
_NAMED: Final = {Filter.SUBTREE, Filter.MAILBOXES}


def parse_notify(cursor: Cursor, tag: bytes) -> Notify:
    """NOTIFY NONE, or NOTIFY SET [STATUS] groups."""
    cursor.space()
    match cursor.word():
        case b"NONE":
            cursor.end()
            return Notify(tag, None)
        case b"SET":
            cursor.space()
        case _:
            raise Refusal("NOTIFY takes SET or NONE.")
    tells_status = cursor.peek_word() == b"STATUS"
    if tells_status:
        cursor.word()
        cursor.space()
    groups = [_group(cursor)]
    while cursor.skip(b" ") and not cursor.at_end():
        groups.append(_group(cursor))
        if len(groups) > MAX_GROUPS:
            raise Refusal(f"NOTIFY takes at most {MAX_GROUPS} groups.", status="NO", code="NOTIFICATIONOVERFLOW")
    cursor.end()
    if sum(group.filter in _OF_SELECTED for group in groups) > 1:
        raise Refusal("Only one group can be about the selected mailbox.")
    return Notify(tag, tuple(groups), tells_status)


def _group(cursor: Cursor) -> EventGroup:
    cursor.expect(b"(")
    chosen = _FILTERS.get(cursor.word())
    if chosen is None:
        raise Refusal("There is no such choice of mailboxes.")
    cursor.space()
    names: tuple[str, ...] = ()
    if chosen in _NAMED:
        names = _names(cursor)
        cursor.space()
    events, items = _events(cursor)
    cursor.expect(b")")
    if chosen in _OF_SELECTED and not events <= MESSAGE_EVENTS:
        raise Refusal("The selected mailbox has events of messages only.")
    if items and chosen not in _OF_SELECTED:
        raise Refusal("Only new messages in the selected mailbox can be fetched.")
    if (EventKind.MESSAGE_NEW in events) != (EventKind.MESSAGE_EXPUNGE in events):
        raise Refusal("MessageNew and MessageExpunge go together.")
    if EventKind.FLAG_CHANGE in events and EventKind.MESSAGE_NEW not in events:
        raise Refusal("FlagChange needs MessageNew and MessageExpunge beside it.")
    return EventGroup(chosen, events, names, items)


def _names(cursor: Cursor) -> tuple[str, ...]:
    """One mailbox, or several in parentheses; wildcards in them stand for themselves."""
    if not cursor.skip(b"("):
        return (cursor.mailbox(),)
    names = [cursor.mailbox()]
    while not cursor.skip(b")"):
        cursor.space()
        names.append(cursor.mailbox())
        if len(names) > MAX_NAMES:
            raise Refusal("NOTIFY names too many mailboxes.", status="NO", code="NOTIFICATIONOVERFLOW")
    return tuple(names)


def _events(cursor: Cursor) -> tuple[frozenset[EventKind], tuple[FetchItem, ...]]:
    """NONE, or events in parentheses; and what is to be fetched of a new message."""
    if cursor.peek_word() == b"NONE":
        cursor.word()
        return frozenset(), ()
    cursor.expect(b"(")
    events: set[EventKind] = set()
    items: tuple[FetchItem, ...] = ()
    while not events or not cursor.skip(b")"):
        if events:
            cursor.space()
        kind = _EVENTS.get(cursor.word())
        if kind is None:
            supported = " ".join(each.value for each in EventKind)
            raise Refusal("There is no such event here.", status="NO", code=f"BADEVENT ({supported})")
        events.add(kind)
        if kind is EventKind.MESSAGE_NEW and cursor.text.startswith(b" (", cursor.place):
            cursor.space()
            items = parse_items(cursor)
    return frozenset(events), items
