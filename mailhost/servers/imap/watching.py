"""What one client asked NOTIFY to tell it of mailboxes, and what it knows of them (RFC 5465)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.account import store_topic
from mailhost.mailstore.mailboxes import mailboxes_topic
from mailhost.mailstore.model import DELIMITER, INBOX, Mailbox, UidRange
from mailhost.mailstore.ranges import as_ranges
from mailhost.protocols.imap.notifying import MESSAGE_EVENTS, EventGroup, EventKind, Filter
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.database import Database, Watch

MAX_WATCHED: Final = 1_000
"""Mailboxes of whose messages one client can hear at a time; it would drown in the STATUS of more."""

_OF_SELECTED: Final = {Filter.SELECTED, Filter.SELECTED_DELAYED}


@dataclass(frozen=True, slots=True)
class Known:
    """The last a client heard, or could have heard, of a mailbox."""

    uid_next: int = 1
    messages: int = 0
    unseen: int | None = 0
    modseq: int = 0


class Watching:
    """The groups of NOTIFY SET, none for NONE. Two watches a session, however many mailboxes it hears of."""

    __slots__ = (
        "_own",
        "_watches",
        "are_names_due",
        "groups",
        "is_due",
        "known",
        "names",
        "own_names",
        "selected",
        "since",
        "subscribed",
    )

    def __init__(self, groups: Sequence[EventGroup]) -> None:
        self.groups = [group for group in groups if group.filter not in _OF_SELECTED]
        self.selected = next((group for group in groups if group.filter in _OF_SELECTED and group.events), None)
        self.is_due = False  # something happened in the account's store
        self.are_names_due = False  # mailboxes or subscriptions changed
        self.since = 0  # the modseq up to which `known` holds
        self.known: dict[int, Known] = {}  # by id, of the mailboxes whose messages are watched
        self.names: Mapping[int, str] = {}  # by id, of all mailboxes that can be selected
        self.subscribed: frozenset[str] = frozenset()
        self.own_names: set[str] = set()  # those the command under way changes: its client need not be told
        self._own: dict[
            tuple[int, int], list[UidRange]
        ] = {}  # by account and mailbox, what the command under way has put there
        self._watches: list[Watch] = []

    @property
    def is_immediate(self) -> bool:
        """Whether the selected mailbox is told of while no command is under way, EXPUNGE included."""
        return self.selected is not None and self.selected.filter is Filter.SELECTED

    def open(self, database: Database, account_id: int, interrupt: Callable[[], None]) -> None:
        """Hear of changes from now on; `interrupt` ends the wait for the client."""

        def wake() -> None:
            self.is_due = True
            interrupt()

        def wake_names() -> None:
            self.is_due = self.are_names_due = True
            interrupt()

        if self.groups:
            self._watches = [
                database.watch(store_topic(account_id), wake),
                database.watch(mailboxes_topic(account_id), wake_names),
            ]

    def close(self) -> None:
        """Hear of nothing any more, and want nothing: as after NOTIFY NONE."""
        for watch in self._watches:
            watch.close()
        self._watches.clear()
        self.groups.clear()
        self.selected = None
        self.known.clear()
        self.names = {}

    def events_of(self, name: str, special_use: str = "") -> frozenset[EventKind]:
        """What is to be told of a mailbox that is not selected."""
        return frozenset(
            kind for group in self.groups if self._matches(group, name, special_use) for kind in group.events
        )

    def _matches(self, group: EventGroup, name: str, special_use: str) -> bool:
        match group.filter:
            case Filter.PERSONAL:
                return True
            case Filter.INBOXES:
                return name == INBOX or special_use == "\\Junk"
            case Filter.SUBSCRIBED:
                return name in self.subscribed
            case Filter.SUBTREE:
                return any(name == top or name.startswith(top + DELIMITER) for top in group.names)
            case _:
                return name in group.names

    def begin_command(self, own_names: set[str]) -> None:
        """A command of the client itself begins, which will change these names of mailboxes."""
        self.own_names = own_names
        self._own.clear()

    def note_own(self, account_id: int, mailbox_id: int, uids: Iterable[int]) -> None:
        """It has put messages there."""
        self._own[account_id, mailbox_id] = as_ranges(uids)

    def own_arrivals(self, account_id: int, mailbox_id: int) -> list[UidRange]:
        """What it has put there."""
        return self._own.get((account_id, mailbox_id), [])

    def resume(self, view: MailboxView) -> None:
        """A mailbox is selected no longer: what its client was not told yet becomes news like that of others."""
        if view.mailbox_id in self.known:
            self.known[view.mailbox_id] = Known(view.uid_next, view.exists, None, view.modseq)
            self.since = min(self.since, view.modseq)
            self.is_due = True

    def forget_gone(self) -> None:
        """Know nothing of mailboxes that are not there any more."""
        self.known = {key: known for key, known in self.known.items() if key in self.names}

    def learn(self, mailboxes: Iterable[Mailbox]) -> None:
        """Take these for known, as far as their messages are watched."""
        for mailbox in mailboxes:
            self.since = max(self.since, mailbox.highest_modseq)
            if self.events_of(mailbox.name, mailbox.special_use) & MESSAGE_EVENTS:
                self.known[mailbox.id] = Known(
                    mailbox.uid_next, mailbox.messages, mailbox.unseen, mailbox.highest_modseq
                )
