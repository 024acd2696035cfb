"""Dates: the Date: field as people's programs write it (RFC 5322 §3.3, §4.3), and IMAP's INTERNALDATE."""

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from mailhost.message.mime import without_comments

_MONTH_NAMES: Final = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_MONTHS: Final = {name.lower(): number for number, name in enumerate(_MONTH_NAMES, start=1)}
_ZONES: Final = {
    b"ut": 0,
    b"gmt": 0,
    b"utc": 0,
    b"z": 0,
    b"est": -300,
    b"edt": -240,
    b"cst": -360,
    b"cdt": -300,
    b"mst": -420,
    b"mdt": -360,
    b"pst": -480,
    b"pdt": -420,
}
_DATE: Final = re.compile(
    rb"\s*(?:[A-Za-z]{3,9}\.?\s*,?\s*)?([0-9]{1,2})[\s\-]+([A-Za-z]{3})[A-Za-z]*\.?,?[\s\-]+([0-9]{2,4}),?"
    rb"(?:\s+([0-9]{1,2})\s*[:.]\s*([0-9]{1,2})(?:\s*[:.]\s*([0-9]{1,2})(?:[.,][0-9]+)?)?)?"
    rb"\s*(?:(?:GMT|UTC?)?([+-])\s?([0-9]{2}):?([0-9]{2})|([A-Za-z]{1,5}))?"
)
_C_DATE: Final = re.compile(  # Tue Nov 24 23:38:19 [zone] 2026
    rb"\s*[A-Za-z]{3,9},?\s+([A-Za-z]{3})[a-z]*\s+([0-9]{1,2}),?\s+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?"
    rb"(?:\s+([A-Z]{1,5}|[+-][0-9]{4}))?\s+([0-9]{4})(?:\s+([+-][0-9]{4}))?"
)
_EPOCH: Final = date(1970, 1, 1)
_LAST_DAY: Final = (date.max - _EPOCH).days
_FIRST_DAY: Final = (date.min - _EPOCH).days
_HOUR_MINUTE: Final = tuple(b"%02d:%02d:" % divmod(minute, 60) for minute in range(1440))
_SECOND: Final = tuple(b"%02d +0000" % second for second in range(60))


class WrittenDate(NamedTuple):
    """A date with its zone: the moment in Unix seconds, and the day since 1970-01-01 that was written down.

    SENTON looks at the day as written, whatever the zone (RFC 9051 §6.4.4).
    """

    seconds: int
    day: int


def parse_date(value: bytes) -> WrittenDate | None:
    """What a Date: value names; None where nobody could tell."""
    value = value[:200]
    if b"(" in value:
        value = without_comments(value)
    found = _DATE.match(value)
    if found:
        day, month, year, hour, minute, second, sign, zone_hours, zone_minutes, name = found.groups()
        zone = _offset(sign, zone_hours, zone_minutes) if sign else _ZONES.get((name or b"").lower(), 0)
        return _written(_year(year), month, day, hour or b"0", minute or b"0", second or b"0", zone)
    found = _C_DATE.match(value)
    if found is None:
        return None
    month, day, hour, minute, second, name, year, tail = found.groups()
    zone_text = tail or name or b""
    if zone_text[:1] in (b"+", b"-"):
        zone = _offset(zone_text[:1], zone_text[1:3], zone_text[3:5])
    else:
        zone = _ZONES.get(zone_text.lower(), 0)
    return _written(int(year), month, day, hour, minute, second or b"0", zone)


def internal_date_text(seconds: int) -> bytes:
    """The moment as an IMAP date-time in UTC without its quotes, such as `17-Jul-1996 02:44:25 +0000`."""
    rest = seconds % 86_400
    return _day_text(seconds // 86_400) + _HOUR_MINUTE[rest // 60] + _SECOND[rest % 60]


@lru_cache(maxsize=4096)
def _day_text(day: int) -> bytes:
    moment = _EPOCH + timedelta(days=min(max(day, _FIRST_DAY), _LAST_DAY))
    return b"%2d-%b-%04d " % (moment.day, _MONTH_NAMES[moment.month - 1], moment.year)


def _year(text: bytes) -> int:
    """Two and three digits are years of the last century or this one (RFC 5322 §4.3)."""
    year = int(text)
    if len(text) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(text) == 3 else year


def _offset(sign: bytes, hours: bytes, minutes: bytes) -> int:
    """Minutes east of UTC."""
    total = int(hours) * 60 + int(minutes)
    return -total if sign == b"-" else total


def _written(
    year: int, month: bytes, day: bytes, hour: bytes, minute: bytes, second: bytes, zone: int
) -> WrittenDate | None:
    number = _MONTHS.get(month.lower())
    if number is None or int(hour) > 24 or int(minute) > 59 or int(second) > 60:
        return None
    try:
        days = (date(year, number, int(day)) - _EPOCH).days
    except ValueError:
        return None
    return WrittenDate(days * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second) - zone * 60, days)
