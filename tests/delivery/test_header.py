"""The header of a message on its way through: whole before it is looked at, whatever the pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.delivery.header import HeaderGate, refuse_loop, without_our_results
from mailhost.delivery.model import MAX_HEADER, HeaderTooLarge, MailLoop

HOST = "mail.example.test"


def through(pieces: list[bytes], *, mend: bool = False) -> tuple[bytes, bytes]:
    """What comes out, and the header the rule was shown."""
    shown: list[bytes] = []

    def mark(header: bytes) -> bytes:
        shown.append(header)
        return b"X: new\r\n" + header

    gate = HeaderGate(mark, mend=mend)
    out = b"".join([*map(gate.feed, pieces), gate.finish()])
    [header] = shown
    return out, header


def cut(whole: bytes, data: st.DataObject) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody\r\n\r\nmore\r\n", b"A: 1\r\nB: 2\r\n"),
        (b"\r\nbody\r\n", b""),
        (b"", b""),
        (b"A: 1\r\n", b"A: 1\r\n"),
        (b"A: 1", b"A: 1\r\n"),
    ],
)
def test_the_header_is_what_stands_before_the_empty_line(content: bytes, header: bytes) -> None:
    out, shown = through([content])
    assert shown == header
    assert out == b"X: new\r\n" + (content if content != b"A: 1" else b"A: 1\r\n")


@given(parts=st.lists(st.sampled_from([b"A: b", b"\r\n", b"\r\n", b"x"]), max_size=20), data=st.data())
def test_any_split_gives_the_same(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    assert through(cut(whole, data)) == through([whole])


@given(parts=st.lists(st.sampled_from([b"A: b", b"\r", b"\n", b"\r\n", b"x"]), max_size=20), data=st.data())
def test_with_mending_no_newline_hides_a_field(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    _, shown = through(cut(whole, data), mend=True)
    mended = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    _, expected = through([mended])
    assert shown == expected


def test_a_header_without_end_is_refused() -> None:
    gate = HeaderGate(lambda header: header)
    for _ in range(MAX_HEADER // 1024):
        assert gate.feed(b"x" * 1024) == b""
    with pytest.raises(HeaderTooLarge):
        gate.feed(b"x")


def test_fifty_hops_pass_and_one_more_does_not() -> None:
    hops = b"Received: by a\r\nRECEIVED : by b\r\n" * 25
    refuse_loop(hops + b"X-Received: by c\r\n")
    with pytest.raises(MailLoop):
        refuse_loop(hops + b"received: by c\r\n")


@pytest.mark.parametrize(
    "field",
    [
        b"Authentication-Results: mail.example.test; none\r\n",
        b"authentication-results:MAIL.EXAMPLE.TEST;\r\n\tspf=pass\r\n dkim=pass\r\n",
        b"Authentication-Results :\r\n mail.example.test 1; spf=pass\r\n",
        b'Authentication-Results: (c (d)) "mail.example.test"; spf=pass\r\n',
        b"Authentication-Results: mail.example.test\r\n",
    ],
)
def test_results_in_our_name_go(field: bytes) -> None:
    assert without_our_results(b"A: 1\r\n" + field + b"B: 2\r\n", HOST) == b"A: 1\r\nB: 2\r\n"
    assert without_our_results(field * 2, HOST) == b""


@pytest.mark.parametrize(
    "field",
    [
        b"Authentication-Results: mx.elsewhere.test; x=mail.example.test\r\n",
        b"X-Authentication-Results: mail.example.test; spf=pass\r\n",
        b"Subject: Authentication-Results: mail.example.test; spf=pass\r\n",
        b"A: 1\r\n authentication-results: mail.example.test; spf=pass\r\n",
        b"Authentication-Results:\r\n",
    ],
)
def test_everything_else_stays(field: bytes) -> None:
    assert without_our_results(field, HOST) == field
