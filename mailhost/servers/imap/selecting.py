"""SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE (RFC 9051 §6.3.2, §6.4.1-6.4.3, RFC 7162 §3.1)."""

from mailhost.mailstore.expunge import expunge
from mailhost.mailstore.flags import Keywords, load_keywords
from mailhost.mailstore.mailboxes import find_selectable, load_mailbox
from mailhost.mailstore.model import MAX_UID, Mailbox
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Close, Expunge, Select
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.notices import flags_in_use
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.view import MailboxView, ReadOnlyView
from mailhost.storage.database import Tx


async def select(session: Session, command: Select) -> Answer:
    """SELECT and EXAMINE. A mailbox that was open is closed even when this one cannot be opened."""
    if session.view is not None:
        leave(session)
        await session.say(responses.untagged("OK", "The mailbox open before is closed.", "CLOSED"))
    mailbox, keywords = await session.services.database.point(_open, session.account_id, command.mailbox)
    view = MailboxView(session.account_id, mailbox, keywords, is_read_only=command.read_only)
    session.view = view
    session.told_keywords = keywords
    session.knows_condstore = session.knows_condstore or command.condstore
    session.connection.mailbox_selected()
    flags = flags_in_use(view)
    permanent = " ".join([] if view.is_read_only else [*flags, "\\*"])
    await session.say(
        b"".join(
            (
                responses.flags_defined(flags),
                responses.untagged("OK", "Flags permitted.", f"PERMANENTFLAGS ({permanent})"),
                responses.untagged("OK", "UIDs valid.", f"UIDVALIDITY {mailbox.uid_validity}"),
                responses.exists(mailbox.messages),
                b"* 0 RECENT\r\n",
                responses.untagged("OK", "Predicted next UID.", f"UIDNEXT {mailbox.uid_next}"),
                responses.untagged("OK", "Highest.", f"HIGHESTMODSEQ {mailbox.highest_modseq}"),
            )
        )
    )
    if view.is_read_only:
        return Answer("OK", "READ-ONLY", "EXAMINE completed.")
    return Answer("OK", "READ-WRITE", "SELECT completed.")


def _open(tx: Tx, account_id: int, name: str) -> tuple[Mailbox, Keywords]:
    return find_selectable(tx, account_id, name), load_keywords(tx, account_id)


def leave(session: Session) -> None:
    """No mailbox is selected any more."""
    session.view = None
    session.connection.mailbox_closed()


async def close(session: Session, command: Close) -> Answer:
    """CLOSE removes what is marked \\Deleted and tells nothing of it; UNSELECT removes nothing."""
    view = session.selected
    if command.expunges and not view.is_read_only:
        await _expunge(session, view, [(1, view.uid_next - 1)])
    leave(session)
    return completed("CLOSE" if command.expunges else "UNSELECT")


async def expunge_deleted(session: Session, command: Expunge) -> Answer:
    """EXPUNGE and UID EXPUNGE; the EXPUNGE responses are told with the other news."""
    view = session.selected
    if view.is_read_only:
        raise ReadOnlyView
    if command.uids is None:
        ranges = [(1, MAX_UID)]
    else:
        ranges = await view.uid_ranges(session.services.database, command.uids, by_uid=True)
    await _expunge(session, view, ranges)
    return completed("EXPUNGE")


async def _expunge(session: Session, view: MailboxView, ranges: list[tuple[int, int]]) -> None:
    """Most CLOSEs have nothing to remove; the counter spares them a write."""
    services = session.services
    mailbox = await services.database.point(load_mailbox, view.account_id, view.mailbox_id)
    if ranges and mailbox.deleted:
        now = int(services.clock())
        await services.database.write(expunge, view.account_id, view.mailbox_id, ranges, now)
