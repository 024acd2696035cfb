"""What NOTIFY asks to hear: events, and the mailboxes they are to happen in (RFC 5465 §5, §6)."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mailhost.protocols.imap.fetch import FetchItem


class EventKind(Enum):
    """Something that happens to messages, mailboxes, subscriptions or annotations of mailboxes and the server."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


MESSAGE_EVENTS: Final = frozenset({EventKind.MESSAGE_NEW, EventKind.MESSAGE_EXPUNGE, EventKind.FLAG_CHANGE})
"""What can happen in the selected mailbox; elsewhere it is told by STATUS."""


class Filter(Enum):
    """Which mailboxes a group of events is about."""

    SELECTED = "SELECTED"
    SELECTED_DELAYED = "SELECTED-DELAYED"
    INBOXES = "INBOXES"
    PERSONAL = "PERSONAL"
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    MAILBOXES = "MAILBOXES"


@dataclass(frozen=True, slots=True)
class EventGroup:
    """One parenthesis of NOTIFY SET; no `events` for NONE.

    `names` are those of SUBTREE and MAILBOXES. `items` is what is fetched of each new message in the selected mailbox.
    """

    filter: Filter
    events: frozenset[EventKind]
    names: tuple[str, ...] = ()
    items: tuple[FetchItem, ...] = ()
