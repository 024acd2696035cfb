"""What one client asked NOTIFY to tell it of mailboxes, and what it knows of them (RFC 5465)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.account import EVERYBODY, mailboxes_topic, store_topic
from mailhost.mailstore.annotations import NO_ACCOUNT, SERVER, server_topic
from mailhost.mailstore.model import DELIMITER, INBOX, UidRange
from mailhost.mailstore.ranges import as_ranges
from mailhost.protocols.imap.names import OTHER_USERS
from mailhost.protocols.imap.notifying import MESSAGE_EVENTS, EventGroup, EventKind, Filter
from mailhost.protocols.imap.rights import Right
from mailhost.servers.imap.reach import Reached
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.database import Database, Watch

MAX_WATCHED: Final = 1_000
"""Mailboxes of whose messages one client can hear at a time; it would drown in the STATUS of more."""

OF_MAILBOX: Final = MESSAGE_EVENTS | {EventKind.MAILBOX_METADATA_CHANGE}
"""What is noticed by a mailbox's HIGHESTMODSEQ."""

SERVER_KEY: Final = (NO_ACCOUNT, SERVER)
"""Stands for the server where a mailbox's key would."""

_OTHERS: Final = OTHER_USERS + DELIMITER
_OF_SELECTED: Final = {Filter.SELECTED, Filter.SELECTED_DELAYED}


@dataclass(frozen=True, slots=True)
class Known:
    """The last a client heard, or could have heard, of a mailbox."""

    uid_next: int = 1
    messages: int = 0
    unseen: int | None = 0
    modseq: int = 0
    entries_told: int = 0  # the modseq up to which annotations were told, where that is a later one


Key = tuple[int, int]
"""The account of a mailbox and its id there."""


class Watching:
    """The groups of NOTIFY SET, none for NONE. Two watches an account, however many mailboxes it hears of."""

    __slots__ = (
        "_own",
        "_own_entries",
        "_wake",
        "_watches",
        "are_names_due",
        "entries",
        "groups",
        "is_due",
        "known",
        "names",
        "own_names",
        "parents",
        "prefixes",
        "selected",
        "since",
        "subscribed",
    )

    def __init__(self, groups: Sequence[EventGroup]) -> None:
        self.groups = [group for group in groups if group.filter not in _OF_SELECTED]
        self.selected = next((group for group in groups if group.filter in _OF_SELECTED and group.events), None)
        self.is_due = False  # something happened in the store of an account
        self.are_names_due = False  # mailboxes or subscriptions changed
        self.prefixes: dict[int, str] = {}  # of the accounts whose stores are watched: what names there begin with
        self.since: dict[int, int] = {}  # by account, the modseq up to which `known` holds
        self.known: dict[Key, Known] = {}  # of the mailboxes of which something is told
        self.names: Mapping[Key, str] = {}  # of all mailboxes that can be selected
        self.parents: frozenset[str] = frozenset()  # the mailboxes that hold others
        self.entries: Mapping[str, int] = {}  # of the server, how often each was set
        self.subscribed: frozenset[str] = frozenset()
        self.own_names: set[str] = set()  # those the command under way changes: its client need not be told
        self._own: dict[Key, list[UidRange]] = {}  # what the command under way has put there
        self._own_entries: dict[Key, frozenset[str]] = {}  # and the annotations it has set
        self._watches: dict[str, Watch] = {}
        self._wake: Callable[[], None] = lambda: None

    @property
    def is_immediate(self) -> bool:
        """Whether the selected mailbox is told of while no command is under way, EXPUNGE included."""
        return self.selected is not None and self.selected.filter is Filter.SELECTED

    @property
    def hears_server(self) -> bool:
        """Whether annotations of the server are told; no choice of mailboxes has to do with it (RFC 5465 §5.7)."""
        return any(EventKind.SERVER_METADATA_CHANGE in group.events for group in self.groups)

    def open(self, database: Database, account_id: int, domain_id: int, interrupt: Callable[[], None]) -> None:
        """Hear of changes from now on; `interrupt` ends the wait for the client."""

        def wake() -> None:
            self.is_due = True
            interrupt()

        self._wake = wake
        if self.groups:
            self.prefixes[account_id] = ""
            self._listen(database, store_topic(account_id))
            self._listen_names(database, account_id)
            self._listen_names(database, EVERYBODY)
        if self.hears_server:
            self._listen(database, server_topic(account_id, SERVER))
            self._listen(database, server_topic(NO_ACCOUNT, domain_id))

    def _listen(self, database: Database, topic: str) -> None:
        if topic not in self._watches:
            self._watches[topic] = database.watch(topic, self._wake)

    def _listen_names(self, database: Database, account_id: int) -> None:
        def wake() -> None:
            self.are_names_due = True
            self._wake()

        topic = mailboxes_topic(account_id)
        if topic not in self._watches:
            self._watches[topic] = database.watch(topic, wake)

    def follow(self, database: Database, reached: Iterable[Reached]) -> None:
        """Hear of the accounts of others that hold something to be told of, and of no other any more.

        What happened there before is looked at once more, as nobody told of it.
        """
        wanted = {
            each.account_id: each.place.prefix
            for each in reached
            if not each.place.is_own and self.events_of(each.mailbox.name)
        }
        ours = {owner: prefix for owner, prefix in self.prefixes.items() if not prefix}
        for owner in self.prefixes.keys() - ours.keys() - wanted.keys():
            for topic in (store_topic(owner), mailboxes_topic(owner)):
                self._watches.pop(topic).close()
        for owner in wanted.keys() - self.prefixes.keys():
            self._listen(database, store_topic(owner))
            self._listen_names(database, owner)
            self.is_due = True
        self.prefixes = ours | wanted

    def close(self) -> None:
        """Hear of nothing any more, and want nothing: as after NOTIFY NONE."""
        for watch in self._watches.values():
            watch.close()
        self._watches.clear()
        self.groups.clear()
        self.prefixes.clear()
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
                return not name.startswith(_OTHERS)
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
        self._own_entries.clear()

    def note_own(self, account_id: int, mailbox_id: int, uids: Iterable[int]) -> None:
        """It has put messages there."""
        self._own[account_id, mailbox_id] = as_ranges(uids)

    def own_arrivals(self, account_id: int, mailbox_id: int) -> list[UidRange]:
        """What it has put there."""
        return self._own.get((account_id, mailbox_id), [])

    def note_own_entries(self, key: Key, entries: Iterable[str]) -> None:
        """It has set annotations of a mailbox, or under SERVER_KEY of the server."""
        self._own_entries[key] = frozenset(entries)

    def of_others(self, key: Key, entries: Iterable[str]) -> list[str]:
        """The entries without those that it has set."""
        own = self._own_entries.get(key, frozenset())
        return [entry for entry in entries if entry not in own]

    def resume(self, view: MailboxView) -> None:
        """A mailbox is selected no longer: what its client was not told yet becomes news like that of others."""
        key = (view.account_id, view.mailbox_id)
        if (before := self.known.get(key)) is not None:
            self.known[key] = Known(view.uid_next, view.exists, None, view.modseq, before.modseq)
            self.since[view.account_id] = min(self.since.get(view.account_id, 0), view.modseq)
            self.is_due = True

    def forget_gone(self) -> None:
        """Know nothing of mailboxes that are not there any more."""
        self.known = {key: known for key, known in self.known.items() if key in self.names}

    def expect_replaced(self, before: Mapping[Key, str], reached: Iterable[Reached]) -> None:
        """Of a mailbox that bears the name of one before it, nothing is known: its client takes it for the other."""
        names = set(before.values())
        for each in reached:
            if each.key not in before and each.mailbox.name in names:
                self.known[each.key] = Known(uid_next=0, unseen=None)

    def learn(self, reached: Iterable[Reached]) -> None:
        """Take these for known, as far as something is told of them and they may be read."""
        for each in reached:
            mailbox = each.mailbox
            self.since[each.account_id] = max(self.since.get(each.account_id, 0), mailbox.highest_modseq)
            if each.rights & Right.READ and self.events_of(mailbox.name, mailbox.special_use) & OF_MAILBOX:
                self.known[each.key] = Known(mailbox.uid_next, mailbox.messages, mailbox.unseen, mailbox.highest_modseq)
