"""CREATE, DELETE, RENAME, SUBSCRIBE, STATUS (RFC 9051 §6.3, RFC 8474)."""

from collections.abc import Callable
from operator import attrgetter
from typing import Final

from mailhost.mailstore.emptying import delete_mailbox, empty_more, rename_inbox
from mailhost.mailstore.layout import clip
from mailhost.mailstore.mailboxes import (
    create_mailbox,
    list_mailboxes,
    octets_of_deleted,
    rename_mailbox,
    subscribe,
    unsubscribe,
)
from mailhost.mailstore.model import INBOX, BadMailboxName, Mailbox, SpecialUseRefused
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
from mailhost.servers.imap.answers import Answer, NoPermission, completed
from mailhost.servers.imap.notices import learn_condstore
from mailhost.servers.imap.progress import Progress
from mailhost.servers.imap.reach import reach, reach_new, reach_selectable
from mailhost.servers.imap.rights import right_for
from mailhost.servers.imap.selecting import leave
from mailhost.servers.imap.session import Session
from mailhost.storage.database import Tx

COUNTERS: Final[dict[StatusItem, Callable[[Mailbox], int]]] = {
    StatusItem.MESSAGES: attrgetter("messages"),
    StatusItem.UIDNEXT: attrgetter("uid_next"),
    StatusItem.UIDVALIDITY: attrgetter("uid_validity"),
    StatusItem.UNSEEN: attrgetter("unseen"),
    StatusItem.HIGHESTMODSEQ: attrgetter("highest_modseq"),
    StatusItem.SIZE: attrgetter("octets"),
    StatusItem.DELETED: attrgetter("deleted"),
}
"""Where the mailbox itself says what STATUS asks."""


async def create(session: Session, command: Create) -> Answer:
    """CREATE, with the levels above it."""
    if len(command.special_uses) > 1:
        raise SpecialUseRefused("A mailbox has one special use here.")
    account_id, created = await session.services.database.write(_create, session.account_id, command)
    if session.speaks_rev2 and created.name != command.mailbox:
        uses = filter(None, [created.special_use])
        await session.say(responses.list_line(uses, created.name, utf8=True, old_name=command.mailbox))
    return Answer("OK", f"MAILBOXID ({mailbox_id(account_id, created.id)})", "CREATE completed.")


def _create(tx: Tx, account_id: int, command: Create) -> tuple[int, Mailbox]:
    """The account, and the new mailbox under its name, which the gmail layout may have changed."""
    place = reach_new(tx, account_id, command.mailbox)
    if command.special_uses and not place.is_own:
        raise SpecialUseRefused("Only the owner of a mailbox gives it a special use.")
    created = create_mailbox(tx, place.account_id, place.name, "".join(command.special_uses))
    return place.account_id, place.shown(created)


async def delete(session: Session, command: Delete) -> Answer:
    """DELETE; a mailbox this session has selected is closed by it."""
    services = session.services
    view = session.view
    now = int(services.clock())
    async with Progress(session, command.tag):
        deleted, is_unfinished = await services.database.write(_delete, session.account_id, command, now)
        if is_unfinished:
            await _go_on(session, deleted[0], now)
    if view is not None and (view.account_id, view.mailbox_id) == deleted:
        leave(session)
    return completed("DELETE")


async def _go_on(session: Session, account_id: int, now: int) -> None:
    """Do in steps what the first transaction left; if anything stops us, maintenance goes on with it."""
    while await session.services.database.write(empty_more, account_id, now):
        pass


def _delete(tx: Tx, account_id: int, command: Delete, now: int) -> tuple[tuple[int, int], bool]:
    """Returns the account and the id of the mailbox deleted, and whether messages are left."""
    reached = reach(tx, account_id, command.mailbox, right_for(command))
    is_unfinished = delete_mailbox(tx, reached.account_id, reached.place.name, now)
    return (reached.account_id, reached.mailbox.id), is_unfinished


async def rename(session: Session, command: Rename) -> Answer:
    """RENAME; INBOX stays and its messages move to a new mailbox."""
    services = session.services
    now = int(services.clock())
    if command.mailbox == INBOX:
        async with Progress(session, command.tag):
            if await services.database.write(rename_inbox, session.account_id, command.new_name, now):
                await _go_on(session, session.account_id, now)
        return completed("RENAME")
    async with Progress(session, command.tag):
        renamed = await services.database.write(_rename, session.account_id, command)
    if session.speaks_rev2:
        attributes = filter(None, ["" if renamed.is_selectable else "\\Noselect", renamed.special_use])
        await session.say(responses.list_line(attributes, renamed.name, utf8=True, old_name=command.mailbox))
    return completed("RENAME")


def _rename(tx: Tx, account_id: int, command: Rename) -> Mailbox:
    """The mailbox under its new name, which the gmail layout may have changed."""
    reached = reach(tx, account_id, command.mailbox, right_for(command))
    new = reach_new(tx, account_id, command.new_name)
    if new.account_id != reached.account_id:
        raise BadMailboxName("A mailbox stays in its account; copy the messages instead.")
    if reached.place.name == INBOX:
        raise NoPermission("Only its owner renames an INBOX.")
    rename_mailbox(tx, new.account_id, reached.place.name, new.name)
    renamed = next(each for each in list_mailboxes(tx, new.account_id) if each.id == reached.mailbox.id)
    return new.shown(renamed)


async def change_subscription(session: Session, command: Subscribe) -> Answer:
    """SUBSCRIBE and UNSUBSCRIBE, of a name that need not exist."""
    work = subscribe if command.subscribed else unsubscribe
    await session.services.database.write(work, session.account_id, command.mailbox)
    return completed("SUBSCRIBE" if command.subscribed else "UNSUBSCRIBE")


async def tell_status(session: Session, command: Status) -> Answer:
    """STATUS, from counters."""
    database = session.services.database
    reached = await database.point(reach_selectable, session.account_id, command.mailbox, right_for(command))
    await say_status(session, reached.account_id, reached.mailbox, command.items)
    return completed("STATUS")


async def say_status(session: Session, account_id: int, mailbox: Mailbox, items: tuple[StatusItem, ...]) -> None:
    """The STATUS response for a mailbox, also behind LIST."""
    if StatusItem.HIGHESTMODSEQ in items:
        await learn_condstore(session)  # RFC 7162 §3.1, and LIST is like as many STATUS (RFC 5819 §2)
    mailbox = await shown(session, account_id, mailbox)
    values = {
        item: COUNTERS[item](mailbox) if item in COUNTERS else await _look_up(session, account_id, mailbox, item)
        for item in items
    }
    await session.say(responses.status(mailbox.name, values, utf8=session.connection.utf8))


async def shown(session: Session, account_id: int, mailbox: Mailbox) -> Mailbox:
    """The mailbox with the counters of what this client is shown of it: its newest messages, if the owner says so."""
    if session.labels is None or account_id != session.account_id:
        return mailbox
    clipped, _ = await session.services.database.point(clip, account_id, mailbox, session.labels.folder_limit)
    return clipped


async def _look_up(session: Session, account_id: int, mailbox: Mailbox, item: StatusItem) -> int | str:
    """What no counter of the mailbox tells."""
    services = session.services
    match item:
        case StatusItem.DELETED_STORAGE:
            # Hardly anybody asks for it, and every STORE would have to sum sizes.
            return await services.database.read(octets_of_deleted, account_id, mailbox.id) if mailbox.deleted else 0
        case StatusItem.APPENDLIMIT:
            return services.settings.append_limit
        case StatusItem.MAILBOXID:
            return f"({mailbox_id(account_id, mailbox.id)})"
        case _:  # RECENT, which nothing is
            return 0
