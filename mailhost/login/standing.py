"""Where an account stands today: who is signed in, and what is left of each limit until when."""

from dataclasses import dataclass

from mailhost.accounts import NoSuchAccount
from mailhost.accounts.sessions.sql import (
    DAY_SECONDS,
    LiveSession,
    list_sessions,
    octets_today,
    read_reached,
    rules_columns,
)
from mailhost.limits import Rules, rules_of
from mailhost.login.quantities import KINDS, limit_of
from mailhost.storage.database import Tx


@dataclass(frozen=True, slots=True)
class Spent:
    """What was moved of a kind of `quantities` today, how much may be (None: any amount), and when the day ends."""

    kind: str
    octets: int
    limit: int | None
    until: int
    is_closed: bool
    """The limit was reached: the protocol is closed until then."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All of it; the sessions are in the order in which they were opened."""

    sessions: list[LiveSession]
    rules: Rules
    spent: list[Spent]

    @property
    def imap_sessions(self) -> int:
        """Those that the cap on connections counts."""
        return sum(session.protocol == "imap" for session in self.sessions)


def standing_of(tx: Tx, account_id: int, settings: Rules, now: int) -> Standing:
    """Where an account stands. Raises NoSuchAccount."""
    columns = rules_columns(tx, account_id)
    if columns is None:
        raise NoSuchAccount
    rules = rules_of(columns[0], columns[1], settings)
    moved = octets_today(tx, account_id, now)
    closed = {one.kind: one.until for one in read_reached(columns[2]) if one.until > now}
    ends = (now // DAY_SECONDS + 1) * DAY_SECONDS
    spent = [
        Spent(kind, moved.get(kind, 0), limit_of(rules, kind), closed.get(kind, ends), kind in closed) for kind in KINDS
    ]
    return Standing(list_sessions(tx, account_id), rules, spent)
