"""Words that the refusals of all three protocols share."""

from typing import Final, assert_never

from mailhost.login.catalogue import shown_time
from mailhost.login.live import Ended, Ending
from mailhost.login.model import Refused

_MAX_MECHANISM = 20

OVER_LIMITS: Final = "Account exceeded command or bandwidth limits"
"""Gmail's words, by which clients know that waiting helps and another password does not."""


def seconds_until(until: float | None, now: float) -> int:
    """How long a wait lasts, as an answer tells it: at least one second."""
    return max(1, round((until or now) - now))


def over_limit(refused: Refused | Ended) -> str:
    """What was too much, how much is allowed, and when it ends: `2.5 GB a day; try again at …`."""
    return f"{refused.limit}; try again at {shown_time(int(refused.until or 0))}."


def last_words(ended: Ended) -> str:
    """Why a live session ends, for its client."""
    match ended.ending:
        case Ending.REVOKED:
            return "Session expired, please login again."
        case Ending.SIGNED_OUT:
            return "You were signed out from another place, or a newer connection needed this one's."
        case Ending.GAVE_WAY:
            return f"A newer connection took the place of this one: {ended.limit} at a time are the most."
        case Ending.OVER_LIMIT:
            return f"{OVER_LIMITS}: {over_limit(ended)}"
        case _:
            assert_never(ended.ending)


def printable_mechanism(mechanism: str) -> str:
    """The name of a mechanism as a client wrote it, short enough for the diary."""
    return mechanism[:_MAX_MECHANISM]
