"""NOTIFY: a client hears what happens in its mailboxes, whether it asks or not (RFC 5465)."""

import asyncio
from collections.abc import Sequence

from mailhost import accounts
from mailhost.mailstore.annotations import changed_entries, server_entries
from mailhost.mailstore.layout import LabelSettings
from mailhost.mailstore.mailboxes import changed_mailboxes, mailbox_topic
from mailhost.mailstore.ranges import holds
from mailhost.mailstore.sharing import rights_of
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Notify, StatusItem
from mailhost.protocols.imap.events import Event
from mailhost.protocols.imap.notifying import MESSAGE_EVENTS, EventKind
from mailhost.protocols.imap.rights import ALL_RIGHTS, Right
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.fetched import fetch_new
from mailhost.servers.imap.listing import left_out
from mailhost.servers.imap.mailboxes import COUNTERS, shown
from mailhost.servers.imap.namechanges import look, tell_names
from mailhost.servers.imap.notices import tell_heard, tell_news
from mailhost.servers.imap.reach import Place, Reached
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.updates import tell_updates
from mailhost.servers.imap.watching import MAX_WATCHED, OF_MAILBOX, SERVER_KEY, Known, Watching
from mailhost.storage.database import Tx

_OVERFLOW = Answer("NO", "NOTIFICATIONOVERFLOW", f"Messages of at most {MAX_WATCHED} mailboxes can be watched.")


async def notify(session: Session, command: Notify) -> Answer:
    """NOTIFY SET and NONE. What happened before is told first: what is told from now on follows the new wishes."""
    await tell_news(session)
    watching = Watching(command.groups or ())
    database = session.services.database
    domain_id = await database.read(_domain_of, session.account_id)
    # The watch is there before the look, so that nothing falls between them.
    watching.open(database, session.account_id, domain_id, session.stream.interrupt)
    now = await database.read(look, session.account_id, session.labels)
    reached, watching.names, watching.parents, watching.subscribed = now.reached, now.names, now.parents, now.subscribed
    watching.learn(reached)
    watching.follow(database, reached)
    if watching.hears_server:
        watching.entries = await database.read(_server_entries, session.account_id)
    if max(len(watching.known), len(watching.prefixes)) > MAX_WATCHED:
        watching.close()
        return _OVERFLOW
    if session.watching is not None:
        session.watching.close()
    session.watching = watching
    if command.tells_status:
        for each in reached:
            events = watching.events_of(each.mailbox.name, each.mailbox.special_use)
            if each.key in watching.known and events & MESSAGE_EVENTS and not _is_selected(session, each):
                await _say_status(session, each, _asked_items(events))
    return completed("NOTIFY")


def _domain_of(tx: Tx, account_id: int) -> int:
    return accounts.get_account(tx, account_id).domain_id


def _server_entries(tx: Tx, account_id: int) -> dict[str, int]:
    return server_entries(tx, account_id, _domain_of(tx, account_id))


def _changed(
    tx: Tx, account_id: int, owner_id: int, prefix: str, since: int, labels: LabelSettings | None
) -> list[Reached]:
    """The mailboxes of an account in which something happened, as far as another, or itself, may look them up."""
    reached = []
    hidden = left_out(tx, owner_id, labels) if owner_id == account_id else set()
    for mailbox in changed_mailboxes(tx, owner_id, since):
        if mailbox.name in hidden:
            continue
        place = Place(owner_id, mailbox.name, prefix)
        rights = ALL_RIGHTS if place.is_own else rights_of(tx, owner_id, mailbox.id, account_id)
        if rights & Right.LOOKUP:
            reached.append(Reached(place, place.shown(mailbox), rights))
    return reached


async def next_event(session: Session) -> Event:
    """The next thing the client does; while it does nothing, it hears what it asked for."""
    watching = session.watching
    if watching is None:
        return await session.next_event()
    view = session.view
    watch = None
    if view is not None and watching.is_immediate:
        topic = mailbox_topic(view.account_id, view.mailbox_id)
        watch = session.services.database.watch(topic, session.stream.interrupt)
    until = asyncio.get_running_loop().time() + session.services.settings.idle_seconds
    try:
        while (event := session.connection.next_event()) is None:
            if session.connection.is_inside_command:
                return await session.next_event()
            await tell_events(session, permits_expunge=False)
            if not await session.doze(until, "Autologout; you said nothing for too long."):
                expect_everything(session)
    finally:
        if watch is not None:
            watch.close()
    await session.be_fair()
    return event


def expect_everything(session: Session) -> None:
    """A wake-up may have been lost: look everywhere at the next chance."""
    if session.watching is not None:
        session.watching.is_due = session.watching.are_names_due = True


async def tell_events(
    session: Session, *, permits_expunge: bool = True, removes: bool = False, told_modseq: bool = False
) -> None:
    """News of the selected mailbox and of the others, as far as the client wants to hear of them now.

    A command that `removes` messages is answered in any case. One that `told_modseq` of some messages ends with what
    had a lower one, or with up to where there is nothing of it. Raises MailboxGone, ViewBroken.
    """
    watching = session.watching
    if watching is None:
        if permits_expunge or told_modseq:
            await tell_news(session, permits_expunge=permits_expunge)
        await tell_updates(session)
        return
    if session.view is not None:
        await _tell_selected(session, watching, permits_expunge, removes, told_modseq)
    if watching.is_due:
        watching.is_due = False
        await _tell_others(session, watching)


async def _tell_selected(
    session: Session, watching: Watching, permits_expunge: bool, removes: bool, told_modseq: bool
) -> None:
    group = watching.selected
    arrived: list[int] = []
    permits_expunge = permits_expunge or watching.is_immediate
    if (group is None and removes) or (group is not None and (permits_expunge or told_modseq)):
        with_flags = group is not None and EventKind.FLAG_CHANGE in group.events
        arrived = await tell_news(session, with_flags=with_flags, permits_expunge=permits_expunge)
    # Else nothing is told of it, but that it is gone, or that there would be something to tell.
    elif (
        (permits_expunge or told_modseq) and await session.selected.has_news(session.services.database) and told_modseq
    ):
        await tell_heard(session, session.selected)
    await tell_updates(session)
    if group is not None and group.items and arrived:
        own = watching.own_arrivals(session.selected.account_id, session.selected.mailbox_id)
        uids = [uid for uid in arrived if not holds(own, uid)]
        await fetch_new(session, uids, group.items)
    if session.selected.flags_heard is not None and session.knows_condstore and (arrived or told_modseq):
        await tell_heard(session, session.selected)


async def _tell_others(session: Session, watching: Watching) -> None:
    if watching.are_names_due:
        watching.are_names_due = False
        await tell_names(session, watching)
    database = session.services.database
    for owner_id, prefix in list(watching.prefixes.items()):
        since = watching.since.get(owner_id, 0)
        for reached in await database.read(_changed, session.account_id, owner_id, prefix, since, session.labels):
            await _tell_change(session, watching, reached)
    if watching.hears_server:
        before, watching.entries = watching.entries, await database.read(_server_entries, session.account_id)
        changed = (entry for entry, times in watching.entries.items() if before.get(entry) != times)
        await _tell_entries(session, "", watching.of_others(SERVER_KEY, changed))
    if max(len(watching.known), len(watching.prefixes)) > MAX_WATCHED:
        watching.close()
        await session.say(responses.untagged("OK", _OVERFLOW.text, _OVERFLOW.code))


async def _tell_change(session: Session, watching: Watching, reached: Reached) -> None:
    """STATUS or METADATA of a mailbox in which something happened."""
    mailbox = reached.mailbox
    before = watching.known.get(reached.key, Known())
    watching.learn([reached])
    events = watching.events_of(mailbox.name, mailbox.special_use)
    if not (reached.rights & Right.READ and events & OF_MAILBOX and mailbox.highest_modseq > before.modseq):
        return
    if events & MESSAGE_EVENTS and not _is_selected(session, reached):
        items = _changed_items(session, watching, reached, before, events)
        if items:
            await _say_status(session, reached, items)
    if EventKind.MAILBOX_METADATA_CHANGE in events:
        read = session.services.database.read
        since = max(before.modseq, before.entries_told)
        entries = await read(changed_entries, *reached.key, session.account_id, since)
        await _tell_entries(session, mailbox.name, watching.of_others(reached.key, entries))


async def _tell_entries(session: Session, name: str, entries: Sequence[str]) -> None:
    await session.say(responses.metadata_changed(name, entries, utf8=session.connection.utf8))


def _is_selected(session: Session, reached: Reached) -> bool:
    view = session.view
    return view is not None and (view.account_id, view.mailbox_id) == reached.key


def _changed_items(
    session: Session, watching: Watching, reached: Reached, before: Known, events: frozenset[EventKind]
) -> list[StatusItem]:
    """What STATUS has to say of a change; nothing where the client does not want to hear of it, or made it itself."""
    mailbox = reached.mailbox
    own = sum(last - first + 1 for first, last in watching.own_arrivals(*reached.key))
    items = [StatusItem.UIDVALIDITY]
    if (mailbox.uid_next - own, mailbox.messages - own) != (before.uid_next, before.messages):
        items += [StatusItem.UIDNEXT, StatusItem.MESSAGES]
    elif own or EventKind.FLAG_CHANGE not in events:
        return []
    if EventKind.FLAG_CHANGE in events and mailbox.unseen != before.unseen:
        items.append(StatusItem.UNSEEN)
    if session.knows_condstore:
        items.append(StatusItem.HIGHESTMODSEQ)
    return items if len(items) > 1 else []


def _asked_items(events: frozenset[EventKind]) -> list[StatusItem]:
    """What NOTIFY SET STATUS has to say (RFC 5465 §3.1)."""
    items = [StatusItem.MESSAGES, StatusItem.UIDNEXT, StatusItem.UIDVALIDITY]
    if EventKind.FLAG_CHANGE in events:
        items.append(StatusItem.HIGHESTMODSEQ)
    return items


async def _say_status(session: Session, reached: Reached, items: Sequence[StatusItem]) -> None:
    mailbox = await shown(session, reached.account_id, reached.mailbox)
    values = {item: COUNTERS[item](mailbox) for item in items}
    await session.say(responses.status(mailbox.name, values, utf8=session.connection.utf8))
