"""The words of the authorization server: programs, what people allowed them, and tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from mailhost.errors import MailhostError
from mailhost.storage.database import Tx

ACCESS_SECONDS: Final = 3_600
REFRESH_SECONDS: Final = 180 * 86_400
"""A refresh token that nobody uses for so long ends; each use gives a new one."""
CODE_SECONDS: Final = 60
DEVICE_SECONDS: Final = 1_800
DEVICE_INTERVAL: Final = 5
REUSE_SECONDS: Final = 30
"""A refresh token may come a second time within this after it was changed: the answer to the first may be lost."""
MAX_REFRESH_TOKENS: Final = 100
"""Live ones for one account and program; the oldest ends (Google has the same number)."""
MAX_TOKENS_A_MINUTE: Final = 600
"""Tokens that one program gets for all its people together."""
MAX_ASSERTION_SECONDS: Final = 3_600

FULL_SCOPE: Final = "https://mail.google.com/"
"""The alias under which mail programs made for Gmail ask for everything."""


class Kind(Enum):
    """What sort of program a client is."""

    NATIVE = "native"
    """On somebody's own device: no secret it could keep, so PKCE is required."""
    WEB = "web"
    DEVICE = "device"
    """Without a browser: its user types a code elsewhere (RFC 8628)."""
    SERVICE = "service"
    """Signs with its own key, and acts for accounts of domains that an administrator delegated to it (RFC 7523)."""


Access = Literal["read", "full"]
Door = Literal["imap", "pop3", "smtp"]

_SCOPES: Final[dict[str, dict[Door, Access]]] = {
    FULL_SCOPE: {"imap": "full", "pop3": "full", "smtp": "full"},
    "mail": {"imap": "full", "pop3": "full", "smtp": "full"},
    "imap": {"imap": "full"},
    "imap.readonly": {"imap": "read"},
    "pop3": {"pop3": "full"},
    "pop3.readonly": {"pop3": "read"},
    "send-only": {"smtp": "full"},
}
SCOPES: Final = tuple(_SCOPES)
"""What a program may ask for. The narrower ones open one protocol each, the read-only ones let nothing be changed."""


def access_of(scopes: str, door: Door) -> Access | None:
    """What scopes, blanks between, allow at a door."""
    found = {_SCOPES[scope].get(door) for scope in scopes.split() if scope in _SCOPES}
    return "full" if "full" in found else "read" if "read" in found else None


@dataclass(frozen=True, slots=True)
class Client:
    """A program. `secret_digest` is None where it has none; redirect URIs, scopes and domains have no order."""

    id: str
    name: str
    kind: Kind
    secret_digest: bytes | None
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    public_key: str
    delegated_domains: tuple[str, ...]
    created_at: int
    is_registered: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What one person allowed one program, as they see it: `name` and `kind` are the program's."""

    account_id: int
    id: int
    client_id: str
    name: str
    kind: Kind
    scopes: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is stored. Times are Unix seconds."""

    digest: bytes
    kind: str
    account_id: int
    grant_id: int
    client_id: str
    scopes: str
    issued_at: int
    expires_at: int
    used_at: int | None
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the look-up of a sign-in by token finds: the token, its program's name, and the account's columns."""

    token: Token
    app: str
    address: str
    is_live: bool
    rules: str
    domain_rules: str
    over_limits: str


@dataclass(frozen=True, slots=True)
class Copied:
    """A code or refresh token that was used up came again, from an address: somebody else has it, or had it first."""

    account_id: int
    grant_id: int
    app: str
    peer: str
    at: int  # Unix time


@dataclass(frozen=True, slots=True)
class People:
    """What the server asks about people, who are another room's: the account of an address, the number for a new
    credential, to let an account's sessions look whether they may go on, and to tell its owner of a copied token."""

    account_of: Callable[[Tx, str], int | None]
    new_credential_id: Callable[[Tx, int], int]
    sessions_end: Callable[[Tx, int], None]
    token_was_copied: Callable[[Tx, Copied], None]


class BadClient(MailhostError):
    """A program cannot be registered like this; the message says why."""


class NoSuchClient(MailhostError):
    """No program of this id."""


class NoSuchGrant(MailhostError):
    """The account allowed no program under this number."""


class NoSuchCode(MailhostError):
    """No device waits under this code, or not any more."""
