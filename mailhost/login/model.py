"""The words of signing in: who comes, who they turn out to be, and why they are refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from mailhost.errors import MailhostError
from mailhost.limits import Rules, Unusual

Protocol = Literal["imap", "pop3", "smtp", "web"]

Clock = Callable[[], float]
"""Tells the Unix time; tests set it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One attempt as its door sees it. `client_id` is the client's word for itself, `server_name` that of TLS."""

    protocol: Protocol
    port: int
    peer: str
    connection_id: str
    tls_version: str | None = None
    mechanism: str = ""
    client_id: str = ""
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is acting, by which credential, until when (Unix time), and what the rules allow them.

    `read_only` lets nothing be changed. `token` is the digest of an OAuth token, whose grant is the credential.
    """

    account_id: int
    address: str
    credential_id: int
    protocol: Protocol
    read_only: bool = False
    expires_at: int | None = None
    token: bytes = b""
    rules: Rules = field(default_factory=Rules, compare=False)


class Reason(Enum):
    """Why an attempt is refused, as much of it as a stranger may know."""

    WRONG_CREDENTIALS = "wrong-credentials"
    """An unknown user, a wrong password and a revoked app password: one answer for all."""
    APP_PASSWORD_REQUIRED = "app-password-required"  # noqa: S105 - a reason, not a password
    """The account password was right, and opens the web only."""
    WEB_SIGN_IN_REQUIRED = "web-sign-in-required"
    """The credential is right, but its use is so unusual that its owner must say in the web that it was them."""
    BAD_TOKEN = "bad-token"  # noqa: S105 - a reason
    """The token is not ours, not good any more, not for this or not this user's: the client gets a new one."""
    PROTOCOL_NOT_ALLOWED = "protocol-not-allowed"
    """The credential is right, but not made for this protocol, or the protocol is off for the account."""
    PROTOCOL_OFF = "protocol-off"
    """The credential is right, but the protocol is off for the whole domain."""
    ACCOUNT_SUSPENDED = "account-suspended"
    """The credential is right, but the account is suspended."""
    TOO_MANY_CONNECTIONS = "too-many-connections"
    """The credential is right, but the account has as many sessions as it may."""
    THROTTLED = "throttled"
    """Too many different wrong passwords; `Refused.until` says when the next one is looked at."""
    OVER_LIMIT = "over-limit"
    """The credential is right, but a daily limit is reached; `Refused.until` says when the day ends."""
    TEMPORARY = "temporary"
    """Nobody could look: the server is busy or its store does not answer."""


class Refused(MailhostError):
    """The attempt is refused. `until` is the Unix time at which it ends, for THROTTLED and OVER_LIMIT; `limit` says
    what was too much. Everything else about it is the diary's."""

    def __init__(self, reason: Reason, until: float | None = None, limit: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.until = until
        self.limit = limit


_MEGABYTE = 1_000_000
SETTINGS = Rules(
    imap=True,
    pop3=True,
    smtp=True,
    imap_connections=15,
    imap_download=2_500 * _MEGABYTE,
    imap_upload=500 * _MEGABYTE,
    pop3_download=1_250 * _MEGABYTE,
    commands_a_minute=600_000,
    unusual=Unusual.HOLD,
)
"""The rules where nobody has set others; connections and octets a day are Gmail's."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many wrong passwords are looked at, and how long the waits are."""

    wrong_per_account: int = 10
    """Different wrong passwords for one user name from one network before the first wait."""
    wrong_per_network: int = 50
    """Different wrong pairs of user name and password from one network before the first wait."""
    first_wait_seconds: float = 5.0
    """The first wait; each further wrong password doubles it."""
    longest_wait_seconds: float = 900.0
    forget_seconds: float = 3_600.0
    """After this long without a new wrong password the counting starts anew."""
    known_seconds: float = 86_400.0
    """How long a network stays known to an account that signed in from it."""
    gateway_accounts: int = 5
    """A network known to this many accounts is a gateway: it is never made to wait as a whole."""
    tracked: int = 20_000
    """Bound on the known places that a process remembers, so as not to ask the store for each sign-in."""
    checks_at_once: int = 2
    """Slow password checks (20 ms of a core and 19 MiB each) that run at the same time."""
    checks_waiting: int = 256
    """Slow checks that may queue; the next is answered TEMPORARY."""
    diary_rows: int = 1_000
    """Sign-ins kept for an account."""
    diary_days: int = 30
    """Days that a sign-in is kept."""
    rules: Rules = SETTINGS
    """What holds for accounts whose own and whose domain's rules say nothing."""
