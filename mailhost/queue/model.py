"""The words of the outbound queue: a message on its way, one row a recipient, and when to try again."""

from dataclasses import dataclass
from typing import Final

LEASE_SECONDS: Final = 900
"""Longer than one attempt can take: after this a row is free whatever has become of its holder."""
GIVE_UP_SECONDS: Final = 5 * 86_400
"""RFC 5321 §4.5.4.1: a sender tries for at least four or five days."""
BACK_OFF: Final = (60, 300, 900, 1_800, 3_600, 7_200, 14_400)
"""Seconds to the next attempt after the first, second … failed one; the last figure repeats."""

MAX_STUMBLES: Final = 5
"""Tries in a row that may come to no end, by a mistake of ours, before a row is set aside for the operator."""
NEVER: Final = 2**53
"""When a row is due that is set aside."""

TOPIC: Final = "outgoing"
"""Woken when something was queued."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent: whose it is, its envelope sender, its content and what its transport must be able to do."""

    account_id: int
    transaction_id: str
    sender: str
    blob: bytes
    prefix: bytes
    octets: int
    is_utf8: bool
    is_8bit: bool
    queued_at: int


@dataclass(frozen=True, slots=True)
class Lease:
    """One recipient's row, held for its `attempts`-th attempt; the last `stumbles` - 1 came to no end."""

    account_id: int
    transaction_id: str
    recipient: str
    attempts: int
    stumbles: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """One recipient's row as the operator sees it; `next_at` is a Unix time, or NEVER when it is set aside."""

    lease: Lease
    sender: str
    queued_at: int
    next_at: int
    last_reply: str


def next_attempt(attempts: int, now: int) -> int:
    """When to try again after the `attempts`-th failed try."""
    return now + BACK_OFF[min(attempts, len(BACK_OFF)) - 1]
