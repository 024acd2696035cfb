"""The grammar of envelope addresses."""

import pytest

from mailhost.protocols.smtp.addresses import Address, parse_address


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("ann@example.test", "ann", "example.test"),
        ("Ann+list=a@Example.TEST", "Ann+list=a", "Example.TEST"),
        ("o'neil.b/c@a-b.example", "o'neil.b/c", "a-b.example"),
        ('"ann b"@example.test', "ann b", "example.test"),
        (r'"a\"b\\c"@example.test', 'a"b\\c', "example.test"),
        ('"a@b"@example.test', "a@b", "example.test"),
        ('""@example.test', "", "example.test"),
        ("jörg@bücher.example", "jörg", "bücher.example"),
        ("用户@例え.example", "用户", "例え.example"),
        ("ann@[192.0.2.1]", "ann", "[192.0.2.1]"),
        ("ann@[IPv6:2001:db8::1]", "ann", "[IPv6:2001:db8::1]"),
        ("@relay.example,@other.example:ann@example.test", "ann", "example.test"),
        ("Postmaster", "Postmaster", ""),
        ("x" * 200 + "@example.test", "x" * 200, "example.test"),
        ("host_name@a_b.example", "host_name", "a_b.example"),
    ],
)
def test_addresses_are_read_and_written_back(text: str, local: str, domain: str) -> None:
    address = parse_address(text)
    assert address == Address(local, domain)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "ann@",
        "@example.test",
        "ann@@example.test",
        ".ann@example.test",
        "ann.@example.test",
        "an..n@example.test",
        "ann b@example.test",
        "ann@-example.test",
        "ann@example..test",
        "ann@example.test.",
        "ann@[300.0.0.1]",
        "ann@[IPv6:zz::1]",
        "ann@[]",
        'ann"@example.test',
        '"ann@example.test',
        '"a\rb"@example.test',
        "ann@exa\nmple.test",
        "ann\0@example.test",
        "x" * 257 + "@example.test",
        "ann@" + "x." * 130 + "test",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None


def test_non_ascii_shows() -> None:
    assert Address("ann", "example.test").is_ascii
    assert not Address("jörg", "example.test").is_ascii
    assert not Address("ann", "bücher.example").is_ascii
