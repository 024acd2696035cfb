import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.imap.names import InvalidName, canonical_name, decode_name, encode_name
from mailhost.protocols.imap.utf7 import InvalidUtf7, decode_utf7, encode_utf7


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_decoding_undoes_encoding(name: str) -> None:
    assert decode_utf7(encode_utf7(name)) == name


def test_examples_of_the_rfc() -> None:
    assert encode_utf7("~peter/mail/台北/日本語") == b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"
    assert encode_utf7("Übung & mehr") == b"&ANw-bung &- mehr"


@pytest.mark.parametrize(
    "data",
    [
        b"&",
        b"&AGE-",  # an `a` that needs no encoding
        b"&Jjo!",
        b"&U,BTFw-&ZeVnLIqe-",  # two shifts in a row
        b"&2AA-",  # half a surrogate pair
        b"&ANx-",  # stray bits
        b"caf\xe9",
        b"&AN/A-",
        b"a\tb",
    ],
)
def test_only_the_canonical_encoding_is_taken(data: bytes) -> None:
    with pytest.raises(InvalidUtf7):
        decode_utf7(data)


@given(st.binary(max_size=20))
def test_whatever_decodes_encodes_to_the_same(data: bytes) -> None:
    try:
        name = decode_utf7(data)
    except InvalidUtf7:
        return
    assert encode_utf7(name) == data


def test_inbox_is_one_mailbox_however_it_is_written() -> None:
    assert decode_name(b"inBox", utf8=False) == "INBOX"
    assert decode_name(b"inBox/Old", utf8=False) == "INBOX/Old"
    assert decode_name(b"inboxes", utf8=False) == "inboxes"


def test_utf8_names_are_taken_as_they_are() -> None:
    assert decode_name("R&D/Übung".encode(), utf8=True) == "R&D/Übung"
    assert encode_name("R&D/Übung", utf8=True) == "R&D/Übung".encode()


def test_utf8_names_are_understood_before_they_are_enabled() -> None:
    assert decode_name("R&D/Übung".encode(), utf8=False) == "R&D/Übung"
    assert encode_name("R&D/Übung", utf8=False) == b"R&-D/&ANw-bung"
    with pytest.raises(InvalidName):
        decode_name(b"R&D", utf8=False)


NAMES = st.text(st.one_of(st.sampled_from("&-,+/aAPYw"), st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])))


@given(NAMES)
def test_after_utf8_accept_every_name_leads_back_to_itself_however_it_is_written(name: str) -> None:
    name = canonical_name(name)
    assert decode_name(encode_name(name, utf8=True), utf8=True) == name
    assert decode_name(encode_name(name, utf8=False), utf8=True) == name


def test_what_only_looks_like_modified_utf7_is_told_in_it() -> None:
    assert decode_name(b"K&APY-ln", utf8=True) == "Köln"
    assert encode_name("K&APY-ln", utf8=True) == b"K&-APY-ln"
    assert decode_name(b"R&-D", utf8=True) == decode_name(b"R&D", utf8=True) == "R&D"


@pytest.mark.parametrize("data", [b"a\x00b", b"a\r\nb", b"\xff", "a\u0085".encode()])
def test_names_that_could_break_a_line_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidName):
        decode_name(data, utf8=True)
