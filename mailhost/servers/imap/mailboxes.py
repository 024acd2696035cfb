"""CREATE, DELETE, RENAME, SUBSCRIBE, STATUS (RFC 9051 §6.3, RFC 8474)."""

from mailhost.mailstore.emptying import delete_mailbox, empty_more, rename_inbox
from mailhost.mailstore.layout import clip
from mailhost.mailstore.mailboxes import (
    create_mailbox,
    find_mailbox,
    find_selectable,
    octets_of_deleted,
    rename_mailbox,
    subscribe,
    unsubscribe,
)
from mailhost.mailstore.model import INBOX, Mailbox, SpecialUseRefused
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import (
    Create,
    Delete,
    Rename,
    Status,
    StatusItem,
    Subscribe,
)
from mailhost.protocols.imap.objects import mailbox_id
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.progress import Progress
from mailhost.servers.imap.selecting import leave
from mailhost.servers.imap.session import Session
from mailhost.storage.database import Tx


async def create(session: Session, command: Create) -> Answer:
    """CREATE, with the levels above it."""
    if len(command.special_uses) > 1:
        raise SpecialUseRefused("A mailbox has one special use here.")
    special_use = "".join(command.special_uses)
    created = await session.services.database.write(create_mailbox, session.account_id, command.mailbox, special_use)
    return Answer("OK", f"MAILBOXID ({mailbox_id(session.account_id, created.id)})", "CREATE completed.")


async def delete(session: Session, command: Delete) -> Answer:
    """DELETE; a mailbox this session has selected is closed by it."""
    services = session.services
    view = session.view
    now = int(services.clock())
    async with Progress(session, command.tag):
        deleted, is_unfinished = await services.database.write(_delete, session.account_id, command.mailbox, now)
        if is_unfinished:
            await _go_on(session, now)
    if view is not None and view.mailbox_id == deleted:
        leave(session)
    return completed("DELETE")


async def _go_on(session: Session, now: int) -> None:
    """Do in steps what the first transaction left; if anything stops us, maintenance goes on with it."""
    while await session.services.database.write(empty_more, session.account_id, now):
        pass


def _delete(tx: Tx, account_id: int, name: str, now: int) -> tuple[int, bool]:
    """Returns the id of the mailbox deleted, and whether messages are left."""
    mailbox = find_mailbox(tx, account_id, name)
    return mailbox.id, delete_mailbox(tx, account_id, name, now)


async def rename(session: Session, command: Rename) -> Answer:
    """RENAME; INBOX stays and its messages move to a new mailbox."""
    services = session.services
    now = int(services.clock())
    if command.mailbox == INBOX:
        async with Progress(session, command.tag):
            if await services.database.write(rename_inbox, session.account_id, command.new_name, now):
                await _go_on(session, now)
        return completed("RENAME")
    async with Progress(session, command.tag):
        renamed = await services.database.write(_rename, session.account_id, command.mailbox, command.new_name)
    if session.speaks_rev2:
        uses = filter(None, [renamed.special_use])
        await session.say(responses.list_line(uses, renamed.name, utf8=True, old_name=command.mailbox))
    return completed("RENAME")


def _rename(tx: Tx, account_id: int, name: str, new_name: str) -> Mailbox:
    """The mailbox under its new name."""
    rename_mailbox(tx, account_id, name, new_name)
    return find_mailbox(tx, account_id, new_name)


async def change_subscription(session: Session, command: Subscribe) -> Answer:
    """SUBSCRIBE and UNSUBSCRIBE, of a name that need not exist."""
    work = subscribe if command.subscribed else unsubscribe
    await session.services.database.write(work, session.account_id, command.mailbox)
    return completed("SUBSCRIBE" if command.subscribed else "UNSUBSCRIBE")


async def tell_status(session: Session, command: Status) -> Answer:
    """STATUS, from counters."""
    mailbox = await session.services.database.point(find_selectable, session.account_id, command.mailbox)
    if StatusItem.HIGHESTMODSEQ in command.items:
        session.knows_condstore = True
    await say_status(session, session.account_id, mailbox, command.items)
    return completed("STATUS")


async def say_status(session: Session, account_id: int, mailbox: Mailbox, items: tuple[StatusItem, ...]) -> None:
    """The STATUS response for a mailbox, also behind LIST."""
    if session.labels is not None:
        mailbox, _ = await session.services.database.point(clip, account_id, mailbox, session.labels.folder_limit)
    deleted_octets = 0
    if StatusItem.DELETED_STORAGE in items and mailbox.deleted:
        # No counter is kept of it: hardly anybody asks, and every STORE would have to sum sizes.
        deleted_octets = await session.services.database.read(octets_of_deleted, account_id, mailbox.id)
    values: dict[StatusItem, int | str] = {
        StatusItem.MESSAGES: mailbox.messages,
        StatusItem.RECENT: 0,
        StatusItem.UIDNEXT: mailbox.uid_next,
        StatusItem.UIDVALIDITY: mailbox.uid_validity,
        StatusItem.UNSEEN: mailbox.unseen,
        StatusItem.HIGHESTMODSEQ: mailbox.highest_modseq,
        StatusItem.SIZE: mailbox.octets,
        StatusItem.DELETED: mailbox.deleted,
        StatusItem.DELETED_STORAGE: deleted_octets,
        StatusItem.APPENDLIMIT: session.services.settings.append_limit,
        StatusItem.MAILBOXID: f"({mailbox_id(account_id, mailbox.id)})",
    }
    line = responses.status(mailbox.name, {item: values[item] for item in items}, utf8=session.connection.utf8)
    await session.say(line)
