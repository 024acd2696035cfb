"""Octets a day: what is counted for which protocol, which limit holds, and how it is told."""

from collections.abc import Mapping
from typing import Final

from mailhost.accounts.audit.model import Cause
from mailhost.accounts.sessions.sql import (
    DAY_SECONDS,
    Reached,
    close_for_today,
    count_octets,
    read_reached,
    rules_columns,
)
from mailhost.limits import Rules, rules_of
from mailhost.login.model import Protocol
from mailhost.storage.database import Tx

IMAP_DOWN, IMAP_UP, POP3_DOWN = KINDS = ("imap-download", "imap-upload", "pop3-download")
_KINDS: Final[dict[Protocol, tuple[str | None, str | None]]] = {
    "imap": (IMAP_DOWN, IMAP_UP),
    "pop3": (POP3_DOWN, None),
    "smtp": (None, None),  # messages a day are counted instead
    "web": (None, None),
}
_UNITS: Final = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def kinds_of(protocol: Protocol) -> tuple[str | None, str | None]:
    """What is counted of a protocol: (octets to the client, octets from it), None where nothing is."""
    return _KINDS[protocol]


def limit_of(rules: Rules, kind: str) -> int | None:
    """How many octets of a kind the rules allow in a day."""
    return {IMAP_DOWN: rules.imap_download, IMAP_UP: rules.imap_upload, POP3_DOWN: rules.pop3_download}[kind]


def count_moved(tx: Tx, moved: Mapping[tuple[int, str], int], settings: Rules, now: int) -> None:
    """Count what accounts moved, and close what they have used up until the day (UTC) is over."""
    sums = count_octets(tx, moved, now)
    until = (now // DAY_SECONDS + 1) * DAY_SECONDS
    for (account_id, kind), octets in sums.items():
        columns = rules_columns(tx, account_id)
        if columns is None:
            continue
        limit = limit_of(rules_of(columns[0], columns[1], settings), kind)
        known = [one for one in read_reached(columns[2]) if one.until > now]
        if limit is not None and octets > limit and all(one.kind != kind for one in known):
            close_for_today(tx, account_id, [*known, Reached(kind, limit, until)])


def reached_now(tx: Tx, account_id: int, protocol: Protocol, now: int) -> Reached | None:
    """The daily limit of a protocol that an account has reached, if it has."""
    columns = rules_columns(tx, account_id)
    return reached_in(columns[2], protocol, now) if columns is not None else None


def reached_in(over_limits: str, protocol: Protocol, now: float) -> Reached | None:
    """Likewise, from the column."""
    kinds = _KINDS[protocol]
    return next((one for one in read_reached(over_limits) if one.until > now and one.kind in kinds), None)


def cause_of_reached(reached: Reached) -> Cause:
    """The diary's word for it."""
    return Cause.OVER_UPLOAD if reached.kind == IMAP_UP else Cause.OVER_DOWNLOAD


def shown_octets(octets: int) -> str:
    """A daily amount for people: `2.5 GB a day`."""
    return f"{shown_amount(octets)} a day" if octets >= 1_000 else f"{octets} octets a day"


def shown_amount(octets: int) -> str:
    """An amount for people: `2.5 GB`, and at least in kB."""
    unit, name = next((one for one in _UNITS if octets >= one[0]), _UNITS[-1])
    return f"{octets / unit:.4g} {name}"
