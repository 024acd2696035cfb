"""Sign-in by OAuth token, and what the authorization server asks about people."""

from mailhost import accounts, oauth
from mailhost.accounts.audit.model import Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import record_sign_ins
from mailhost.accounts.credentials.sql import take_credential_id
from mailhost.limits import Rules, rules_of
from mailhost.login.judge import Verdict, is_on, over_for_today, protocol_off
from mailhost.login.model import Identity, Protocol, Visit
from mailhost.login.names import implied_domain, network_of
from mailhost.oauth.model import Copied, Found
from mailhost.storage.database import Tx


def _account_of(tx: Tx, address: str) -> int | None:
    found = accounts.find_account(tx, address)
    return found.id if found is not None else None


def _sessions_end(tx: Tx, account_id: int) -> None:
    tx.wake(accounts.topic(account_id))


def _token_was_copied(tx: Tx, copied: Copied) -> None:
    where = (copied.peer, network_of(copied.peer))
    sign_in = SignIn(copied.account_id, Cause.TOKEN_COPIED, "", "web", 443, *where, None, "", "", copied.grant_id)
    record_sign_ins(tx, [(sign_in, Occurrence(copied.at, "", 1, {"app": copied.app}))])


PEOPLE = oauth.People(_account_of, take_credential_id, _sessions_end, _token_was_copied)


def revoke_program(tx: Tx, account_id: int, grant_id: int, now: int) -> None:
    """Withdraw what an account allowed a program; its sessions end. Raises NoSuchGrant."""
    oauth.revoke_grant(tx, account_id, grant_id, now)
    _sessions_end(tx, account_id)


def remove_client(tx: Tx, client_id: str) -> None:
    """Forget a program; the sessions of all who allowed it something end. Raises NoSuchClient."""
    for account_id in oauth.delete_client(tx, client_id):
        _sessions_end(tx, account_id)


def look_up_token(
    tx: Tx, name: tuple[str, str | None] | None, server_name: str | None, digest: bytes
) -> tuple[str, Found | None, int | None]:
    """The address that a user name means, what the digest finds, and the address's account when it finds nothing."""
    address = ""
    if name is not None:
        local_part, domain = name
        address = f"{local_part}@{domain or implied_domain(tx, server_name) or ''}"
    found = oauth.find_for_sign_in(tx, digest)
    return address, found, None if found is not None else _account_of(tx, address)


def account_of_token(tx: Tx, digest: bytes, now: int) -> int | None:
    """Whose access token this is, whatever it allows; None when it opens nothing any more."""
    found = oauth.find_for_sign_in(tx, digest)
    if found is None or found.token.kind != "access" or not found.is_live:
        return None
    is_over = found.token.revoked_at is not None or found.token.expires_at <= now
    return None if is_over else found.token.account_id


def judge_token(
    found: Found, address: str, *, is_named: bool, visit: Visit, settings: Rules, now: float
) -> Identity | Verdict:
    """Who signs in with a known token, or why it opens nothing. `is_named` says whether a user name was given."""
    token = found.token
    if token.kind != "access":
        return Verdict(Cause.TOKEN_UNKNOWN)
    if token.revoked_at is not None:
        return Verdict(Cause.TOKEN_REVOKED, {"app": found.app, "since_at": token.revoked_at})
    if token.expires_at <= now:
        return Verdict(Cause.TOKEN_EXPIRED, {"app": found.app, "since_at": token.expires_at})
    if is_named and address != found.address:
        return Verdict(Cause.TOKEN_OF_ANOTHER, {"app": found.app})
    access = oauth.access_of(token.scopes, visit.protocol) if visit.protocol != "web" else None
    if access is None:
        return Verdict(Cause.TOKEN_SCOPE, {"app": found.app, "scope": token.scopes})
    if not found.is_live:
        return Verdict(Cause.SUSPENDED)
    rules = rules_of(found.rules, found.domain_rules, settings)
    closed = _closed(found, rules, visit.protocol, now)
    if closed is not None:
        return closed
    identity = (token.account_id, found.address, token.grant_id, visit.protocol, access == "read", token.expires_at)
    return Identity(*identity, token.digest, rules)


def _closed(found: Found, rules: Rules, protocol: Protocol, now: float) -> Verdict | None:
    if not is_on(rules, protocol):
        return protocol_off(found.rules, protocol)
    return over_for_today(found.over_limits, protocol, now)
