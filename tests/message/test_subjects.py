"""Base subjects as RFC 5256 §2.1 has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message import subjects
from mailhost.message.casemap import casemap
from mailhost.message.subjects import base_subject


@pytest.mark.parametrize(
    ("subject", "base", "is_reply"),
    [
        (b"Lunch", "lunch", False),
        (b" Re: Lunch ", "lunch", True),
        (b"RE:re: fw: FWD : Lunch", "lunch", True),
        (b"Re[2]: Lunch", "lunch", True),
        (b"[list] Re: [list] Lunch (fwd) (FWD)", "lunch", True),
        (b"Lunch (fwd)", "lunch", True),
        (b"[Fwd: [list] Re: Lunch]", "lunch", True),
        (b"[fwd: a] b", "b", False),
        (b"[Fwd: a] [b]", "[b]", False),
        (b"[list]", "[list]", False),
        (b"[a] [b]", "[b]", False),
        (b"Re:", "", True),
        (b"fw:", "", True),
        (b"Forward", "forward", False),
        (b"Rear", "rear", False),
        (b"Fwalla", "fwalla", False),
        (b"Regarding: lunch", "regarding: lunch", False),
        (b"a\t b\r\n c", "a b c", False),
        (b"=?utf-8?q?Re=3A_Gr=C3=BC=C3=9Fe?=", "grüße", True),
        (b"", "", False),
    ],
)
def test_base_subject(subject: bytes, base: str, is_reply: bool) -> None:
    assert base_subject(subject) == (casemap(base), is_reply)


@given(st.text("[]refwd:() a\t", max_size=30))
def test_a_base_is_its_own_base(text: str) -> None:
    base = base_subject(text.encode()).text
    assert base_subject(base.encode()).text == base


@given(
    st.text("[]RefwD:() =?a\t\r\n", max_size=30)
    | st.from_regex(r" ?(re: |fwd: )*[a-z(]{1,4}( [a-z)]{1,5})*", fullmatch=True)
)
def test_the_short_way_leads_to_the_same_base(text: str) -> None:
    assert base_subject(text.encode()) == subjects._base_subject(text.encode())


def test_many_brackets_cost_no_more_than_their_number() -> None:
    assert base_subject(b"[a]" * 100_000).text
    assert base_subject(b"re " * 100_000).text
