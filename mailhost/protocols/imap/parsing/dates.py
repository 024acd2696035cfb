"""The two forms of a date in commands (RFC 9051 §9 date and date-time)."""

import re
from datetime import date, datetime, timedelta, timezone
from typing import Final

from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC"), 1
    )
}
_DAY: Final = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1(?=[ )]|\Z)')
# node-imap writes `--400` for -0400.
_MOMENT: Final = re.compile(
    rb'"[ ]?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2})'
    rb' ([+-])([0-9]{2}|(?<=-)-[0-9](?=00))([0-9]{2})"'
)


def parse_day(cursor: Cursor) -> date:
    """`1-Feb-2026`, with or without quotes."""
    found = cursor.match(_DAY)
    if found is None:
        raise Refusal("A date is missing or malformed.")
    try:
        return date(int(found[4]), _MONTHS[found[3].upper()], int(found[2]))
    except (KeyError, ValueError) as error:
        raise Refusal("There is no such day.") from error


def parse_moment(cursor: Cursor) -> datetime:
    """`"01-Feb-2026 07:05:00 +0100"`, with its zone."""
    found = cursor.match(_MOMENT)
    if found is None:
        raise Refusal("The date and time are malformed.")
    offset = timedelta(hours=abs(int(found[8])), minutes=int(found[9]))
    try:
        return datetime(
            int(found[3]),
            _MONTHS[found[2].upper()],
            int(found[1]),
            int(found[4]),
            int(found[5]),
            min(int(found[6]), 59),  # a leap second
            tzinfo=timezone(offset if found[7] == b"+" else -offset),
        )
    except (KeyError, ValueError) as error:
        raise Refusal("There is no such date and time.") from error
