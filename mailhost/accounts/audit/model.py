"""The words of the sign-in diary."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

NOBODY: Final = 0
"""The account under which attempts on names that are nobody's stand."""
DOORSTEP: Final = -1
"""The account under which attempts stand that ended before a user name was known."""

Facts = dict[str, str | int]
"""What makes a cause particular, by the names that its sentence uses; a name that ends in `_at` is a Unix time."""


class Cause(Enum):
    """How an attempt ended, and why: richer than what its client was told."""

    SIGNED_IN = "signed-in"
    SIGNED_IN_UNUSUALLY = "signed-in-unusually"
    """Let in, and the owner was told: not where or how this credential is used otherwise."""

    ACCOUNT_PASSWORD_USED = "account-password-used"  # noqa: S105 - a cause, as the next ones
    """It was the account's own password, which opens the web only."""
    TWO_STEP_MISSING = "two-step-missing"
    """Likewise, and two-step verification is off, without which the web offers no app passwords."""
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a cause
    WRONG_PASSWORD_REPEATED = "wrong-password-repeated"  # noqa: S105 - a cause
    WRONG_APP_PASSWORD = "wrong-app-password"  # noqa: S105 - a cause
    """It looks like an app password, but never was one of the account's."""
    REVOKED_APP_PASSWORD = "revoked-app-password"  # noqa: S105 - a cause
    ENDED_WITH_PASSWORD = "ended-with-password"  # noqa: S105 - a cause
    """An app password that ended when the account password changed."""
    ENDED_WITH_TWO_STEP = "ended-with-two-step"
    REPLACED_APP_PASSWORD = "replaced-app-password"  # noqa: S105 - a cause
    EXPIRED_APP_PASSWORD = "expired-app-password"  # noqa: S105 - a cause
    APP_PASSWORD_OF_ANOTHER = "app-password-of-another"  # noqa: S105 - a cause
    """It is a live app password, of another account."""
    WRONG_PASSWORD_IN_WEB = "wrong-password-in-web"  # noqa: S105 - a cause, on the sign-in page as the next ones
    APP_PASSWORD_IN_WEB = "app-password-in-web"  # noqa: S105 - a cause
    SECOND_STEP_AWAITED = "second-step-awaited"
    """The account password was right; what came of the second step is told by another row, if it was tried."""
    SECOND_STEP_WRONG = "second-step-wrong"
    PROTOCOL_NOT_ALLOWED = "protocol-not-allowed"
    SEND_ONLY = "send-only"
    READ_ONLY = "read-only"
    ADDRESS_NOT_ALLOWED = "address-not-allowed"

    NAME_WITHOUT_DOMAIN = "name-without-domain"
    UNKNOWN_USER = "unknown-user"
    UNKNOWN_DOMAIN = "unknown-domain"

    TOKEN_EXPIRED = "token-expired"  # noqa: S105 - a cause
    TOKEN_REVOKED = "token-revoked"  # noqa: S105 - a cause
    TOKEN_COPIED = "token-copied"  # noqa: S105 - a cause
    """What a program had used up came again: it, and all that came from the same consent, ended."""
    TOKEN_UNKNOWN = "token-unknown"  # noqa: S105 - a cause
    TOKEN_SCOPE = "token-scope"  # noqa: S105 - a cause
    TOKEN_OF_ANOTHER = "token-of-another"  # noqa: S105 - a cause

    SUSPENDED = "suspended"
    PROTOCOL_OFF = "protocol-off"
    PROTOCOL_OFF_FOR_DOMAIN = "protocol-off-for-domain"
    HELD = "held"
    TOO_MANY_CONNECTIONS = "too-many-connections"
    CONNECTION_GAVE_WAY = "connection-gave-way"
    OVER_DOWNLOAD = "over-download"
    OVER_UPLOAD = "over-upload"
    OVER_COMMANDS = "over-commands"
    STORAGE_FULL = "storage-full"
    MAILDROP_IN_USE = "maildrop-in-use"
    THROTTLED = "throttled"
    THROTTLED_ACCOUNT = "throttled-account"
    """From many networks, of which the account knows none, came many wrong passwords for it."""
    THROTTLED_NETWORK = "throttled-network"
    TOO_BUSY = "too-busy"
    STORE_AWAY = "store-away"

    TLS_TOO_OLD = "tls-too-old"
    TLS_NOTHING_IN_COMMON = "tls-nothing-in-common"
    CERTIFICATE_DISTRUSTED = "certificate-distrusted"
    TLS_UNFINISHED = "tls-unfinished"
    TLS_BROKEN = "tls-broken"
    PLAIN_ON_TLS_PORT = "plain-on-tls-port"
    SILENT_ON_TLS_PORT = "silent-on-tls-port"
    TLS_ON_PLAIN_PORT = "tls-on-plain-port"
    WRONG_PROTOCOL = "wrong-protocol"
    PLAIN_TEXT_REFUSED = "plain-text-refused"
    MECHANISM_UNKNOWN = "mechanism-unknown"
    SIGN_IN_MALFORMED = "sign-in-malformed"
    SENDING_ON_WRONG_PORT = "sending-on-wrong-port"
    SENDING_WITHOUT_SIGN_IN = "sending-without-sign-in"
    TOO_MANY_FROM_ADDRESS = "too-many-from-address"
    SERVER_FULL = "server-full"
    PROXY_UNREADABLE = "proxy-unreadable"


LET_IN: Final = frozenset({Cause.SIGNED_IN, Cause.SIGNED_IN_UNUSUALLY})
PASSING: Final = frozenset({Cause.SECOND_STEP_AWAITED, Cause.CONNECTION_GAVE_WAY})
"""What is no failure: nobody was refused."""


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
    """When equal attempts happened last, on which connection, and how many they were; the facts are the last one's.

    `id` is the row's once it is written: later rows have higher ones.
    """

    at: int
    connection_id: str
    attempts: int
    facts: Facts = field(default_factory=dict)
    id: int = field(default=0, compare=False)
