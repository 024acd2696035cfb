"""Choosing fields from raw headers and from packed ones."""

import pytest

from mailhost.message.headers import (
    CACHED_FIELDS,
    field_mask,
    first_values,
    pack_fields,
    parse_fields,
    select_cached,
    select_fields,
    unpack_fields,
)

HEADER = (
    b"Received: from x\r\n by y\r\nDATE: now\r\nno field at all\r\nSubject : a\r\n\tb\r\nTo: c\r\nX-Subject: d\r\n"
    b"Subject: second\r\nx-other:\r\n"
)


@pytest.mark.parametrize("end", [b"", b"\r\n"])
@pytest.mark.parametrize(
    ("names", "exclude", "lines"),
    [
        ({b"subject"}, False, b"Subject : a\r\n\tb\r\nSubject: second\r\n"),
        ({b"to", b"date"}, False, b"DATE: now\r\nTo: c\r\n"),
        ({b"absent"}, False, b""),
        (set(), False, b""),
        (set(), True, HEADER),
        ({b"received", b"subject", b"date"}, True, b"no field at all\r\nTo: c\r\nX-Subject: d\r\nx-other:\r\n"),
        ({b"x-other", b"subj.ct"}, False, b"x-other:\r\n"),
    ],
)
def test_select(names: set[bytes], exclude: bool, lines: bytes, end: bytes) -> None:
    assert select_fields(HEADER + end, frozenset(names), exclude) == lines + b"\r\n"


def test_select_from_bare_lf_and_without_last_line_end() -> None:
    assert select_fields(b"A: b\nC: d", frozenset((b"c",)), exclude=False) == b"C: d\r\n\r\n"
    assert select_fields(b"A: b\nC: d\n e\nF: g", frozenset((b"a",)), exclude=True) == b"C: d\r\n e\r\nF: g\r\n\r\n"
    assert select_fields(b"", frozenset((b"c",)), exclude=True) == b"\r\n"


def test_packed_fields_answer_as_the_raw_ones_do() -> None:
    packed = pack_fields(parse_fields(HEADER))
    for names in (frozenset((b"subject",)), frozenset((b"to", b"date", b"cc")), CACHED_FIELDS):
        assert select_cached(packed, field_mask(names)) == select_fields(HEADER, names, exclude=False)
    assert unpack_fields(packed) == b"DATE: now\r\nSubject : a\r\n\tb\r\nTo: c\r\nSubject: second\r\n"


def test_packed_fields_of_nothing_and_with_nul() -> None:
    mask = field_mask(frozenset((b"to",)))
    assert select_cached(pack_fields([]), mask) == b"\r\n"
    assert select_cached(pack_fields(parse_fields(b"To: a\0b")), mask) == b"To: a?b\r\n\r\n"


def test_first_values_are_unfolded() -> None:
    values = first_values(parse_fields(HEADER), {b"subject", b"received", b"x-other"})
    assert values[b"subject"] == b"a\tb"
    assert values[b"received"] == b"from x by y"
    assert values[b"x-other"] == b""
