"""Programs as their owner sees them: who got a token and where it was used, and the device that waits for an answer."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from mailhost import oauth
from mailhost.accounts.places.sql import Place, places_of
from mailhost.accounts.sessions.sql import list_sessions
from mailhost.accounts.waits.sql import count_wrong, find_waits, let_wait
from mailhost.oauth import Grant
from mailhost.oauth.endpoints import Asked, decide_device, find_device
from mailhost.oauth.model import NoSuchCode
from mailhost.storage.database import Tx

MAX_WRONG_CODES: Final = 10
CODE_WAIT_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True)
class Program:
    """One program: what it may, the place of its last sign-in (to the hour), and how many sessions it has now."""

    grant: Grant
    last: Place | None
    sessions: int


def programs_of(tx: Tx, account_id: int) -> list[Program]:
    """The programs that an account allowed something, the oldest first."""
    live = Counter(session.credential_id for session in list_sessions(tx, account_id))
    return [
        Program(grant, max(places_of(tx, account_id, grant.id), key=_newest, default=None), live[grant.id])
        for grant in oauth.list_grants(tx, account_id)
    ]


def _newest(place: Place) -> tuple[int, str]:
    return place.last_at, place.client  # most programs tell their name after the sign-in only


@dataclass(frozen=True, slots=True)
class CodesUsedUp:
    """Somebody typed so many codes that are none that no more are looked at before a time (Unix)."""

    until: float


def look_for_device(tx: Tx, account_id: int, user_code: str, now: int) -> Asked | CodesUsedUp | None:
    """What a device asks for under a code; None for a code that is none, which is counted (RFC 8628 §5.1)."""
    source = f"device-code {account_id}"
    [wait] = find_waits(tx, [source])
    if wait is not None and wait.until_at > now:
        return CodesUsedUp(wait.until_at)
    try:
        return find_device(tx, user_code, now)
    except NoSuchCode:
        if count_wrong(tx, source, now) % MAX_WRONG_CODES == 0:
            let_wait(tx, source, now + CODE_WAIT_SECONDS)
        return None


def answer_device(
    tx: Tx, house: oauth.House, user_code: str, account_id: int, *, allows: bool, now: int
) -> Asked | CodesUsedUp | None:
    """Somebody says yes or no to a device; else as `look_for_device`."""
    asked = look_for_device(tx, account_id, user_code, now)
    if isinstance(asked, Asked):
        decide_device(tx, house, user_code, account_id, allows=allows, now=now)
    return asked
