"""Who gets an account here and who leaves: the account, its mail store and its credentials in one transaction."""

from typing import Final

from mailhost import accounts, domains, mailstore, oauth
from mailhost.accounts import Account, AppPassword, Ended, NoSuchAccount, Scope, TwoStepMissing
from mailhost.crypto import SecretKey, grouped, new_app_password
from mailhost.domains import BadDomainName, Domain, NoSuchDomain, normalise_domain
from mailhost.errors import MailhostError
from mailhost.login.lookup import APP_PASSWORD
from mailhost.mailstore import Layout
from mailhost.storage.database import Tx

MIN_PASSWORD_LENGTH: Final = 8
MAX_PASSWORD_LENGTH: Final = 256


class UnfitPassword(MailhostError):
    """The text cannot be an account password; the message says why."""


def read_address(text: str) -> tuple[str, str]:
    """(local part, domain) of an address, normalised. Raises BadLocalPart or BadDomainName."""
    local_part, at, domain = text.strip().rpartition("@")
    if not at:
        raise BadDomainName(f"{text!r} is no whole address: it has no @.")
    return accounts.normalise_local_part(local_part), normalise_domain(domain)


def check_new_password(password: str) -> None:
    """Refuse an account password that is too short to keep or too long to type. Raises UnfitPassword."""
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH or not password.isprintable():
        raise UnfitPassword(
            f"An account password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters that can be seen."
        )


def enrol(
    tx: Tx,
    address: str,
    *,
    password_hash: str,
    now: int,
    quota_octets: int = mailstore.DEFAULT_QUOTA,
    display_name: str = "",
    layout: Layout | None = None,
    default_layout: Layout = Layout.CLASSIC,
) -> Account:
    """Make an account with its mailboxes; the first of a domain becomes its administrator.

    It shows its mail as `layout` says, else as its domain does, else as the server does by default.

    Raises NoSuchDomain, AccountExists, BadLocalPart, BadDomainName.
    """
    local_part, domain_name = read_address(address)
    domain = _our_domain(tx, domain_name)
    account = accounts.create_account(
        tx,
        domain_id=domain.id,
        address=f"{accounts.new_local_part(local_part)}@{domain.name}",
        password_hash=password_hash,
        now=now,
        display_name=display_name,
    )
    shown = layout or (Layout(domain.layout) if domain.layout else default_layout)
    mailstore.open_store(tx, account.id, now, quota_octets, shows_labels=shown is Layout.GMAIL)
    if domain.administrator_id is None:
        domains.set_administrator(tx, domain.id, account.id)
    return account


def leave(tx: Tx, address: str) -> Account:
    """Remove an account for good; live sessions end, and `mailstore.erase_closed` takes its mail away in steps.

    When it was its domain's administrator, the oldest account that remains is from now on. Raises NoSuchAccount.
    """
    account = account_at(tx, address)
    mailstore.close_store(tx, account.id)
    accounts.remove_account(tx, account.id)
    oauth.forget_account(tx, account.id)
    domain = domains.get_domain(tx, account.domain_id)
    if domain.administrator_id == account.id:
        heir = accounts.first_account_of(tx, domain.id)
        domains.set_administrator(tx, domain.id, heir.id if heir is not None else None)
    return account


def issue_app_password(
    tx: Tx,
    key: SecretKey,
    address: str,
    *,
    name: str,
    now: int,
    scope: Scope = Scope(),  # noqa: B008 - it is frozen
) -> tuple[AppPassword, str]:
    """Make an app password; returns it and its secret in four groups, which nobody can ask for again.

    Raises NoSuchAccount, BadName, BadScope, TooManyAppPasswords.
    """
    return _issue(tx, key, account_at(tx, address).id, name, scope, now)


def issue_own_app_password(
    tx: Tx,
    key: SecretKey,
    account_id: int,
    *,
    name: str,
    now: int,
    scope: Scope = Scope(),  # noqa: B008 - it is frozen
) -> tuple[AppPassword, str]:
    """Like `issue_app_password`, for people who make one for themselves: it needs two-step verification.

    Raises TwoStepMissing, BadName, BadScope, TooManyAppPasswords.
    """
    if not accounts.has_two_step(tx, account_id):
        raise TwoStepMissing("Switch two-step verification on first; app passwords come with it.")
    return _issue(tx, key, account_id, name, scope, now)


def replace_app_password(
    tx: Tx, key: SecretKey, account_id: int, credential_id: int, now: int
) -> tuple[AppPassword, str]:
    """A new app password of the same name and scope for a new device; the old one ends, and its sessions.

    Raises NoSuchAppPassword, and BadScope when the old one has expired.
    """
    old = accounts.get_app_password(tx, account_id, credential_id)
    accounts.revoke_app_password(tx, account_id, credential_id, now, Ended.REPLACED)
    return _issue(tx, key, account_id, old.name, old.scope, now)


def _issue(tx: Tx, key: SecretKey, account_id: int, name: str, scope: Scope, now: int) -> tuple[AppPassword, str]:
    secret = new_app_password()
    digest = key.digest(APP_PASSWORD, secret.encode())
    made = accounts.add_app_password(tx, account_id, name=name, digest=digest, now=now, scope=scope)
    return made, grouped(secret)


def change_password(tx: Tx, account_id: int, password_hash: str, now: int, *, but_session: int = 0) -> int:
    """Give an account another password: every app password ends, what was allowed to programs, and every browser's
    session but for one. Returns how many app passwords did. Raises NoSuchAccount."""
    ended = accounts.set_password(tx, account_id, password_hash, now, but_session=but_session)
    oauth.revoke_all_grants(tx, account_id, now)
    return ended


def account_at(tx: Tx, address: str) -> Account:
    """The account at an address as somebody typed it. Raises NoSuchAccount, BadLocalPart, BadDomainName."""
    local_part, domain = read_address(address)
    account = accounts.find_account(tx, f"{local_part}@{domain}")
    if account is None:
        raise NoSuchAccount(f"There is no account {local_part}@{domain}.")
    return account


def domain_at(tx: Tx, name: str) -> Domain:
    """The domain of a name as somebody typed it. Raises NoSuchDomain, BadDomainName."""
    return _our_domain(tx, normalise_domain(name))


def _our_domain(tx: Tx, name: str) -> Domain:
    domain = domains.find_domain(tx, name)
    if domain is None:
        raise NoSuchDomain(f"The domain {name} is not one of ours; add it first: mailhost domain add {name}")
    return domain
