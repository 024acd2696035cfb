"""The words of accounts: people, their app passwords, and what can go wrong with them."""

from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Final, NamedTuple

from mailhost.errors import MailhostError

MAX_LOCAL_PART_OCTETS: Final = 64
MAX_ADDRESS_OCTETS: Final = 254
MAX_NAME_LENGTH: Final = 100
MAX_APP_PASSWORDS: Final = 100
"""Live ones, an account: a bound, not a policy."""
KEEP_REVOKED_SECONDS: Final = 90 * 86_400
"""A revoked app password stays known this long, longer than the diary that names it."""


class AccountState(Enum):
    """Whether the account may be signed in to."""

    LIVE = "live"
    SUSPENDED = "suspended"


class Protocols(IntFlag):
    """Which protocols an app password opens, as it is stored."""

    IMAP = 1
    POP3 = 2
    SMTP = 4


ALL_PROTOCOLS: Final = Protocols.IMAP | Protocols.POP3 | Protocols.SMTP


@dataclass(frozen=True, slots=True)
class Account:
    """One person's account. `address` is lower case, its domain in ASCII; times are Unix seconds."""

    id: int
    domain_id: int
    address: str
    display_name: str
    state: AccountState
    created_at: int


@dataclass(frozen=True, slots=True)
class LastUse:
    """When, from where, by which protocol and program a credential was last right; `tls` is None without encryption."""

    at: int
    peer: str
    protocol: str
    network: str = ""
    client_id: str = ""
    tls: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What an app password may: which protocols, whether it may change anything, from where, until when (Unix time)."""

    protocols: Protocols = ALL_PROTOCOLS
    read_only: bool = False
    networks: tuple[str, ...] = ()
    expires_at: int | None = None

    @property
    def send_only(self) -> bool:
        """Whether it opens nothing but sending."""
        return self.protocols is Protocols.SMTP


@dataclass(frozen=True, slots=True)
class AppPassword:
    """One app password as its owner sees it; the secret itself is stored nowhere. `roams`: approved for any network."""

    account_id: int
    id: int
    name: str
    scope: Scope
    created_at: int
    last_use: LastUse | None
    roams: bool = False


class Ended(Enum):
    """Why an app password does not open any more, as it is stored."""

    REVOKED = "revoked"
    NEW_PASSWORD = "new-password"  # noqa: S105 - a reason
    TWO_STEP_OFF = "two-step-off"
    REPLACED = "replaced"
    NOT_ME = "not-me"  # its owner said that a sign-in was somebody else's


class Found(NamedTuple):
    """The app password that a secret is, as the look-up of a sign-in finds it. Times are Unix seconds."""

    id: int
    name: str
    protocols: int
    read_only: bool
    networks: str
    expires_at: int | None
    roams: bool
    revoked_at: int | None
    ended: str


class Candidate(NamedTuple):
    """What one look-up finds for an address and a secret: the account, and which of its app passwords the secret is.

    `rules` and `domain_rules` are the columns of `limits.Rules`; `over_limits` names daily limits that are reached.
    """

    account_id: int
    address: str
    is_live: bool
    password_hash: str | None
    has_two_step: bool
    rules: str
    domain_rules: str
    over_limits: str
    found: Found | None


class AccountExists(MailhostError):
    """The address is taken."""


class NoSuchAccount(MailhostError):
    """No account of this address or id."""


class NoSuchAppPassword(MailhostError):
    """The account has no live app password of this id."""


class TooManyAppPasswords(MailhostError):
    """The account holds as many live app passwords as it may."""


class BadLocalPart(MailhostError):
    """The part before the @ cannot be an account's; the message says why."""


class BadName(MailhostError):
    """The name of an app password is empty or too long; the message says why."""


class BadScope(MailhostError):
    """An app password cannot be limited like this; the message says why."""


class TwoStepMissing(MailhostError):
    """People make app passwords for themselves only with two-step verification on."""


class WrongSecretKey(MailhostError):
    """The key file is not the one this store's credentials were made with."""
