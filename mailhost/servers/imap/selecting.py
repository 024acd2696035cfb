"""SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE (RFC 9051 §6.3.2, §6.4.1-6.4.3, RFC 7162)."""

from contextlib import suppress
from dataclasses import dataclass, replace

from mailhost.mailstore.expunge import expunge
from mailhost.mailstore.flags import Keywords, load_keywords
from mailhost.mailstore.layout import clip
from mailhost.mailstore.mailboxes import load_mailbox
from mailhost.mailstore.model import MAX_UID, Mailbox, NoSuchMailbox, UidRange
from mailhost.mailstore.resync import Matches, changed_inside, shown_anew, vanished_since
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Close, Expunge, Resync, Select
from mailhost.protocols.imap.objects import mailbox_id
from mailhost.protocols.imap.rights import Right
from mailhost.protocols.imap.sets import Ranges
from mailhost.servers.imap.answers import UID_REQUIRED, Answer, completed
from mailhost.servers.imap.notices import flags_in_use, tell_flags
from mailhost.servers.imap.progress import Progress
from mailhost.servers.imap.reach import Reached, reach_selectable
from mailhost.servers.imap.rights import permanent_flags, right_for
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.view import MailboxView, ReadOnlyView
from mailhost.storage.database import Tx

EXPUNGED_AT_ONCE = 500
"""Then other writers pass."""


async def select(session: Session, command: Select) -> Answer:
    """SELECT and EXAMINE. A mailbox that was open is closed even when this one cannot be opened."""
    if command.resync is not None and not session.knows_qresync:
        return Answer("BAD", None, "The QRESYNC parameter needs ENABLE QRESYNC before it.")
    if session.uid_only and command.resync is not None and command.resync.matches is not None:
        return UID_REQUIRED
    if session.view is not None:
        leave(session)
        await session.say(responses.untagged("OK", "The mailbox open before is closed.", "CLOSED"))
    database = session.services.database
    news: Resynced | None = None
    limit = 0 if session.labels is None else session.labels.folder_limit
    read = database.read if limit else database.point  # one snapshot, where rows are counted
    opened = await read(_open, session.account_id, command, limit)
    if command.resync is not None:
        news = await _learn_from_known(session, command.resync, opened) if not limit else None
        if news is None:
            opened, news = await database.read(_open_again, session.account_id, command, limit, command.resync)
    reached, keywords, first_uid = opened
    mailbox, rights = reached.mailbox, reached.rights
    only_reads = command.read_only or session.is_read_only
    view = MailboxView(
        session.services.known, reached.account_id, mailbox, keywords, is_examined=only_reads, rights=rights
    )
    view.prefix = reached.place.prefix
    # Labels are names of mailboxes, of which those of others are hidden.
    view.shows_labels = session.labels is not None and view.is_own
    view.first_uid, view.utf8 = first_uid, session.connection.utf8
    view.is_clipped = bool(limit) and view.is_own
    session.open_view(view)
    session.told_keywords = keywords
    session.knows_condstore = session.knows_condstore or command.condstore
    session.connection.mailbox_selected()
    flags = flags_in_use(view)
    permanent = " ".join(() if view.is_read_only else permanent_flags(rights, keywords))
    await session.say(
        b"".join(
            (
                responses.flags_defined(flags),
                responses.untagged("OK", "Flags permitted.", f"PERMANENTFLAGS ({permanent})"),
                responses.untagged("OK", "UIDs valid.", f"UIDVALIDITY {mailbox.uid_validity}"),
                responses.exists(mailbox.messages),
                b"" if session.speaks_rev2 else b"* 0 RECENT\r\n",
                responses.untagged("OK", "Predicted next UID.", f"UIDNEXT {mailbox.uid_next}"),
                responses.untagged("OK", "Highest.", f"HIGHESTMODSEQ {mailbox.highest_modseq}"),
                responses.untagged("OK", "Its id.", f"MAILBOXID ({mailbox_id(view.account_id, mailbox.id)})"),
            )
        )
    )
    if session.speaks_rev2:
        uses = filter(None, [mailbox.special_use])
        await session.say(responses.list_line(uses, mailbox.name, utf8=True))
    if news is not None:
        await session.say(responses.vanished(news.vanished, earlier=True))
        await tell_flags(session, view, news.changed)
    if view.is_read_only:
        return Answer(
            "OK", "READ-ONLY", "EXAMINE completed." if command.read_only else "SELECT completed, to read only."
        )
    return Answer("OK", "READ-WRITE", "SELECT completed.")


Opened = tuple[Reached, Keywords, int]
"""A mailbox with its newest messages, the account's keywords, and the first UID of those messages."""


def _open(tx: Tx, account_id: int, command: Select, limit: int) -> Opened:
    reached = reach_selectable(tx, account_id, command.mailbox, right_for(command))
    mailbox, first_uid = clip(tx, reached.account_id, reached.mailbox, limit if reached.place.is_own else 0)
    return replace(reached, mailbox=mailbox), load_keywords(tx, reached.account_id), first_uid


@dataclass(frozen=True, slots=True)
class Resynced:
    """What happened in a mailbox since its client last knew it; `changed` holds (uid, modseq, flags)."""

    vanished: list[UidRange]
    changed: list[tuple[int, int, int]]


async def _learn_from_known(session: Session, client: Resync, opened: Opened) -> Resynced | None:
    """The same from what the process knows of the mailbox; None where that is nothing, or of another moment."""
    reached, services = opened[0], session.services
    mailbox = reached.mailbox
    if mailbox.uid_validity != client.uid_validity or not services.known.has(*reached.key):
        return None
    known = await services.known.present(*reached.key)
    if known is None or known.modseq != mailbox.highest_modseq:
        return None
    ranges, matches = _client_knows(client, mailbox)
    # Before anything is waited for, as the columns move on.
    places = known.changed_since(client.modseq, ranges)
    changed = [(known.uids[place], known.modseqs[place], known.flags[place]) for place in places]
    vanished: list[UidRange] = []
    if known.gone_modseq > client.modseq:
        vanished = await services.database.read(
            vanished_since,
            *reached.key,
            ranges,
            since=client.modseq,
            until=mailbox.highest_modseq,
            uid_next=mailbox.uid_next,
            matches=matches,
        )
    return Resynced(vanished, changed)


def _client_knows(client: Resync, mailbox: Mailbox) -> tuple[Ranges, Matches | None]:
    """The UIDs that a client asks about, and some of the sequence numbers it knew them under."""
    last_uid = mailbox.uid_next - 1
    ranges: Ranges = ((1, last_uid),) if client.known_uids is None else client.known_uids.resolve(last_uid)
    if client.matches is None:
        return ranges, None
    numbers, uids = client.matches
    return ranges, (numbers.resolve(mailbox.messages), uids.resolve(last_uid))


def _open_again(tx: Tx, account_id: int, command: Select, limit: int, client: Resync) -> tuple[Opened, Resynced]:
    """One snapshot, so that what is told and what the view counts from are the same moment."""
    opened = _open(tx, account_id, command, limit)
    account_id, mailbox = opened[0].account_id, opened[0].mailbox
    if mailbox.uid_validity != client.uid_validity:
        return opened, Resynced([], [])
    ranges, matches = _client_knows(client, mailbox)
    if limit and opened[0].place.is_own:
        vanished, changed = shown_anew(
            tx, account_id, mailbox.id, ranges, first_uid=opened[2], uid_next=mailbox.uid_next, limit=limit
        )
        return opened, Resynced(vanished, changed)
    vanished = vanished_since(
        tx,
        account_id,
        mailbox.id,
        ranges,
        since=client.modseq,
        until=mailbox.highest_modseq,
        uid_next=mailbox.uid_next,
        matches=matches,
    )
    changed = changed_inside(tx, account_id, mailbox.id, ranges, since=client.modseq, uid_next=mailbox.uid_next)
    return opened, Resynced(vanished, changed)


def leave(session: Session) -> None:
    """No mailbox is selected any more."""
    if session.watching is not None and session.view is not None:
        session.watching.resume(session.view)
    session.close_view()
    session.connection.mailbox_closed()


async def close(session: Session, command: Close) -> Answer:
    """CLOSE removes what is marked \\Deleted and tells nothing of it; UNSELECT removes nothing."""
    view = session.selected
    if command.expunges and not view.is_examined and view.rights & Right.EXPUNGE:
        with suppress(NoSuchMailbox):  # it was deleted meanwhile, and is left now
            async with Progress(session, command.tag):
                await _expunge(session, view, [(view.first_uid, view.uid_next - 1)])
    leave(session)
    return completed("CLOSE" if command.expunges else "UNSELECT")


async def expunge_deleted(session: Session, command: Expunge) -> Answer:
    """EXPUNGE and UID EXPUNGE; what is gone is told with the other news."""
    view = session.selected
    if view.is_read_only:
        raise ReadOnlyView
    if command.uids is None:
        ranges = [(view.first_uid, MAX_UID)]
    else:
        ranges = await view.uid_ranges(session.services.database, command.uids, by_uid=True)
    async with Progress(session, command.tag):
        await _expunge(session, view, ranges)
    return completed("EXPUNGE")


async def _expunge(session: Session, view: MailboxView, ranges: list[tuple[int, int]]) -> None:
    """Most CLOSEs have nothing to remove; the counter spares them a write."""
    services = session.services
    mailbox = await services.database.point(load_mailbox, view.account_id, view.mailbox_id)
    if not ranges or not mailbox.deleted:
        return
    now = int(services.clock())
    while True:
        uids = await services.database.write(
            expunge, view.account_id, view.mailbox_id, ranges, now, limit=EXPUNGED_AT_ONCE
        )
        if len(uids) < EXPUNGED_AT_ONCE:
            return
