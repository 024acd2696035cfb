"""What a session hears of changes that others made: EXPUNGE or VANISHED, EXISTS, FETCH (RFC 9051 §7.5.1, RFC 7162)."""

from collections.abc import Sequence

from mailhost.mailstore.annotations import changed_entries
from mailhost.mailstore.changes import changed_flags
from mailhost.mailstore.ranges import as_ranges
from mailhost.mailstore.rows import LABELS
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.fetch import Attribute
from mailhost.protocols.imap.flags import SYSTEM_FLAGS
from mailhost.protocols.imap.notifying import EventKind
from mailhost.servers.imap.label_texts import read_labels
from mailhost.servers.imap.plan import KnownFlags, RowItem, plan_rows
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.database import Column

_LINES_AT_ONCE = 1_000


async def learn_condstore(session: Session) -> None:
    """The client shows that it knows CONDSTORE: it hears MODSEQ from now on, and what it has heard (RFC 7162 §3.1)."""
    if not session.knows_condstore:
        session.knows_condstore = True
        if session.view is not None:
            await tell_heard(session, session.view)


async def tell_heard(session: Session, view: MailboxView) -> None:
    """Up to which modseq the client has heard everything, whatever MODSEQ it was told of single messages.

    It takes the highest of those for that, and would ask only for what is newer when it comes back (RFC 7162 §3.2, §6).
    """
    await session.say(responses.untagged("OK", "All is told up to here.", f"HIGHESTMODSEQ {view.heard}"))


async def tell_news(session: Session, *, with_flags: bool = True, permits_expunge: bool = True) -> list[int]:
    """Tell everything that happened in the selected mailbox; or, where EXPUNGE is due and not permitted, `tell_heard`.

    Returns the UIDs of what arrived. Raises MailboxGone, ViewBroken.
    """
    view = session.view
    database = session.services.database
    if view is None or not (await view.has_news(database) or (with_flags and view.flags_heard is not None)):
        return []
    since, heard = view.modseq, view.heard
    taken = await view.take_news(database, permits_expunge=permits_expunge)
    if taken is None:
        await tell_heard(session, view)
        return []
    expunged, news = taken
    if session.knows_metadata and not _is_told_by_notify(session, view):
        reader = session.account_id
        entries = await database.read(changed_entries, view.account_id, view.mailbox_id, reader, since)
        name = await view.learn_name(database) if entries else view.name
        await session.say(responses.metadata_changed(name, entries, utf8=session.connection.utf8))
    lines = []
    if session.contexts is not None and news.vanished:
        lines.append(session.contexts.expunged(news.vanished, expunged[::-1]))
    if session.knows_qresync or session.uid_only:
        lines.append(responses.vanished(as_ranges(news.vanished)))
    else:
        lines += [responses.expunge(number) for number in expunged]
    if news.arrived:
        lines.append(responses.exists(view.exists))
    await session.say(b"".join(lines))
    if not with_flags:
        view.flags_heard = heard if news.flags else view.flags_heard
    elif view.flags_heard is None:
        await tell_flags(session, view, news.flags)
    else:  # the client has changed its mind (RFC 5465 §3.1)
        view.flags_heard = None
        key = view.account_id, view.mailbox_id
        await tell_flags(session, view, await database.read(changed_flags, *key, heard, view.uid_next))
    return news.arrived


def _is_told_by_notify(session: Session, view: MailboxView) -> bool:
    watching = session.watching
    if watching is None:
        return False
    name = watching.names.get((view.account_id, view.mailbox_id), view.name)
    return EventKind.MAILBOX_METADATA_CHANGE in watching.events_of(name, view.special_use)


async def tell_flags(session: Session, view: MailboxView, changed: Sequence[tuple[int, int, int]]) -> None:
    """FETCH responses for (uid, modseq, flags) that the client did not ask for, ascending by UID. Raises ViewBroken."""
    if not changed:
        return
    database = session.services.database
    known = await view.numbers(database)
    numbers = known.numbers_of([uid for uid, _, _ in changed])
    if len(numbers) < len(changed):  # of some the session has not been told
        changed = [row for row in changed if known.number_of(row[0])]
    await view.know_keywords(database, {mask for _, _, mask in changed})
    await tell_keywords(session, view)
    names = KnownFlags(view.keywords)
    plan = plan_rows(_told_of_flags(session, view), uid_only=session.uid_only)
    for start in range(0, len(changed), _LINES_AT_ONCE):
        some = slice(start, start + _LINES_AT_ONCE)
        uids, modseqs, masks = zip(*changed[some], strict=True)
        columns: dict[str, Column] = {"uid": uids, "modseq": modseqs, "flags": masks}
        if LABELS in plan.columns:
            labels = await database.read(read_labels, view, uids)
            columns[LABELS] = [labels.get(uid, b"()") for uid in uids]  # none, where it went for good just now
        await session.say(plan.render(numbers[some], [columns[name] for name in plan.columns], names))


def _told_of_flags(session: Session, view: MailboxView) -> tuple[RowItem, ...]:
    """UID and MODSEQ go with FLAGS for who knows CONDSTORE (RFC 7162 §3.2.4), UID with NOTIFY (RFC 5465 §5.1)."""
    items: list[RowItem] = []
    if not session.uid_only and (session.knows_condstore or session.watching is not None):
        items.append(Attribute.UID)
    if session.knows_condstore:
        items.append(Attribute.MODSEQ)
    items.append(Attribute.FLAGS)
    if session.knows_labels and view.shows_labels:
        items.append(Attribute.LABELS)
    return tuple(items)


async def tell_keywords(session: Session, view: MailboxView) -> None:
    """Announce the flags in use when there are others than last told."""
    if session.told_keywords != view.keywords:
        session.told_keywords = view.keywords
        await session.say(responses.flags_defined(flags_in_use(view)))


def flags_in_use(view: MailboxView) -> list[str]:
    """System flags, then the account's keywords."""
    return [*SYSTEM_FLAGS, *(name for _, name in view.keywords)]
