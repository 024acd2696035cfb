"""The words of the outbound queue: a message on its way, one row a recipient, and when to try again."""

from dataclasses import dataclass
from typing import Final

LEASE_SECONDS: Final = 900
"""Longer than one attempt can take; a worker that dies leaves its rows to others after this."""
GIVE_UP_SECONDS: Final = 5 * 86_400
"""RFC 5321 §4.5.4.1: a sender tries for at least four or five days."""
BACK_OFF: Final = (60, 300, 900, 1_800, 3_600, 7_200, 14_400)
"""Seconds to the next attempt after the first, second … failed one; the last figure repeats."""

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
    """One recipient's row, held for one attempt: the `attempts`-th."""

    account_id: int
    transaction_id: str
    recipient: str
    attempts: int


def next_attempt(attempts: int, now: int) -> int:
    """When to try again after the `attempts`-th failed try."""
    return now + BACK_OFF[min(attempts, len(BACK_OFF)) - 1]
