"""The name in a ClientHello, as real clients send it, cut short, and as nobody should."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.network.hello import asked_name


def hello(name: str | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_name_that_a_client_asks_for(version: ssl.TLSVersion) -> None:
    assert asked_name(hello("IMAP.Example.test", version)) == "imap.example.test"
    assert asked_name(hello(None, version)) == ""


def test_what_is_cut_short_names_nothing_else() -> None:
    whole = hello("imap.example.test")
    assert {asked_name(whole[:end]) for end in range(len(whole) + 1)} == {"", "imap.example.test"}


@given(st.binary(max_size=300))
def test_nonsense_is_no_name(noise: bytes) -> None:
    assert asked_name(noise) == "" or noise[:1] == b"\x16"
    asked_name(b"\x16\x03\x01\x01\x00\x01" + noise)


def test_a_name_with_what_no_name_has_is_none() -> None:
    whole = hello("imap.example.test")
    assert asked_name(whole.replace(b"imap.example.test", b"imap\nexample.test")) == ""
