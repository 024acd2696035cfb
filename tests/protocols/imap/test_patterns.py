import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.imap.patterns import Pattern


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "a/b", True),
        ("%", "a", True),
        ("%", "a/b", False),
        ("%/%", "a/b", True),
        ("a*", "a", True),
        ("*b", "a/b", True),
        ("*a%b", "a/ab", True),
        ("INBOX", "INBOX", True),
        ("INBOX", "INBOX2", False),
        ("", "", True),
        ("", "a", False),
        ("%%%", "abc", True),
        ("%*%", "a/b/c", True),
    ],
)
def test_examples(pattern: str, name: str, expected: bool) -> None:
    assert Pattern(pattern).matches(name) is expected


@given(st.text("ab/*%", max_size=6), st.text("ab/", max_size=8))
def test_agrees_with_a_regular_expression(pattern: str, name: str) -> None:
    expression = re.escape(pattern).replace(r"\*", ".*").replace("%", "[^/]*")
    assert Pattern(pattern).matches(name) == (re.fullmatch(expression, name) is not None)


def test_many_wildcards_cost_no_more_than_few() -> None:
    started = time.process_time()
    assert not Pattern("*a" * 200 + "*b").matches("a" * 1000)
    assert time.process_time() - started < 5
