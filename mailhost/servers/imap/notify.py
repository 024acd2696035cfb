"""NOTIFY: a client hears what happens in its mailboxes, whether it asks or not (RFC 5465)."""

import asyncio
from collections.abc import Sequence

from mailhost.mailstore.mailboxes import changed_mailboxes, list_mailboxes, mailbox_topic, subscriptions
from mailhost.mailstore.model import Mailbox
from mailhost.mailstore.ranges import holds
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Notify, StatusItem
from mailhost.protocols.imap.events import Event
from mailhost.protocols.imap.notifying import MESSAGE_EVENTS, EventKind
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.fetched import fetch_new
from mailhost.servers.imap.namechanges import tell_names
from mailhost.servers.imap.notices import tell_news
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.updates import tell_updates
from mailhost.servers.imap.watching import MAX_WATCHED, Known, Watching
from mailhost.storage.database import Tx

_OVERFLOW = Answer("NO", "NOTIFICATIONOVERFLOW", f"Messages of at most {MAX_WATCHED} mailboxes can be watched.")


async def notify(session: Session, command: Notify) -> Answer:
    """NOTIFY SET and NONE. What happened before is told first: what is told from now on follows the new wishes."""
    await tell_news(session)
    watching = Watching(command.groups or ())
    # The watch is there before the look, so that nothing falls between them.
    watching.open(session.services.database, session.account_id, session.stream.interrupt)
    mailboxes, subscribed = await session.services.database.read(_look, session.account_id)
    watching.subscribed = subscribed
    mailboxes = [mailbox for mailbox in mailboxes if mailbox.is_selectable]
    watching.names = {mailbox.id: mailbox.name for mailbox in mailboxes}
    watching.learn(mailboxes)
    if len(watching.known) > MAX_WATCHED:
        watching.close()
        return _OVERFLOW
    if session.watching is not None:
        session.watching.close()
    session.watching = watching
    if command.tells_status:
        for mailbox in mailboxes:
            if mailbox.id in watching.known and not _is_selected(session, mailbox):
                await session.say(_status(session, mailbox, _asked_items(watching, mailbox)))
    return completed("NOTIFY")


def _look(tx: Tx, account_id: int) -> tuple[list[Mailbox], frozenset[str]]:
    return list_mailboxes(tx, account_id), frozenset(subscriptions(tx, account_id))


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


async def tell_events(session: Session, *, permits_expunge: bool = True, removes: bool = False) -> None:
    """News of the selected mailbox and of the others, as far as the client wants to hear of them now.

    A command that `removes` messages is answered in any case. Raises MailboxGone, ViewBroken.
    """
    watching = session.watching
    if watching is None:
        if permits_expunge:
            await tell_news(session)
        await tell_updates(session)
        return
    if session.view is not None:
        await _tell_selected(session, watching, permits_expunge=permits_expunge, removes=removes)
    if watching.is_due:
        watching.is_due = False
        await _tell_others(session, watching)


async def _tell_selected(session: Session, watching: Watching, *, permits_expunge: bool, removes: bool) -> None:
    group = watching.selected
    arrived: list[int] = []
    if (group is None and removes) or (group is not None and (permits_expunge or watching.is_immediate)):
        arrived = await tell_news(session, with_flags=group is not None and EventKind.FLAG_CHANGE in group.events)
    await tell_updates(session)
    if group is not None and group.items and arrived:
        own = watching.own_arrivals(session.selected.account_id, session.selected.mailbox_id)
        uids = [uid for uid in arrived if not holds(own, uid)]
        await fetch_new(session, uids, group.items)


async def _tell_others(session: Session, watching: Watching) -> None:
    if watching.are_names_due:
        watching.are_names_due = False
        await tell_names(session, watching)
    database = session.services.database
    for mailbox in await database.read(changed_mailboxes, session.account_id, watching.since):
        watching.since = max(watching.since, mailbox.highest_modseq)
        events = watching.events_of(mailbox.name, mailbox.special_use)
        if not events & MESSAGE_EVENTS:
            continue
        before = watching.known.get(mailbox.id, Known())
        watching.learn([mailbox])
        if mailbox.highest_modseq > before.modseq and not _is_selected(session, mailbox):
            items = _changed_items(session, watching, mailbox, before, events)
            if items:
                await session.say(_status(session, mailbox, items))
    if len(watching.known) > MAX_WATCHED:
        watching.close()
        await session.say(responses.untagged("OK", _OVERFLOW.text, _OVERFLOW.code))


def _is_selected(session: Session, mailbox: Mailbox) -> bool:
    view = session.view
    return view is not None and (view.account_id, view.mailbox_id) == (session.account_id, mailbox.id)


def _changed_items(
    session: Session, watching: Watching, mailbox: Mailbox, before: Known, events: frozenset[EventKind]
) -> list[StatusItem]:
    """What STATUS has to say of a change; nothing where the client does not want to hear of it, or made it itself."""
    own = sum(last - first + 1 for first, last in watching.own_arrivals(session.account_id, mailbox.id))
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


def _asked_items(watching: Watching, mailbox: Mailbox) -> list[StatusItem]:
    """What NOTIFY SET STATUS has to say (RFC 5465 §3.1)."""
    items = [StatusItem.MESSAGES, StatusItem.UIDNEXT, StatusItem.UIDVALIDITY]
    if EventKind.FLAG_CHANGE in watching.events_of(mailbox.name, mailbox.special_use):
        items.append(StatusItem.HIGHESTMODSEQ)
    return items


def _status(session: Session, mailbox: Mailbox, items: Sequence[StatusItem]) -> bytes:
    values = {
        StatusItem.MESSAGES: mailbox.messages,
        StatusItem.UIDNEXT: mailbox.uid_next,
        StatusItem.UIDVALIDITY: mailbox.uid_validity,
        StatusItem.UNSEEN: mailbox.unseen,
        StatusItem.HIGHESTMODSEQ: mailbox.highest_modseq,
    }
    return responses.status(mailbox.name, {item: values[item] for item in items}, utf8=session.connection.utf8)
