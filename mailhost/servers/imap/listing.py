"""LIST with all its options, and LSUB (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 3501 §6.3.9)."""

import asyncio
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from mailhost.mailstore.layout import LabelSettings, hidden_mailboxes
from mailhost.mailstore.mailboxes import list_mailboxes, subscriptions
from mailhost.mailstore.model import DELIMITER, INBOX
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import List, Lsub
from mailhost.protocols.imap.names import OTHER_USERS
from mailhost.protocols.imap.patterns import Pattern
from mailhost.protocols.imap.rights import ALL_RIGHTS, Right
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.mailboxes import say_status
from mailhost.servers.imap.metadata import of_mailbox
from mailhost.servers.imap.reach import Place, Reached, reach_shared
from mailhost.servers.imap.session import FAIR, Session
from mailhost.storage.database import Tx


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the answer; `reached` is None where only a subscription or a child has the name."""

    name: str
    attributes: tuple[str, ...]
    reached: Reached | None
    child_info: tuple[str, ...] = ()


async def list_names(session: Session, command: List) -> Answer:
    """LIST."""
    if command.patterns == ("",) and not command.extended:
        await session.say(responses.root_line())
        return completed("LIST")
    utf8 = session.connection.utf8
    entries = await session.services.database.read(_find_shown, session.account_id, command, session.labels)
    for count, entry in enumerate(entries, 1):
        if count % FAIR == 0:  # each may be read for, and the client may take all without a wait
            await asyncio.sleep(0)
        await session.say(responses.list_line(entry.attributes, entry.name, utf8=utf8, child_info=entry.child_info))
        if entry.reached is not None:
            await _say_more(session, entry.reached, command)
    return completed("LIST")


async def _say_more(session: Session, reached: Reached, command: List) -> None:
    """What RETURN asked for beside the line itself, as far as the rights on the mailbox go."""
    mailbox = reached.mailbox
    if command.return_rights:
        await session.say(responses.my_rights(mailbox.name, reached.rights, utf8=session.connection.utf8))
    if command.return_metadata and not (Right.LOOKUP | Right.READ) & ~reached.rights:
        session.knows_metadata = True
        known = await session.services.database.point(of_mailbox, session.account_id, reached)
        values = {entry: known.get(entry) for entry in command.return_metadata}
        await session.say(responses.metadata(mailbox.name, values, utf8=session.connection.utf8))
    if command.return_status and mailbox.is_selectable and reached.rights & Right.READ:
        await say_status(session, reached.account_id, mailbox, command.return_status)


async def list_subscribed(session: Session, command: Lsub) -> Answer:
    """LSUB: `%` also shows a name that only has subscribed children, as \\Noselect; so is what cannot be opened."""
    if not command.pattern:
        await session.say(responses.root_line("LSUB"))
        return completed("LSUB")
    names = await session.services.database.read(_find_subscribed, session.account_id, command, session.labels)
    for name, opens in names.items():
        attributes = () if opens else ("\\Noselect",)
        await session.say(responses.list_line(attributes, name, utf8=session.connection.utf8, command="LSUB"))
    return completed("LSUB")


def _find_subscribed(tx: Tx, account_id: int, command: Lsub, labels: LabelSettings | None) -> dict[str, bool]:
    """Names that match, and whether they are subscribed themselves and not known to hold children only."""
    pattern = Pattern(command.reference + command.pattern)
    subscribed = subscriptions(tx, account_id) - left_out(tx, account_id, labels)
    empty = {mailbox.name for mailbox in list_mailboxes(tx, account_id) if not mailbox.is_selectable}
    found: dict[str, bool] = {}
    for name in sorted(subscribed):
        if pattern.matches(name):
            found[name] = True
        elif command.pattern.endswith("%"):
            found.update({parent: False for parent in parents_of(name) if pattern.matches(parent)})
    return {name: name in subscribed and name not in empty for name in found}


def _find_shown(tx: Tx, account_id: int, command: List, labels: LabelSettings | None) -> list[Entry]:
    """`find_entries`; of labels those that IMAP shows, with their attributes in Gmail's order."""
    entries = find_entries(tx, account_id, command, left_out(tx, account_id, labels))
    if labels is None:
        return entries
    return [replace(each, attributes=tuple(sorted(each.attributes))) for each in entries]


def left_out(tx: Tx, account_id: int, labels: LabelSettings | None) -> set[str]:
    """The mailboxes of one's own that IMAP is not to show."""
    return set() if labels is None else hidden_mailboxes(tx, account_id)


def find_entries(tx: Tx, account_id: int, command: List, hidden: Collection[str] = ()) -> list[Entry]:
    """What LIST answers, INBOX first, then by name; a `hidden` one only as a level above others."""
    mailboxes = {
        mailbox.name: Reached(Place(account_id, mailbox.name), mailbox, ALL_RIGHTS)
        for mailbox in list_mailboxes(tx, account_id)
        if mailbox.name not in hidden
    }
    mailboxes |= {reached.mailbox.name: reached for reached in reach_shared(tx, account_id)}
    subscribed: set[str] = set()
    if command.only_subscribed or command.return_subscribed:
        subscribed = subscriptions(tx, account_id).difference(hidden)
    names: Iterable[str] = mailboxes
    if command.only_subscribed:
        names = sorted(mailboxes.keys() | subscribed, key=_place_in_list)
    parents = {parent for name in mailboxes for parent in parents_of(name)}
    wanted = {name for name in names if _is_selected(command, name, mailboxes, subscribed)}
    parents_of_wanted = {parent for name in wanted for parent in parents_of(name)} if command.recursive_match else set()
    patterns = [Pattern(command.reference + pattern) for pattern in command.patterns]
    entries = []
    if not (command.only_subscribed or command.only_special_use):
        wanted |= {name for name in parents - mailboxes.keys() if _shows_level(command, name)}
    for name in sorted({*wanted, *parents_of_wanted}, key=_place_in_list):
        if any(pattern.matches(name) for pattern in patterns):
            attributes = _attributes(name, mailboxes.get(name), parents, subscribed, command)
            child_info = _child_info(command) if name in parents_of_wanted else ()
            entries.append(Entry(name, tuple(attributes), mailboxes.get(name), child_info))
    return entries


def _place_in_list(name: str) -> tuple[bool, bool, str]:
    """INBOX first, the mailboxes of others last, else by name."""
    return name.startswith(OTHER_USERS), name != INBOX, name


def _shows_level(command: List, name: str) -> bool:
    """Whether a name that is only a level above others is listed: where % stops at it (RFC 9051 §6.3.9)."""
    patterns = (command.reference + pattern for pattern in command.patterns if pattern.endswith("%"))
    return any(Pattern(pattern).matches(name) for pattern in patterns)


def _is_selected(command: List, name: str, mailboxes: dict[str, Reached], subscribed: set[str]) -> bool:
    """Whether the selection options of LIST let the name through."""
    if command.only_subscribed and name not in subscribed:
        return False
    return not command.only_special_use or (name in mailboxes and bool(mailboxes[name].mailbox.special_use))


def _attributes(
    name: str, reached: Reached | None, parents: set[str], subscribed: set[str], command: List
) -> Iterator[str]:
    mailbox = None if reached is None else reached.mailbox
    if mailbox is None:
        yield "\\NonExistent" if command.extended else "\\Noselect"
    elif not mailbox.is_selectable:
        yield "\\Noselect"
    yield "\\HasChildren" if name in parents else "\\HasNoChildren"
    if mailbox is not None and mailbox.special_use:
        yield mailbox.special_use
    if command.return_subscribed and name in subscribed:
        yield "\\Subscribed"


def _child_info(command: List) -> tuple[str, ...]:
    """Which selection options a child met (RFC 5258 §3.5)."""
    options = (("SUBSCRIBED", command.only_subscribed), ("SPECIAL-USE", command.only_special_use))
    return tuple(option for option, given in options if given)


def parents_of(name: str) -> Iterator[str]:
    """The levels above a name, nearest last."""
    place = name.find(DELIMITER)
    while place > 0:
        yield name[:place]
        place = name.find(DELIMITER, place + 1)
