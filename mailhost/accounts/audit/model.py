"""The words of the sign-in diary."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

NOBODY: Final = 0
"""The account under which attempts on names that are nobody's stand."""


class Cause(Enum):
    """How an attempt ended, and why: richer than what its client was told."""

    SIGNED_IN = "signed-in"
    UNKNOWN_USER = "unknown-user"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a cause, as the next ones
    WRONG_APP_PASSWORD = "wrong-app-password"  # noqa: S105 - a cause
    """It looks like an app password, but never was one of the account's."""
    REVOKED_APP_PASSWORD = "revoked-app-password"  # noqa: S105 - a cause
    APP_PASSWORD_OF_ANOTHER = "app-password-of-another"  # noqa: S105 - a cause
    """It is a live app password, of another account."""
    ACCOUNT_PASSWORD_USED = "account-password-used"  # noqa: S105 - a cause
    """It was the account's own password, which opens the web only."""
    PROTOCOL_NOT_ALLOWED = "protocol-not-allowed"
    SUSPENDED = "suspended"
    TOO_MANY_CONNECTIONS = "too-many-connections"
    """The password was right, but the account has as many sessions as it may."""
    THROTTLED = "throttled"
    TOO_BUSY = "too-busy"


@dataclass(frozen=True, slots=True)
class SignIn:
    """Equal attempts within a moment, as the diary tells them. Hashable: the diary counts by it."""

    account_id: int
    cause: Cause
    address: str
    """For NOBODY: what was asked for, when its domain is one of ours; else empty."""
    protocol: str
    port: int
    peer: str
    network: str
    tls_version: str | None
    mechanism: str
    client_id: str
    credential_id: int | None


@dataclass(slots=True)
class Occurrence:
    """When equal attempts happened last, on which connection, and how many they were."""

    at: int
    connection_id: str
    attempts: int
