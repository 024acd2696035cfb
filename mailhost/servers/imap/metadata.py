"""GETMETADATA and SETMETADATA: annotations of mailboxes and of the server (RFC 5464)."""

from collections.abc import Mapping
from typing import Final

from mailhost import accounts, domains
from mailhost.mailstore.annotations import (
    NO_ACCOUNT,
    SERVER,
    annotate_mailbox,
    annotate_server,
    annotations,
)
from mailhost.mailstore.mailboxes import change_special_use
from mailhost.mailstore.model import Mailbox, SpecialUseRefused
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import GetMetadata, MetadataCommand, SetMetadata
from mailhost.protocols.imap.rights import Right
from mailhost.servers.imap.answers import Answer, NoPermission, completed
from mailhost.servers.imap.reach import Reached, reach
from mailhost.servers.imap.rights import right_for
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.watching import SERVER_KEY
from mailhost.storage.database import Tx

SPECIAL_USE: Final = "/private/specialuse"
"""What LIST shows as special use can be read and changed here, too (RFC 6154 §4)."""

_ADMIN: Final = "/shared/admin"
_SEES: Final = Right.LOOKUP | Right.READ


async def obey(session: Session, command: MetadataCommand) -> Answer:
    """Commands about annotations."""
    session.knows_metadata = True
    if isinstance(command, GetMetadata):
        return await _tell(session, command)
    return await _set(session, command)


async def _tell(session: Session, command: GetMetadata) -> Answer:
    name, known = await session.services.database.read(_read, session.account_id, command)
    values = _chosen(known, command)
    sizes = [len(value) for value in values.values() if value is not None]
    too_long = [size for size in sizes if command.max_size is not None and size > command.max_size]
    told = {
        entry: value
        for entry, value in values.items()
        if value is None or command.max_size is None or len(value) <= command.max_size
    }
    if told:
        await session.say(responses.metadata(name, told, utf8=session.connection.utf8))
    code = f"METADATA LONGENTRIES {max(too_long)}" if too_long else None
    return Answer("OK", code, "GETMETADATA completed.")


def _read(tx: Tx, account_id: int, command: GetMetadata) -> tuple[str, dict[str, bytes]]:
    if not command.mailbox:
        return "", _of_server(tx, account_id)
    reached = reach(tx, account_id, command.mailbox, right_for(command))
    return reached.mailbox.name, of_mailbox(tx, account_id, reached)


def of_mailbox(tx: Tx, account_id: int, reached: Reached) -> dict[str, bytes]:
    """The entries of a mailbox that the account may see."""
    if _SEES & ~reached.rights:
        return {}
    known = annotations(tx, reached.account_id, reached.mailbox.id, account_id)
    if reached.mailbox.special_use:
        known[SPECIAL_USE] = reached.mailbox.special_use.encode()
    return known


def _of_server(tx: Tx, account_id: int) -> dict[str, bytes]:
    """What the account noted of the server, and what its domain's administrator says of it."""
    domain = domains.get_domain(tx, accounts.get_account(tx, account_id).domain_id)
    known = {_ADMIN: f"mailto:postmaster@{domain.name}".encode()}
    known |= annotations(tx, NO_ACCOUNT, domain.id, account_id)
    return known | annotations(tx, account_id, SERVER, account_id)


def _chosen(known: Mapping[str, bytes], command: GetMetadata) -> dict[str, bytes | None]:
    """Entries by name, and those below them as deep as DEPTH goes; one that is asked for alone and not there is NIL."""
    chosen: dict[str, bytes | None] = {}
    for entry in command.entries:
        if command.depth == 0:
            chosen[entry] = known.get(entry)
            continue
        for name, value in known.items():
            below = name[len(entry) + 1 :]
            is_below = name.startswith(entry + "/") and (command.depth is None or "/" not in below)
            if name == entry or is_below:
                chosen[name] = value
    return chosen


async def _set(session: Session, command: SetMetadata) -> Answer:
    database, view = session.services.database, session.view
    if not command.mailbox:
        await database.write(_set_of_server, session.account_id, command)
        if session.watching is not None:
            session.watching.note_own_entries(SERVER_KEY, command.values)
        return completed("SETMETADATA")
    place, before, after = await database.write(_set_of_mailbox, session.account_id, command)
    if session.watching is not None:
        session.watching.note_own_entries(place, command.values)
    if view is not None and (view.account_id, view.mailbox_id) == place and before <= view.modseq:
        view.modseq = max(view.modseq, after)  # the client knows what it has set
    return completed("SETMETADATA")


def _set_of_server(tx: Tx, account_id: int, command: SetMetadata) -> None:
    shared = {entry: value for entry, value in command.values.items() if entry.startswith("/shared/")}
    private = {entry: value for entry, value in command.values.items() if entry not in shared}
    if shared:
        domain = domains.get_domain(tx, accounts.get_account(tx, account_id).domain_id)
        if domain.administrator_id != account_id:
            raise NoPermission("Only the administrator of the domain changes what the server says to all.")
        annotate_server(tx, NO_ACCOUNT, domain.id, 0, shared)
    if private:
        annotate_server(tx, account_id, SERVER, account_id, private)


def _set_of_mailbox(tx: Tx, account_id: int, command: SetMetadata) -> tuple[tuple[int, int], int, int]:
    """The account and id of the mailbox, and its modseq before and after."""
    reached = reach(tx, account_id, command.mailbox, right_for(command))
    mailbox: Mailbox = reached.mailbox
    values = dict(command.values)
    if SPECIAL_USE in values:
        if not reached.place.is_own:
            raise SpecialUseRefused("Only the owner of a mailbox gives it a special use.")
        use = (values.pop(SPECIAL_USE) or b"").decode("ascii", "replace")
        change_special_use(tx, account_id, mailbox.id, use)
    before, after = annotate_mailbox(tx, reached.account_id, mailbox.id, account_id, values)
    return (reached.account_id, mailbox.id), before, after
