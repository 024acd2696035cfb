"""Address lists, right ones and those that programs write."""

import pytest

from mailhost.message.addresses import GROUP_END, Address, parse_addresses


def one(name: bytes | None, mailbox: bytes, host: bytes, route: bytes | None = None) -> Address:
    return Address(name, route, mailbox, host)


def group(name: bytes) -> Address:
    return Address(None, None, name, None)


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"a@b.test", [one(None, b"a", b"b.test")]),
        (b"Jane Doe <jane@b.test>", [one(b"Jane Doe", b"jane", b"b.test")]),
        (b'"Doe, Jane" <jane@b.test>, c@d', [one(b"Doe, Jane", b"jane", b"b.test"), one(None, b"c", b"d")]),
        (b'"a \\"b\\" \\\\" <a@b>', [one(b'a "b" \\', b"a", b"b")]),
        (b"a@b (The (real) A)", [one(b"The (real) A", b"a", b"b")]),
        (b"Name (comment) <a@b>", [one(b"Name", b"a", b"b")]),
        (b'"john doe"@b, "x@y"@z', [one(None, b"john doe", b"b"), one(None, b"x@y", b"z")]),
        (b"a . b @ c . d", [one(None, b"a.b", b"c.d")]),
        (b"<@r1,@r2:a@b>", [one(None, b"a", b"b", b"@r1,@r2")]),
        (b"a@[192.0.2.1]", [one(None, b"a", b"[192.0.2.1]")]),
        (
            b"Team: a@b, C <c@d>;, e@f",
            [group(b"Team"), one(None, b"a", b"b"), one(b"C", b"c", b"d"), GROUP_END, one(None, b"e", b"f")],
        ),
        (b"undisclosed-recipients:;", [group(b"undisclosed-recipients"), GROUP_END]),
        (b"Team: a@b", [group(b"Team"), one(None, b"a", b"b"), GROUP_END]),
        (b"J\xc3\xb6rg <j\xc3\xb6rg@b>", [one(b"J\xc3\xb6rg", b"j\xc3\xb6rg", b"b")]),
        (b"=?utf-8?Q?J=C3=B6rg?= <a@b>", [one(b"=?utf-8?Q?J=C3=B6rg?=", b"a", b"b")]),
        (b"Jane Q. Doe <a@b>", [one(b"Jane Q. Doe", b"a", b"b")]),
        (b"root", [one(None, b"root", b"MISSING_DOMAIN")]),
        (b"Mailer <>", [one(b"Mailer", b"MISSING_MAILBOX", b"MISSING_DOMAIN")]),
        (b"a@b@c", [one(None, b"a@b", b"c")]),
        (b"a@b;c@d", [one(None, b"a", b"b"), one(None, b"c", b"d")]),
        (b'"unclosed <a@b>, c@d', [one(b"unclosed", b"a", b"b"), one(None, b"c", b"d")]),
        (b"Open <a@b, c@d", [one(b"Open", b"a", b"b"), one(None, b"c", b"d")]),
        (b",, ,", []),
        (b"", []),
        (b"<>", []),
        (b"(only a comment", [one(b"only a comment", b"MISSING_MAILBOX", b"MISSING_DOMAIN")]),
    ],
)
def test_addresses(value: bytes, addresses: list[Address]) -> None:
    assert parse_addresses(value) == addresses


@pytest.mark.parametrize(
    "unit", [b'"', b'\\"', b"(", b")", b"<", b"a.", b'"a"', b"a@", b"@a,", b"[", b":", b";,", b"\\", b"a b "]
)
def test_long_rubbish_comes_to_an_end(unit: bytes) -> None:
    assert isinstance(parse_addresses(b'"' + unit * 60_000), list)
    assert isinstance(parse_addresses(b"<" + unit * 60_000), list)
