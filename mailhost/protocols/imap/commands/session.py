"""Commands about the conversation itself (RFC 9051 §6.1, §6.2; NAMESPACE, IDLE and extensions of theirs)."""

from dataclasses import dataclass, field

from mailhost.protocols.imap.notifying import EventGroup


@dataclass(frozen=True, slots=True)
class Capability:
    """CAPABILITY."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Logout:
    """LOGOUT."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Id:
    """ID: what the client calls itself (RFC 2971); empty for NIL."""

    tag: bytes
    fields: tuple[tuple[str, str | None], ...]  # names in lower case


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS. Nothing more is parsed until `tls_started` or `tls_refused`."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN. Bytes, for neither word need be text."""

    tag: bytes
    user: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE: the mechanism in upper case; the initial response as base64, `=` when empty (RFC 4959)."""

    tag: bytes
    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE: words in upper case."""

    tag: bytes
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """UNAUTHENTICATE (RFC 8437)."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Compress:
    """COMPRESS: the mechanism in upper case (RFC 4978)."""

    tag: bytes
    mechanism: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """NAMESPACE."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Idle:
    """IDLE. The next event is IdleDone or a Mistake."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Notify:
    """NOTIFY SET, or NOTIFY NONE when `groups` is None (RFC 5465)."""

    tag: bytes
    groups: tuple[EventGroup, ...] | None
    tells_status: bool = False  # STATUS of every mailbox concerned, before the answer


SessionCommand = (
    Capability
    | Noop
    | Logout
    | Id
    | StartTls
    | Login
    | Authenticate
    | Enable
    | Unauthenticate
    | Compress
    | Namespace
    | Idle
    | Notify
)
"""A command about the conversation itself."""
