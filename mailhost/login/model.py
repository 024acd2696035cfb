"""The words of signing in: who comes, who they turn out to be, and why they are refused."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from mailhost.errors import MailhostError

Protocol = Literal["imap", "pop3", "smtp"]

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
    """Who is acting, and by which credential."""

    account_id: int
    address: str
    credential_id: int
    protocol: Protocol


class Reason(Enum):
    """Why an attempt is refused, as much of it as a stranger may know."""

    WRONG_CREDENTIALS = "wrong-credentials"
    """An unknown user, a wrong password and a revoked app password: one answer for all."""
    APP_PASSWORD_REQUIRED = "app-password-required"  # noqa: S105 - a reason, not a password
    """The account password was right, and opens the web only."""
    PROTOCOL_NOT_ALLOWED = "protocol-not-allowed"
    """The app password is right, but not made for this protocol."""
    ACCOUNT_SUSPENDED = "account-suspended"
    """The credential is right, but the account is suspended."""
    TOO_MANY_CONNECTIONS = "too-many-connections"
    """The credential is right, but the account has as many sessions as it may."""
    THROTTLED = "throttled"
    """Too many different wrong passwords; `Refused.until` says when the next one is looked at."""
    TEMPORARY = "temporary"
    """Nobody could look: the server is busy or its store does not answer."""


class Refused(MailhostError):
    """The attempt is refused. `until` is the Unix time at which a wait ends, only for THROTTLED."""

    def __init__(self, reason: Reason, until: float | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.until = until


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
    """Bound on the user names, networks and known pairs that are remembered, each."""
    checks_at_once: int = 2
    """Slow password checks (20 ms of a core and 19 MiB each) that run at the same time."""
    checks_waiting: int = 256
    """Slow checks that may queue; the next is answered TEMPORARY."""
    diary_rows: int = 1_000
    """Sign-ins kept for an account."""
    diary_days: int = 30
    """Days that a sign-in is kept."""
