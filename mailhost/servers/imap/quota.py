"""GETQUOTA, GETQUOTAROOT, SETQUOTA: one root an account, in octets and in messages (RFC 9208)."""

from typing import Final

from mailhost import accounts, domains
from mailhost.accounts import Account
from mailhost.login.enrol import account_at
from mailhost.mailstore.account import set_quota, usage
from mailhost.mailstore.model import NoSuchAccount, Usage
from mailhost.mailstore.sharing import shared_with
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import GetQuota, GetQuotaRoot, SetQuota
from mailhost.protocols.imap.rights import Right
from mailhost.servers.imap.answers import Answer, NoPermission, completed
from mailhost.servers.imap.reach import NOT_AN_ACCOUNT, reach
from mailhost.servers.imap.rights import right_for
from mailhost.servers.imap.session import Session
from mailhost.storage.database import Tx

OWN_ROOT: Final = ""
"""The root of one's own account; that of another is its address."""

_UNIT: Final = 1024
_NO_ROOT: Final = Answer("NO", "NONEXISTENT", "There is no such quota root, or it is not yours to see.")


async def tell_quota(session: Session, command: GetQuota) -> Answer:
    """GETQUOTA of one's own account, of those whose mailboxes one reads, and for an administrator of all the domain."""
    database = session.services.database
    try:
        used = await database.point(_usage_of_root, session.account_id, command.root)
    except (NoSuchAccount, NoPermission):
        return _NO_ROOT
    await session.say(_quota(command.root, used))
    return completed("GETQUOTA")


async def tell_quota_root(session: Session, command: GetQuotaRoot) -> Answer:
    """GETQUOTAROOT; Thunderbird asks at each SELECT."""
    name, root, used = await session.services.database.point(_find_root, session.account_id, command)
    await session.say(responses.quota_root(name, [root], utf8=session.connection.utf8))
    await session.say(_quota(root, used))
    return completed("GETQUOTAROOT")


async def change_quota(session: Session, command: SetQuota) -> Answer:
    """SETQUOTA, for the administrator of the account's domain. Limits that are not named end."""
    limits = dict(command.limits)
    storage = limits.pop("STORAGE", None)
    messages = limits.pop("MESSAGE", None)
    if limits:
        return Answer("NO", "CANNOT", "STORAGE and MESSAGE are what can be limited here.")
    if storage is None or storage > MAX_STORAGE:
        return Answer("NO", "CANNOT", f"Name a limit for STORAGE, at most {MAX_STORAGE}: an account has one here.")
    database = session.services.database
    used = await database.write(_set_quota, session.account_id, command.root, storage * _UNIT, messages)
    await session.say(_quota(command.root, used))
    return completed("SETQUOTA")


MAX_STORAGE: Final = 2**50
"""In units of 1,024 octets: no account is larger than this, and sums stay in 63 bits."""


def _quota(root: str, used: Usage) -> bytes:
    resources = {"STORAGE": (-(-used.used_octets // _UNIT), used.quota_octets // _UNIT)}
    if used.quota_messages is not None:
        resources["MESSAGE"] = (used.used_messages, used.quota_messages)
    return responses.quota(root, resources)


def _find_root(tx: Tx, account_id: int, command: GetQuotaRoot) -> tuple[str, str, Usage]:
    """The mailbox's name, its root, and how full that is."""
    reached = reach(tx, account_id, command.mailbox, right_for(command))
    root = OWN_ROOT if reached.place.is_own else accounts.get_account(tx, reached.account_id).address
    return reached.mailbox.name, root, usage(tx, reached.account_id)


def _usage_of_root(tx: Tx, account_id: int, root: str) -> Usage:
    """Raises NoSuchAccount, NoPermission."""
    if root == OWN_ROOT:
        return usage(tx, account_id)
    owner = _account_of_root(tx, account_id, root)
    reads = any(rights & Right.READ for rights in shared_with(tx, account_id).get(owner.id, {}).values())
    if owner.id != account_id and not reads and not administers(tx, account_id, owner):
        raise NoPermission
    return usage(tx, owner.id)


def _set_quota(tx: Tx, account_id: int, root: str, octets: int, messages: int | None) -> Usage:
    """Raises NoPermission, also where there is no such root: who may not change it need not learn which there are."""
    owner = _account_of_root(tx, account_id, root)
    if not administers(tx, account_id, owner):
        raise NoPermission("Only the administrator of the domain sets quotas.")
    set_quota(tx, owner.id, octets, messages)
    return usage(tx, owner.id)


def _account_of_root(tx: Tx, account_id: int, root: str) -> Account:
    """Raises NoPermission."""
    if root == OWN_ROOT:
        return accounts.get_account(tx, account_id)
    try:
        return account_at(tx, root)
    except NOT_AN_ACCOUNT as error:
        raise NoPermission("Only the administrator of the domain sets quotas.") from error


def administers(tx: Tx, account_id: int, owner: Account) -> bool:
    """Whether the account is the administrator of the owner's domain."""
    return domains.get_domain(tx, owner.domain_id).administrator_id == account_id
