"""Whom an envelope address reaches here: decided for each RCPT, before a byte of the message is taken."""

from typing import Final

from mailhost.accounts.model import Account, AccountState, BadLocalPart
from mailhost.accounts.names import normalise_local_part
from mailhost.accounts.sql import find_account, first_account_of, get_account
from mailhost.delivery.model import NoSuchUser, NotOurs, Recipient, RecipientFull, RecipientSuspended
from mailhost.delivery.sql import account_with_room
from mailhost.domains.model import BadDomainName, Domain
from mailhost.domains.names import normalise_domain
from mailhost.domains.sql import find_domain, list_domains
from mailhost.mailstore.account import usage
from mailhost.mailstore.model import NoSuchAccount
from mailhost.protocols.smtp.addresses import Address
from mailhost.storage.database import Tx

ROLES: Final = frozenset({"postmaster", "abuse"})
"""Names every domain must answer to (RFC 5321 §4.5.1, RFC 2142); their mail goes to the domain's administrator."""


def route(tx: Tx, address: Address) -> Recipient:
    """The account an address reaches. Raises NotOurs, NoSuchUser, RecipientSuspended, RecipientFull."""
    account_id = _with_room(tx, address)
    return _reason_to_take(tx, address) if account_id is None else Recipient(account_id, address)


def _with_room(tx: Tx, address: Address) -> int | None:
    """The usual case in one look: a live account with room, by its own name or a plus-address of it."""
    try:
        name = normalise_local_part(address.local).partition("+")[0]
        return account_with_room(tx, f"{name}@{normalise_domain(address.domain)}") if address.domain else None
    except (BadLocalPart, BadDomainName):
        return None


def _reason_to_take(tx: Tx, address: Address) -> Recipient:
    """All the other cases, each with its own answer."""
    domain = _our_domain(tx, address)
    if domain is None:
        raise NotOurs(str(address))
    try:
        name = normalise_local_part(address.local).partition("+")[0]
    except BadLocalPart:
        raise NoSuchUser(str(address)) from None
    account = find_account(tx, f"{name}@{domain.name}")
    is_suspended = account is not None and account.state is AccountState.SUSPENDED
    if name in ROLES and (account is None or is_suspended):
        account = _administrator(tx, domain)
    elif is_suspended:
        raise RecipientSuspended(str(address))
    if account is None:
        raise NoSuchUser(str(address))
    try:
        used = usage(tx, account.id)
    except NoSuchAccount:  # the account is being removed
        raise NoSuchUser(str(address)) from None
    if used.free_octets <= 0 or used.free_messages <= 0:
        raise RecipientFull(str(address))
    return Recipient(account.id, address)


def is_ours(tx: Tx, address: Address) -> bool:
    """Whether mail to this address stays here, whoever it is for."""
    return _our_domain(tx, address) is not None


def belongs_to(owner: str, address: Address) -> bool:
    """Whether an address is that of the account `owner` (normalised), or a plus-address of it."""
    try:
        local = normalise_local_part(address.local).partition("+")[0]
        return f"{local}@{normalise_domain(address.domain)}" == owner
    except (BadLocalPart, BadDomainName):
        return False


def administrator_of(tx: Tx) -> Account | None:
    """Who answers for the server: the postmaster of the first domain."""
    first = next(iter(list_domains(tx, at_most=1)), None)
    if first is None:
        return None
    return find_account(tx, f"postmaster@{first.name}") or _administrator(tx, first)


def _our_domain(tx: Tx, address: Address) -> Domain | None:
    if not address.domain:  # `<postmaster>` alone: the server's own
        return next(iter(list_domains(tx, at_most=1)), None)
    try:
        return find_domain(tx, normalise_domain(address.domain))
    except BadDomainName:
        return None


def _administrator(tx: Tx, domain: Domain) -> Account | None:
    """Who answers for a domain; for one without accounts, who answers for the first that has some."""
    if domain.administrator_id is None and (oldest := first_account_of(tx, domain.id)) is not None:
        return oldest
    for one in (domain, *list_domains(tx)):
        if one.administrator_id is not None:
            return get_account(tx, one.administrator_id)
    return None
