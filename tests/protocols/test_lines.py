"""Lines come out the same however the bytes were split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.lines import LineBuffer, LineTooLong


def lines_of(pieces: list[bytes], max_line: int = 8) -> list[bytes | str]:
    buffer = LineBuffer(max_line)
    out: list[bytes | str] = []
    for piece in pieces:
        buffer.feed(piece)
        while True:
            try:
                line = buffer.next_line()
            except LineTooLong:
                out.append("too long")
                continue
            if line is None:
                break
            out.append(line)
        assert len(buffer) <= max_line + 1
    return out


def test_both_line_ends_are_accepted() -> None:
    assert lines_of([b"one\r\ntwo\n\r\nrest"]) == [b"one", b"two", b""]


def test_only_the_last_cr_belongs_to_the_line_end() -> None:
    assert lines_of([b"a\r\r\nb\rc\n"]) == [b"a\r", b"b\rc"]


@pytest.mark.parametrize(("octets", "fits"), [(8, True), (9, False)])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_the_limit_counts_octets_without_the_line_end(octets: int, fits: bool, end: bytes) -> None:
    assert lines_of([b"x" * octets + end + b"next\n"]) == [b"x" * octets if fits else "too long", b"next"]


def test_an_endless_line_is_told_once_and_not_kept() -> None:
    assert lines_of([b"x" * 5] * 1000 + [b"tail\r\nnext\r\n"]) == ["too long", b"next"]


@given(st.lists(st.sampled_from([b"x", b"\r", b"\n", b"abcd"]), max_size=60), st.data())
def test_any_split_gives_the_same_lines(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert lines_of(pieces) == lines_of([whole[i : i + 1] for i in range(len(whole))])


def test_taken_octets_can_be_put_back() -> None:
    buffer = LineBuffer(10)
    buffer.feed(b"12345678\r\n")
    assert buffer.take(4) == b"1234"
    assert buffer.take() == b"5678\r\n"
    buffer.put_back(b"78\r\n")
    assert buffer.next_line() == b"78"
    buffer.feed(b"plain text")
    buffer.clear()
    assert len(buffer) == 0
