"""Charsets, transfer encodings and encoded words."""

import encodings
import pkgutil
from binascii import b2a_base64
from time import process_time

import pytest

from mailhost.message.encoded import decode_base64, decode_header, decode_text, decode_transfer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?Q?H=C3=A4llo_there?=", "Hällo there"),
        (b"a =?utf-8?B?w6Q=?= b", "a ä b"),
        (b"=?utf-8?B?w6Q=?= \t =?UTF-8?q?=C3=A4?=", "ää"),
        (b"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "ä"),
        (b"=?gb2312?B?xOO6w8qA?=", "你好蕗"),
        (b"=?big5?B?p0Gmbg==?=", "你好"),
        (b"=?Shift_JIS?B?k/qWew==?=", "日本"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= =?iso-2022-jp?B?GyRCRnwbKEI=?=", "日本日"),
        (b"=?ks_c_5601-1987?B?x9GxuQ==?=", "한국"),
        (b"=?utf-8*en?Q?x?=", "x"),
        (b"=?windows-1252?Q?=80?=", "€"),
        (b"=?unknown-charset?Q?caf=E9?=", "café"),
        (b"=?utf-8?B?w6Q?=", "ä"),
        (b"=?utf-8?Q?what??= =?utf-8?Q?a?b?=", "what?a?b"),
        (b"=?utf-8?Q?bad? =?utf-8?Q?good?=", "=?utf-8?Q?bad? good"),
        (b"=?idna?Q?=FF?=", "ÿ"),
        (b"=?utf-8?X?abc?= =?broken", "=?utf-8?X?abc?= =?broken"),
        (b"raw caf\xc3\xa9", "raw café"),
        (b"raw caf\xe9", "raw café"),
        (b"raw \xc4\xe3\xba\xc3", "raw 你好"),
    ],
)
def test_header(value: bytes, text: str) -> None:
    assert decode_header(value) == text


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        ("你好".encode("gb18030"), b"GB2312", "你好"),
        ("你好".encode("gb18030"), None, "你好"),
        ("Müller".encode("latin-1"), b"utf-8", "Müller"),
        ("Müller".encode("latin-1"), b"us-ascii", "Müller"),
        (b"a\xff" + "ä".encode() * 20, b"utf-8", "a\ufffd" + "ä" * 20),
        ("日本".encode("euc-jp"), b"EUC-JP", "日本"),
        (b"\xa4\xa4\xff", b"euc-jp", "い\ufffd"),
        (b"abc", b"base64", "abc"),
        (b"abc", b"\xff\0", "abc"),
        ("Müller 你好".encode("utf-16"), b"utf-16", "Müller 你好"),
        ("Müller 你好".encode("utf-16-be"), b"UTF-16BE", "Müller 你好"),
        ("Müller 你好".encode("utf-32"), b"utf-32", "Müller 你好"),
        (b"abc", b"idna", "abc"),
        (b"+2AA- +2D3eAA-", b"utf-7", "\ufffd \U0001f600"),
        (b"", b"utf-8", ""),
    ],
)
def test_text(octets: bytes, charset: bytes | None, text: str) -> None:
    assert decode_text(octets, charset) == text


def test_half_a_character_at_a_cut_is_dropped() -> None:
    for charset in ("utf-8", "gb18030", "big5", "shift_jis", "euc-kr"):
        octets = "漢字".encode(charset)
        assert decode_text(octets[:-1], charset.encode(), is_cut=True) == "漢"


@pytest.mark.parametrize(
    ("octets", "encoding", "decoded"),
    [
        (b"aGVs\r\nbG8=\r\n", b"base64", b"hello"),
        (b"aGVs!bG8", b"base64", b"hello"),
        (b"aGVsbG8gY", b"base64", b"hello "),
        (b"=C3=A4=\r\nx", b"quoted-printable", b"\xc3\xa4x"),
        (b"=G1=", b"quoted-printable", b"=G1"),
        (b"begin 644 a\n%:&5L;&\\\n`\nend\n", b"x-uuencode", b"hello"),
        (b"as it is", b"8bit", b"as it is"),
        (b"as it is", b"nonsense", b"as it is"),
    ],
)
def test_transfer_encoding(octets: bytes, encoding: bytes, decoded: bytes) -> None:
    assert decode_transfer(octets, encoding) == decoded


def test_url_safe_base64_is_understood() -> None:
    assert decode_base64(b"-_8") == b"\xfb\xff"


@pytest.mark.filterwarnings("ignore:.*escape:DeprecationWarning")
@pytest.mark.parametrize("charset", [module.name for module in pkgutil.iter_modules(encodings.__path__)])
def test_whatever_python_takes_for_a_charset_makes_text_that_can_be_stored(charset: str) -> None:
    for octets in (b"", b"abc-\xe9", b"xn--a..", b"\\ud800 \\x", b"+2AA-", bytes(range(256)) * 3):
        for is_cut in (False, True):
            decode_text(octets, charset.encode(), is_cut=is_cut).encode()
        decode_header(b"=?%b?B?%b?=" % (charset.encode(), b2a_base64(octets, newline=False))).encode()


def test_no_charset_takes_the_square_of_the_length() -> None:
    started = process_time()
    decode_text(b"a" * 200_000 + b"-" + b"aaaaaaaab" * 20_000, b"punycode")
    assert process_time() - started < 1
