"""The words of deliveries: where a message comes from, whom it reaches, and why it may not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mailhost.errors import MailhostError
from mailhost.protocols.smtp.addresses import Address
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database

MAX_HOPS: Final = 50
"""Received fields of a message that is going in circles (RFC 5321 §6.3)."""
MAX_HEADER: Final = 1024 * 1024
"""Octets of header we look through; a longer one is refused, since rules could be hidden from behind it."""

Clock = Callable[[], float]
"""Tells the Unix time; tests set it."""


class NotOurs(MailhostError):
    """The domain is not one of ours, and we relay for nobody."""


class NoSuchUser(MailhostError):
    """The domain is ours, the user is not."""


class RecipientSuspended(MailhostError):
    """The account is suspended."""


class RecipientFull(MailhostError):
    """The account is over its quota."""


class RecipientTooSmall(MailhostError):
    """The message is larger than the account's whole quota, so it need not come again."""


class NoWayOut(MailhostError):
    """The recipient is elsewhere, and no smarthost is configured to carry mail there."""


class SenderNotYours(MailhostError):
    """The envelope or the From field names an address that is not the account's."""

    def __init__(self, address: str, owner: str) -> None:
        super().__init__(f"{address} is not an address of {owner}")
        self.address = address
        self.owner = owner


class DailyLimitReached(MailhostError):
    """The account has submitted its number of messages for 24 hours."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} messages in 24 hours")
        self.limit = limit


class MailLoop(MailhostError):
    """The message has passed too many servers."""


class HeaderTooLarge(MailhostError):
    """The header is longer than MAX_HEADER."""


class Recipient(NamedTuple):
    """An account of ours that a message reaches, by the address the sender used."""

    account_id: int
    address: Address


class Origin(NamedTuple):
    """Where a message comes from, as its trace fields tell it. `transaction_id` names this one transaction for good."""

    transaction_id: str
    sender: Address | None
    protocol: str  # RFC 3848: ESMTP, ESMTPS, ESMTPSA, LMTP …
    hello: str
    peer: str
    tls: str | None = None


@dataclass(frozen=True, slots=True)
class Smarthost:
    """The server that carries our mail to everybody else."""

    host: str
    port: int
    user: str = ""
    secret: str = field(default="", repr=False)
    implicit_tls: bool = False
    requires_tls: bool = True


@dataclass(frozen=True, slots=True)
class Office:
    """What every delivery works with. `host` is our name in trace fields and the authserv-id we answer for."""

    database: Database
    blobs: Blobs
    clock: Clock
    host: str
    max_message: int
    daily_messages: int
    smarthost: Smarthost | None = None
