"""What a session hears of changes that others made: EXPUNGE or VANISHED, EXISTS, FETCH (RFC 9051 §7.5.1, RFC 7162)."""

from collections.abc import Sequence

from mailhost.mailstore.annotations import changed_entries
from mailhost.mailstore.ranges import as_ranges
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.flags import SYSTEM_FLAGS
from mailhost.protocols.imap.notifying import EventKind
from mailhost.servers.imap.label_texts import read_labels
from mailhost.servers.imap.plan import KnownFlags
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.view import MailboxView

_LINES_AT_ONCE = 1_000


async def tell_news(session: Session, *, with_flags: bool = True) -> list[int]:
    """Tell everything that happened in the selected mailbox. Only at moments that permit EXPUNGE.

    Returns the UIDs of what arrived. Raises MailboxGone, ViewBroken.
    """
    view = session.view
    database = session.services.database
    if view is None or not await view.has_news(database):
        return []
    since = view.modseq
    expunged, news = await view.take_news(database)
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
    if with_flags:
        await tell_flags(session, view, news.flags)
    return news.arrived


def _is_told_by_notify(session: Session, view: MailboxView) -> bool:
    watching = session.watching
    return watching is not None and EventKind.MAILBOX_METADATA_CHANGE in watching.events_of(view.name)


async def tell_flags(session: Session, view: MailboxView, changed: Sequence[tuple[int, int, int]]) -> None:
    """FETCH responses for (uid, modseq, flags) that the client did not ask for. Raises ViewBroken."""
    if not changed:
        return
    database = session.services.database
    numbers = await view.numbers(database)
    await view.know_keywords(database, (mask for _, _, mask in changed))
    await tell_keywords(session, view)
    names = KnownFlags(view.keywords)
    labels: dict[int, bytes] = {}
    if session.knows_labels and view.shows_labels:
        told = await database.read(read_labels, view, [uid for uid, _, _ in changed])
        labels = {uid: b" X-GM-LABELS " + text for uid, text in told.items()}
    for start in range(0, len(changed), _LINES_AT_ONCE):
        lines = []
        for uid, modseq, mask in changed[start : start + _LINES_AT_ONCE]:
            if number := numbers.number_of(uid):
                words = b"FLAGS (%b)%b" % (names[mask], labels.get(uid, b""))
                if session.knows_condstore:
                    words = b"MODSEQ (%d) %b" % (modseq, words)
                if session.uid_only:
                    lines.append(b"* %d UIDFETCH (%b)\r\n" % (uid, words))
                elif session.knows_condstore or session.watching is not None:  # RFC 7162 §3.2.4, RFC 5465 §5.1
                    lines.append(b"* %d FETCH (UID %d %b)\r\n" % (number, uid, words))
                else:
                    lines.append(b"* %d FETCH (%b)\r\n" % (number, words))
        await session.say(b"".join(lines))


async def tell_keywords(session: Session, view: MailboxView) -> None:
    """Announce the flags in use when there are others than last told."""
    if session.told_keywords != view.keywords:
        session.told_keywords = view.keywords
        await session.say(responses.flags_defined(flags_in_use(view)))


def flags_in_use(view: MailboxView) -> list[str]:
    """System flags, then the account's keywords."""
    return [*SYSTEM_FLAGS, *(name for _, name in view.keywords)]
