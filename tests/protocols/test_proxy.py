"""The PROXY header, both versions: whole, in pieces, and wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.proxy import ProxyHeader, ProxyMalformed, parse_proxy

V4 = b"PROXY TCP4 203.0.113.7 192.0.2.1 4242 993\r\n"
V6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 4242 993\r\n"
START = b"\r\n\r\n\0\r\nQUIT\n"
PORTS = (4242).to_bytes(2, "big") + (993).to_bytes(2, "big")
BINARY = START + b"\x21\x11\0\x0c" + bytes([203, 0, 113, 7, 192, 0, 2, 1]) + PORTS
BINARY6 = START + b"\x21\x21\0\x2a" + bytes([0x20, 1, 0x0D, 0xB8, *[0] * 11, 7]) * 2 + PORTS + b"\x04\0\3abc"


@pytest.mark.parametrize(
    ("header", "source"),
    [
        (V4, ("203.0.113.7", 4242)),
        (V6, ("2001:db8::7", 4242)),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff:: whatever 1 2\r\n", None),
        (BINARY, ("203.0.113.7", 4242)),
        (BINARY6, ("2001:db8::7", 4242)),
        (START + b"\x20\0\0\0", None),
        (START + b"\x21\x31\0\x03abc", None),
    ],
)
def test_a_header_is_read_at_its_last_octet_and_not_before(header: bytes, source: tuple[str, int] | None) -> None:
    for cut in range(len(header)):
        assert parse_proxy(header[:cut]) is None
    parsed = parse_proxy(header + b"EHLO x\r\n")
    assert parsed is not None
    assert (parsed.source, parsed.length) == (source, len(header))


def test_both_addresses_are_told() -> None:
    assert parse_proxy(V4) == ProxyHeader(("203.0.113.7", 4242), ("192.0.2.1", 993), len(V4))


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO client\r\n",
        b"\x16\x03\x01",
        b"PROXY TCP4 203.0.113.7\r\n",
        b"PROXY TCP4 2001:db8::1 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.999 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 70000 2\r\n",
        b"PROXY " + b"x" * 200,
        START + b"\x31\x11\0\x0c",
        START + b"\x21\x11\0\x04abcd",
        START + b"\x21\x11\xff\xff",
    ],
)
def test_anything_else_is_malformed(header: bytes) -> None:
    with pytest.raises(ProxyMalformed):
        parse_proxy(header)


@given(st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", START, START + b"\x21\x11\0\x0c"]), st.binary(max_size=200))
def test_arbitrary_octets_raise_nothing_else(start: bytes, rest: bytes) -> None:
    try:
        parse_proxy(start + rest)
    except ProxyMalformed:
        return
