"""Transfer encodings are undone the same however the octets are cut, and never raise."""

import binascii
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.transfer import decoder_for


def decode(encoding: bytes, pieces: list[bytes]) -> bytes:
    decoder = decoder_for(encoding)
    assert decoder is not None
    return b"".join([*map(decoder.feed, pieces), decoder.finish()])


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(1, 9))
def test_base64_is_undone_at_any_cut(octets: bytes, cut: int, width: int) -> None:
    text = b64encode(octets)
    text = b"\r\n".join(text[place : place + width] for place in range(0, len(text), width))
    assert decode(b"base64", [text[:cut], text[cut:]]) == octets


@given(st.binary(max_size=200), st.integers(0, 600))
def test_quoted_printable_is_undone_at_any_cut(octets: bytes, cut: int) -> None:
    text = binascii.b2a_qp(octets, istext=False)
    assert decode(b"quoted-printable", [text[:cut], text[cut:]]) == octets


@given(
    st.sampled_from([b"base64", b"quoted-printable", b"8bit"]),
    st.lists(st.binary(max_size=9) | st.text("=AQ a1\r\n\t", max_size=9).map(str.encode), max_size=9),
)
def test_nothing_raises_and_no_cut_matters(encoding: bytes, pieces: list[bytes]) -> None:
    assert decode(encoding, pieces) == decode(encoding, [b"".join(pieces)])


def test_a_line_without_end_is_not_held_back() -> None:
    decoder = decoder_for(b"quoted-printable")
    assert decoder is not None
    given_back = b"".join(decoder.feed(b"=41" * 30_000 + b"=4") for _ in range(3))
    assert len(given_back) > 80_000


@pytest.mark.parametrize("cut", range(14))
def test_blanks_behind_a_soft_line_break_are_no_text(cut: int) -> None:
    """Relays add them (RFC 2045 §6.7)."""
    text = b"gree= \t\r\ntings"
    assert decode(b"quoted-printable", [text[:cut], text[cut:]]) == b"greetings"


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        (b"QUJD", b"ABC"),
        (b"QU JD\r\nRA==QUJD", b"ABCD"),
        (b"QUI", b"AB"),
        (b"QUJDR", b"ABC"),
        (b"", b""),
        (b"====", b""),
    ],
)
def test_base64_as_it_comes(text: bytes, octets: bytes) -> None:
    assert decode(b"base64", [text]) == octets


def test_of_other_encodings_nothing_is_known() -> None:
    assert decoder_for(b"x-uuencode") is None
    assert decode(b"binary", [b"a\0b"]) == b"a\0b"
