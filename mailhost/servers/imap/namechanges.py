"""MailboxName and SubscriptionChange: which mailboxes were made, deleted, renamed, subscribed (RFC 5465 §5.4, §5.5)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mailhost.mailstore.layout import LabelSettings
from mailhost.mailstore.mailboxes import subscriptions
from mailhost.mailstore.model import DELIMITER
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import List
from mailhost.protocols.imap.names import OTHER_USERS
from mailhost.protocols.imap.notifying import EventKind
from mailhost.servers.imap.listing import Entry, find_entries, left_out
from mailhost.servers.imap.reach import Reached, reach_all
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.watching import Key, Watching
from mailhost.storage.database import Tx

Names = Mapping[Key, str]
"""The name of every mailbox."""


@dataclass(frozen=True, slots=True)
class Present:
    """How names stand now."""

    reached: Sequence[Reached]
    subscribed: frozenset[str]
    entries: Mapping[str, Entry]

    @property
    def names(self) -> Names:
        """The name of each."""
        return {each.key: each.mailbox.name for each in self.reached}

    @property
    def parents(self) -> frozenset[str]:
        """The mailboxes that hold others, be it only names."""
        return frozenset(name for name, entry in self.entries.items() if "\\HasChildren" in entry.attributes)


async def tell_names(session: Session, watching: Watching) -> None:
    """LIST for each name with which something happened, but for what the client's own command did."""
    read = session.services.database.read
    known, parents, subscribed = watching.names, watching.parents, watching.subscribed
    now: Present = await read(look, session.account_id, session.labels)
    watching.names, watching.parents, watching.subscribed = now.names, now.parents, now.subscribed
    watching.forget_gone()
    watching.expect_replaced(known, now.reached)
    watching.follow(session.services.database, now.reached)
    told: dict[str, str | None] = {}
    for name, old_name in changed_names(known, watching.names).items():
        wanted = watching.events_of(name) | watching.events_of(old_name or name)
        if EventKind.MAILBOX_NAME in wanted:
            told[name] = old_name
    # Where a mailbox comes from, and where a mere name comes or goes, what changes is only whether there are children.
    for name in sorted((parents ^ now.parents).intersection(watching.names.values())):
        if EventKind.MAILBOX_NAME in watching.events_of(name):
            told.setdefault(name, None)
    for name in sorted(subscribed ^ now.subscribed):
        if EventKind.SUBSCRIPTION_CHANGE in watching.events_of(name) or (
            name in subscribed and EventKind.SUBSCRIPTION_CHANGE in _events_before(watching, name, subscribed)
        ):
            told.setdefault(name, None)
    for name, old_name in told.items():
        if name not in watching.own_names:
            attributes = _attributes(name, now)
            utf8 = session.connection.utf8
            await session.say(responses.list_line(attributes, name, utf8=utf8, old_name=old_name))


def _events_before(watching: Watching, name: str, subscribed: frozenset[str]) -> frozenset[EventKind]:
    """What was to be told of the name while it was subscribed."""
    now, watching.subscribed = watching.subscribed, subscribed
    try:
        return watching.events_of(name)
    finally:
        watching.subscribed = now


def look(tx: Tx, account_id: int, labels: LabelSettings | None) -> Present:
    """How the names stand that the account sees."""
    hidden = left_out(tx, account_id, labels)
    every = List(b"", "", ("*",), extended=True, return_subscribed=True)
    return Present(
        [each for each in reach_all(tx, account_id) if not each.place.is_own or each.mailbox.name not in hidden],
        frozenset(subscriptions(tx, account_id)),
        {entry.name: entry for entry in find_entries(tx, account_id, every, hidden)},
    )


def changed_names(before: Names, now: Names) -> dict[str, str | None]:
    """The names that are affected, each with the one it had before where a mailbox was renamed.

    A mailbox that comes or goes affects the one above it; one that is renamed with the one above it is not told.
    """
    renamed = {before[key]: now[key] for key in before.keys() & now.keys() if before[key] != now[key]}
    changed: dict[str, str | None] = {}
    for old, new in _in_turn(renamed):
        above = _renamed_above(old, renamed)
        if above is None or renamed[above] + old[len(above) :] != new:
            changed[new] = old
    for key in sorted(before.keys() ^ now.keys()):
        name = now[key] if key in now else before[key]
        changed.setdefault(name, None)
        above, slash, _ = name.rpartition(DELIMITER)
        if slash and name.split(DELIMITER)[0] != OTHER_USERS:  # what stands above those of others is no mailbox
            changed.setdefault(above, None)
    return changed


def _in_turn(renamed: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Old and new names in an order in which each new one is free by then, unless they run in a circle."""
    left = dict(sorted(renamed.items()))
    while left:
        old = next((old for old, new in left.items() if new not in left), next(iter(left)))
        yield old, left.pop(old)


def _renamed_above(name: str, renamed: Mapping[str, str]) -> str | None:
    """The nearest level above that was renamed."""
    above = name.rpartition(DELIMITER)[0]
    while above and above not in renamed:
        above = above.rpartition(DELIMITER)[0]
    return above or None


def _attributes(name: str, now: Present) -> list[str]:
    entry = now.entries.get(name)
    if entry is None:
        return ["\\NonExistent", *(["\\Subscribed"] if name in now.subscribed else [])]
    return ["\\NonExistent" if attribute == "\\Noselect" else attribute for attribute in entry.attributes]
