"""Dates of the Date: field and of INTERNALDATE."""

import pytest

from mailhost.message.dates import internal_date_text, parse_date

NOON = 1_795_608_000  # 25 Nov 2026 12:00:00 UTC


@pytest.mark.parametrize(
    "value",
    [
        b"Wed, 25 Nov 2026 12:00:00 +0000",
        b"25 Nov 2026 12:00:00 GMT",
        b"Wed, 25 Nov 2026 12:00 Z",
        b"Wed, 25 Nov 2026 13:00:00 +0100 (CET)",
        b"Wed, 25 Nov 26 07:00:00 EST",
        b"Wed, 25 Nov 126 07:00:00 EST",
        b"Wed,25 Nov 2026 12:00:00 UT",
        b"Wed (a (nested) comment), 25 November 2026 12:00:00 +0000",
        b"Wednesday, 25-Nov-2026 12:00:00 -0000",
        b"Wed Nov 25 12:00:00 2026",
        b"Wed Nov 25 04:00:00 PST 2026",
        b"Wed, 25 Nov 2026 12:00:00",
        b"Wed, 25 Nov 2026 12:00:00 XYZ",
        b"Wed, 25 Nov 2026 14:00:00 GMT+0200",
        b"  wed, 25 nov 2026 12.00.00 +00:00",
    ],
)
def test_date(value: bytes) -> None:
    written = parse_date(value)
    assert written is not None
    assert written.seconds == NOON


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (b"1 Jan 1970 23:30:00 -0800", 0),
        (b"2 Jan 1970 00:30:00 +0900", 1),
        (b"Thu Jan  1 23:30:00 PST 1970", 0),
        (b"31 Dec 1969 12:00:00 GMT", -1),
    ],
)
def test_day_as_written(value: bytes, day: int) -> None:
    written = parse_date(value)
    assert written is not None
    assert written.day == day


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"junk",
        b"31 Feb 2026 00:00:00 +0000",
        b"1 Foo 2026 1:1:1",
        b"1 Jan 2026 99:00",
        b"\xff\0",
        b"1 Jan 0 1:1:1",
    ],
)
def test_no_date(value: bytes) -> None:
    assert parse_date(value) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, b" 1-Jan-1970 00:00:00 +0000"),
        (NOON, b"25-Nov-2026 12:00:00 +0000"),
        (NOON + 86_399, b"26-Nov-2026 11:59:59 +0000"),
        (-1, b"31-Dec-1969 23:59:59 +0000"),
    ],
)
def test_internal_date(seconds: int, text: bytes) -> None:
    assert internal_date_text(seconds) == text


def test_moments_beyond_the_calendar_have_a_text_too() -> None:
    assert internal_date_text(10**15).startswith(b"31-Dec-9999 ")
    assert internal_date_text(-(10**15)).startswith(b" 1-Jan-0001 ")
