"""Words that the refusals of all three protocols share."""

from mailhost.login.catalogue import shown_time
from mailhost.login.model import Refused

_MAX_MECHANISM = 20


def seconds_until(until: float | None, now: float) -> int:
    """How long a wait lasts, as an answer tells it: at least one second."""
    return max(1, round((until or now) - now))


def over_limit(refused: Refused) -> str:
    """What was too much, how much is allowed, and when it ends: `2.5 GB a day; try again at …`."""
    return f"{refused.limit}; try again at {shown_time(int(refused.until or 0))}."


def printable_mechanism(mechanism: str) -> str:
    """The name of a mechanism as a client wrote it, short enough for the diary."""
    return mechanism[:_MAX_MECHANISM]
