"""What stands between a right credential and its account, and what was wrong with a wrong one."""

from dataclasses import dataclass, field
from typing import Final

from mailhost import oauth
from mailhost.accounts.audit.model import Cause, Facts
from mailhost.accounts.credentials import sql as credentials
from mailhost.accounts.credentials.scope import is_within
from mailhost.accounts.model import Candidate, Ended, Found, Protocols
from mailhost.domains import find_domain
from mailhost.limits import Rules, read_rules
from mailhost.login.model import Identity, Protocol, Reason, Visit
from mailhost.login.quantities import cause_of_reached, reached_in, shown_octets
from mailhost.storage.database import Tx

PROTOCOL_BITS: Final[dict[Protocol, int]] = {
    "imap": Protocols.IMAP.value,
    "pop3": Protocols.POP3.value,
    "smtp": Protocols.SMTP.value,
}
"""As plain numbers: `&` of an IntFlag costs as much as half the look-up."""
_SMTP_ALONE: Final = Protocols.SMTP.value

REASONS: Final[dict[Cause, Reason]] = {
    Cause.ACCOUNT_PASSWORD_USED: Reason.APP_PASSWORD_REQUIRED,
    Cause.TWO_STEP_MISSING: Reason.APP_PASSWORD_REQUIRED,
    Cause.WRONG_PASSWORD: Reason.WRONG_CREDENTIALS,
    Cause.WRONG_PASSWORD_REPEATED: Reason.WRONG_CREDENTIALS,
    Cause.WRONG_APP_PASSWORD: Reason.WRONG_CREDENTIALS,
    Cause.REVOKED_APP_PASSWORD: Reason.WRONG_CREDENTIALS,
    Cause.ENDED_WITH_PASSWORD: Reason.WRONG_CREDENTIALS,
    Cause.ENDED_WITH_TWO_STEP: Reason.WRONG_CREDENTIALS,
    Cause.REPLACED_APP_PASSWORD: Reason.WRONG_CREDENTIALS,
    Cause.EXPIRED_APP_PASSWORD: Reason.WRONG_CREDENTIALS,
    Cause.APP_PASSWORD_OF_ANOTHER: Reason.WRONG_CREDENTIALS,
    Cause.ADDRESS_NOT_ALLOWED: Reason.WRONG_CREDENTIALS,
    Cause.NAME_WITHOUT_DOMAIN: Reason.WRONG_CREDENTIALS,
    Cause.UNKNOWN_USER: Reason.WRONG_CREDENTIALS,
    Cause.UNKNOWN_DOMAIN: Reason.WRONG_CREDENTIALS,
    Cause.PROTOCOL_NOT_ALLOWED: Reason.PROTOCOL_NOT_ALLOWED,
    Cause.SEND_ONLY: Reason.PROTOCOL_NOT_ALLOWED,
    Cause.READ_ONLY: Reason.PROTOCOL_NOT_ALLOWED,
    Cause.PROTOCOL_OFF: Reason.PROTOCOL_NOT_ALLOWED,
    Cause.PROTOCOL_OFF_FOR_DOMAIN: Reason.PROTOCOL_OFF,
    Cause.TOKEN_EXPIRED: Reason.BAD_TOKEN,
    Cause.TOKEN_REVOKED: Reason.BAD_TOKEN,
    Cause.TOKEN_UNKNOWN: Reason.BAD_TOKEN,
    Cause.TOKEN_SCOPE: Reason.BAD_TOKEN,
    Cause.TOKEN_OF_ANOTHER: Reason.BAD_TOKEN,
    Cause.SUSPENDED: Reason.ACCOUNT_SUSPENDED,
    Cause.HELD: Reason.WEB_SIGN_IN_REQUIRED,
    Cause.TOO_MANY_CONNECTIONS: Reason.TOO_MANY_CONNECTIONS,
    Cause.OVER_DOWNLOAD: Reason.OVER_LIMIT,
    Cause.OVER_UPLOAD: Reason.OVER_LIMIT,
    Cause.THROTTLED: Reason.THROTTLED,
    Cause.THROTTLED_ACCOUNT: Reason.THROTTLED,
    Cause.THROTTLED_NETWORK: Reason.THROTTLED,
    Cause.TOO_BUSY: Reason.TEMPORARY,
    Cause.STORE_AWAY: Reason.TEMPORARY,
}
"""What the diary knows, as much of it as the wire may tell."""

_ENDED: Final[dict[str, Cause]] = {
    Ended.NEW_PASSWORD.value: Cause.ENDED_WITH_PASSWORD,
    Ended.TWO_STEP_OFF.value: Cause.ENDED_WITH_TWO_STEP,
    Ended.REPLACED.value: Cause.REPLACED_APP_PASSWORD,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why an attempt is refused, and the facts of the sentence."""

    cause: Cause
    facts: Facts = field(default_factory=dict)
    account_id: int | None = None
    """Whose diary it belongs to, where the user name does not say it."""
    limit: str = ""
    until: float | None = None
    """What was too much and when it ends, as `Refused` tells it."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was offered and opens nothing. `asked` is the address in question, empty when what was typed is none."""

    asked: str
    has_domain: bool
    secret: str = field(repr=False)
    digest: bytes
    dead: Verdict | None
    """Set when it is an app password of the account, but a dead one or one from elsewhere."""


def why_dead(found: Found, visit: Visit, now: float) -> Verdict | None:
    """Why an app password is as good as a wrong one here: it ended, expired, or may not be used from this address."""
    if found.revoked_at is not None:
        return Verdict(
            _ENDED.get(found.ended, Cause.REVOKED_APP_PASSWORD), {"password": found.name, "since_at": found.revoked_at}
        )
    if found.expires_at is not None and found.expires_at <= now:
        return Verdict(Cause.EXPIRED_APP_PASSWORD, {"password": found.name, "since_at": found.expires_at})
    if found.networks and not is_within(visit.peer, found.networks):
        allowed = found.networks.replace(" ", ", ")
        return Verdict(Cause.ADDRESS_NOT_ALLOWED, {"password": found.name, "allowed": allowed})
    return None


def why_closed(candidate: Candidate, found: Found, rules: Rules, protocol: Protocol, now: float) -> Verdict | None:
    """Why a right app password opens nothing: its owner may be told on the wire."""
    if not candidate.is_live:
        return Verdict(Cause.SUSPENDED)
    if not found.protocols & PROTOCOL_BITS[protocol]:
        cause = Cause.PROTOCOL_NOT_ALLOWED
        if found.protocols == _SMTP_ALONE:
            cause = Cause.SEND_ONLY
        elif found.read_only:
            cause = Cause.READ_ONLY
        return Verdict(cause, {"password": found.name})
    if not is_on(rules, protocol):
        return protocol_off(candidate.rules, protocol)
    return over_for_today(candidate.over_limits, protocol, now)


def protocol_off(account_rules: str, protocol: Protocol) -> Verdict:
    """Who has switched a protocol off: the account's own rules, or those of the domain and the settings."""
    is_own = is_on(read_rules(account_rules), protocol) is False
    return Verdict(Cause.PROTOCOL_OFF if is_own else Cause.PROTOCOL_OFF_FOR_DOMAIN)


def over_for_today(over_limits: str, protocol: Protocol, now: float) -> Verdict | None:
    """Whether an account has moved as much by a protocol as it may today."""
    reached = reached_in(over_limits, protocol, now) if over_limits else None
    if reached is None:
        return None
    limit = shown_octets(reached.limit)
    facts: Facts = {"limit": limit, "until_at": reached.until}
    return Verdict(cause_of_reached(reached), facts, limit=limit, until=reached.until)


def still_valid(tx: Tx, identity: Identity, now: int) -> bool:
    """Whether a live session may go on; asked when the topic `accounts.sql.topic(account_id)` wakes."""
    if identity.token:
        return oauth.is_good(tx, identity.token, now)
    bit = PROTOCOL_BITS[identity.protocol]
    return credentials.still_valid(tx, identity.account_id, identity.credential_id, bit, now)


def is_on(rules: Rules, protocol: Protocol) -> bool | None:
    """What rules say of a protocol."""
    if protocol == "imap":
        return rules.imap
    return rules.pop3 if protocol == "pop3" else rules.smtp


def cause_of_wrong(tx: Tx, wrong: Wrong, candidate: Candidate | None, is_password: bool, times: int) -> Verdict:
    """What was wrong with it, in the diary's words. `is_password` says that it is the account's own password."""
    if candidate is None:
        return _of_name(tx, wrong)
    if is_password:
        if not candidate.is_live:
            return Verdict(Cause.SUSPENDED)
        return Verdict(Cause.ACCOUNT_PASSWORD_USED if candidate.has_two_step else Cause.TWO_STEP_MISSING)
    if wrong.dead is not None:
        return wrong.dead
    if wrong.digest and credentials.owner_of(tx, wrong.digest) is not None:
        return Verdict(Cause.APP_PASSWORD_OF_ANOTHER)
    if times >= REPEATED:
        return Verdict(Cause.WRONG_PASSWORD_REPEATED, {"times": times})
    return Verdict(Cause.WRONG_APP_PASSWORD if wrong.digest else Cause.WRONG_PASSWORD)


REPEATED: Final = 3
"""So many times the same wrong password is a program that will not stop by itself, and no slip of a finger."""


def _of_name(tx: Tx, wrong: Wrong) -> Verdict:
    owner = credentials.owner_of(tx, wrong.digest) if wrong.digest else None
    if wrong.asked.endswith("@"):
        # Who else would know the secret: the row is the owner's to read.
        is_owner = owner is not None and owner[1].startswith(wrong.asked)
        return Verdict(Cause.NAME_WITHOUT_DOMAIN, account_id=owner[0] if owner is not None and is_owner else None)
    if owner is not None:
        return Verdict(Cause.APP_PASSWORD_OF_ANOTHER)
    if wrong.has_domain and find_domain(tx, wrong.asked.rpartition("@")[2]) is None:
        return Verdict(Cause.UNKNOWN_DOMAIN)
    return Verdict(Cause.UNKNOWN_USER)


def asked_for(tx: Tx, wrong: Wrong) -> str:
    """An unknown address for the administrator's eyes: only a whole one of our own domains, as people type passwords
    into the field of the user name too."""
    domain = wrong.asked.rpartition("@")[2]
    return wrong.asked if wrong.has_domain and find_domain(tx, domain) is not None else ""
