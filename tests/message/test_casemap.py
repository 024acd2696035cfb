"""i;unicode-casemap: which texts are one, and how they are ordered (RFC 5051)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.casemap import casemap


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller", "MÜLLER"),
        ("Müller", "mu\u0308ller"),  # composed and decomposed
        ("ﬁn", "ﬁN"),
        ("Ångström", "\u212bNGSTRÖM"),  # the sign of the unit
        ("ǆ", "Ǆ"),  # has a title case of its own
        ("ΜΆΪΟΣ", "μάϊος"),
        ("发票", "发票"),
        ("ＡＢＣ", "abc"),
    ],
)
def test_what_is_equal(one: str, other: str) -> None:
    assert casemap(one) == casemap(other)


@pytest.mark.parametrize(("one", "other"), [("ß", "ss"), ("a", "á"), ("发", "發")])
def test_what_is_not(one: str, other: str) -> None:
    assert casemap(one) != casemap(other)


def test_letters_stand_before_the_marks_between_the_cases() -> None:
    assert sorted(["_", "a", "B", "c"], key=casemap) == ["a", "B", "c", "_"]


@given(st.text(), st.text())
def test_it_is_the_same_for_parts_and_forms(left: str, right: str) -> None:
    text = left + right
    assert casemap(unicodedata.normalize("NFC", text)) == casemap(unicodedata.normalize("NFD", text))
    if not any(map(unicodedata.combining, unicodedata.normalize("NFKD", right))):
        assert casemap(right) in casemap(text)
