"""SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS: who may use a mailbox (RFC 4314 §3)."""

from typing import Final, assert_never

from mailhost import accounts
from mailhost.login.enrol import account_at
from mailhost.mailstore.account import EVERYBODY
from mailhost.mailstore.model import NoSuchMailbox
from mailhost.mailstore.sharing import change_rights, list_grants
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import (
    AccessCommand,
    DeleteAcl,
    GetAcl,
    ListRights,
    MyRights,
    RightsMode,
    SetAcl,
)
from mailhost.protocols.imap.rights import ALL_RIGHTS, NO_RIGHTS, Right
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.reach import NOT_AN_ACCOUNT, Reached, reach
from mailhost.servers.imap.rights import SEES, right_for
from mailhost.servers.imap.session import Session
from mailhost.storage.database import Tx

ANYONE: Final = "anyone"
"""Everybody who has an account on this server; nobody comes in without one."""


async def obey(session: Session, command: AccessCommand) -> Answer:
    """Commands about rights."""
    match command:
        case SetAcl():
            return await _set(session, command, "SETACL")
        case DeleteAcl(tag, mailbox, identifier, is_negative):
            nothing = SetAcl(tag, mailbox, identifier, is_negative, RightsMode.REPLACE, NO_RIGHTS)
            return await _set(session, nothing, "DELETEACL")
        case GetAcl():
            return await _tell_acl(session, command)
        case ListRights():
            return await _tell_possible(session, command)
        case MyRights():
            return await _tell_own(session, command)
        case _:
            assert_never(command)


async def _set(session: Session, command: SetAcl, name: str) -> Answer:
    refusal = await session.services.database.write(_change, session.account_id, command)
    return refusal or completed(name)


def _change(tx: Tx, account_id: int, command: SetAcl) -> Answer | None:
    reached = reach(tx, account_id, command.mailbox, right_for(command))
    grantee_id = _grantee(tx, command.identifier)
    if grantee_id is None:
        return _unknown(command.identifier)
    if grantee_id == reached.account_id:
        return Answer("NO", "CANNOT", "Nobody can give or take rights on a mailbox to or from its owner.")
    change_rights(
        tx,
        reached.account_id,
        reached.mailbox.id,
        grantee_id,
        command.rights,
        command.mode,
        is_negative=command.is_negative,
    )
    return None


async def _tell_acl(session: Session, command: GetAcl) -> Answer:
    reached, entries = await session.services.database.read(_read_acl, session.account_id, command)
    await session.say(responses.acl(reached.mailbox.name, entries, utf8=session.connection.utf8))
    return completed("GETACL")


def _read_acl(tx: Tx, account_id: int, command: GetAcl) -> tuple[Reached, list[tuple[str, Right]]]:
    reached = reach(tx, account_id, command.mailbox, right_for(command))
    entries = [(accounts.get_account(tx, reached.account_id).address, ALL_RIGHTS)]
    for grant in list_grants(tx, reached.account_id, reached.mailbox.id):
        identifier = ANYONE if grant.grantee_id == EVERYBODY else accounts.get_account(tx, grant.grantee_id).address
        if grant.granted:
            entries.append((identifier, grant.granted))
        if grant.denied:
            entries.append((f"-{identifier}", grant.denied))
    return reached, entries


async def _tell_possible(session: Session, command: ListRights) -> Answer:
    """Each right can be granted by itself; the owner has all of them always."""
    reached, grantee_id = await session.services.database.read(_reach_for, session.account_id, command)
    if grantee_id is None:
        return _unknown(command.identifier)
    always = ALL_RIGHTS if grantee_id == reached.account_id else NO_RIGHTS
    identifier = f"-{command.identifier}" if command.is_negative else command.identifier
    await session.say(responses.list_rights(reached.mailbox.name, identifier, always, utf8=session.connection.utf8))
    return completed("LISTRIGHTS")


def _reach_for(tx: Tx, account_id: int, command: ListRights) -> tuple[Reached, int | None]:
    return reach(tx, account_id, command.mailbox, right_for(command)), _grantee(tx, command.identifier)


async def _tell_own(session: Session, command: MyRights) -> Answer:
    reached = await session.services.database.point(reach, session.account_id, command.mailbox, right_for(command))
    if not reached.rights & SEES:
        raise NoSuchMailbox
    await session.say(responses.my_rights(reached.mailbox.name, reached.rights, utf8=session.connection.utf8))
    return completed("MYRIGHTS")


def _grantee(tx: Tx, identifier: str) -> int | None:
    """The account meant, EVERYBODY, or None for nobody here."""
    if identifier.lower() == ANYONE:
        return EVERYBODY
    try:
        return account_at(tx, identifier).id
    except NOT_AN_ACCOUNT:
        return None


def _unknown(identifier: str) -> Answer:
    return Answer("NO", None, f"There is no account {identifier} here; rights are given to addresses, or to anyone.")
