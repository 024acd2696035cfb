"""The words of accounts: people, their app passwords, and what can go wrong with them."""

from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Final

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
    """When, from where and by which protocol a credential was last right."""

    at: int
    peer: str
    protocol: str


@dataclass(frozen=True, slots=True)
class AppPassword:
    """One app password as its owner sees it; the secret itself is stored nowhere."""

    account_id: int
    id: int
    name: str
    protocols: Protocols
    created_at: int
    last_use: LastUse | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one look-up finds for an address and a secret: the account, and which of its app passwords the secret is."""

    account_id: int
    address: str
    is_live: bool
    password_hash: str | None
    credential_id: int | None
    protocols: int
    is_revoked: bool


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


class WrongSecretKey(MailhostError):
    """The key file is not the one this store's credentials were made with."""
