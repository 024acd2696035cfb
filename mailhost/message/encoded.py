"""Octets to text: charsets under all their names, transfer encodings, and encoded words (RFC 2045 §6, RFC 2047).

Everything here is tolerant: what cannot be decoded becomes U+FFFD or stays as it stands, and nothing raises.
"""

import binascii
import codecs
import re
from functools import lru_cache
from typing import Final

# A wider charset that says the same where the narrow one is right, and is what such mail was really written in.
_WIDER: Final = {
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "unknown-8bit": "utf-8",
    "x-unknown": "utf-8",
    "default_charset": "utf-8",
    "utf8": "utf-8",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gb2312-80": "gb18030",
    "x-gbk": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "x-gb18030": "gb18030",
    "big5": "big5hkscs",
    "cn-big5": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "korean": "cp949",
    "x-windows-949": "cp949",
    "windows-949": "cp949",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-6-e": "iso-8859-6",
    "iso-8859-6-i": "iso-8859-6",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "unicode-1-1-utf-7": "utf-7",
    "macintosh": "mac-roman",
    "x-mac-roman": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ce": "mac-latin2",
    "x-euc-jp": "euc-jp",
}
# A `?` in the text, which should be encoded, is taken as it is where it cannot be the end.
_ENCODED_WORD: Final = re.compile(
    rb"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,20})?\?([QqBb])\?((?>[^?\r\n]+|(?<!=)\?(?!=))*)\?="
)
_NO_CHARSETS: Final = frozenset(
    ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem")
)
"""Python's codecs that make text and are no charset: some refuse to replace, one takes the square of the length."""

_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]+")
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_CUT_REASONS: Final = ("unexpected end of data", "incomplete multibyte sequence", "truncated data")
_ASCII: Final = bytes(range(128))
_LIKE_GB2312: Final = re.compile(rb"(?:[\x00-\x7f]|[\xa1-\xf7][\xa1-\xfe])*+")
_PADDED_BREAK: Final = re.compile(rb"=[ \t]++(?=\r?\n)")  # blanks that a relay has added (RFC 2045 §6.7)
_UU_BODY: Final = re.compile(rb"(?:^|\n)begin [0-7]{3,4} [^\n]*\n(.*?)(?:\nend\b|\Z)", re.DOTALL)


def decode_text(octets: bytes, charset: bytes | None, *, is_cut: bool = False) -> str:
    """Octets as text. Where the charset is unknown, missing or wrong, it is guessed.

    `is_cut`: these are the first octets of more, and half a character at the end is dropped.
    """
    codec = codec_of(charset.lower()) if charset else "utf-8"
    if codec is None:
        return _guess(octets)
    try:
        return _decoded(octets, codec, "strict")
    except UnicodeDecodeError as error:
        if is_cut and error.start > 0 and error.reason in _CUT_REASONS:
            return _decoded(octets[: error.start], codec, "replace")
        return _guess(octets) if codec == "utf-8" else _decoded(octets, codec, "replace")
    except UnicodeError:
        return _decoded(octets, codec, "replace")


def decode_header(value: bytes) -> str:
    """An unfolded header value as text: encoded words decoded, raw UTF-8 taken as it is (RFC 2047, RFC 6532)."""
    if b"=?" not in value:
        return decode_text(value, None)
    pieces: list[str] = []
    pending: tuple[bytes, bytes] | None = None  # charset and octets of the words so far; a character may be split
    place = 0
    for word in _ENCODED_WORD.finditer(value):
        between = value[place : word.start()]
        charset, octets = word[1].lower(), _word_octets(word[2], word[3])
        if pending is not None and not between.strip():
            if pending[0] == charset and charset != b"iso-2022-jp":
                pending = (charset, pending[1] + octets)
            else:
                pieces.append(decode_text(pending[1], pending[0]))
                pending = (charset, octets)
        else:
            if pending is not None:
                pieces.append(decode_text(pending[1], pending[0]))
            pieces.append(decode_text(between, None))
            pending = (charset, octets)
        place = word.end()
    if pending is not None:
        pieces.append(decode_text(pending[1], pending[0]))
    pieces.append(decode_text(value[place:], None))
    return "".join(pieces)


def decode_transfer(octets: bytes, encoding: bytes) -> bytes:
    """A body, or the beginning of one, without its transfer encoding (lower-case name)."""
    if encoding == b"base64":
        return decode_base64(octets)
    if encoding == b"quoted-printable":
        return decode_quoted_printable(octets)
    if encoding in (b"x-uuencode", b"uuencode", b"x-uue", b"uue"):
        return _decode_uu(octets)
    return octets


def decode_quoted_printable(octets: bytes) -> bytes:
    """Quoted-printable in which what is no escape stands for itself; blanks behind a soft line break do not."""
    return binascii.a2b_qp(_PADDED_BREAK.sub(b"=", octets))


def decode_base64(octets: bytes) -> bytes:
    """Base64 in which anything but the alphabet is passed over; an incomplete end is dropped."""
    if not octets:
        return b""
    try:
        return binascii.a2b_base64(octets)
    except binascii.Error:
        digits = _NOT_BASE64.sub(b"", octets.translate(_URL_SAFE))
        digits = digits[: len(digits) - (len(digits) % 4 == 1)]
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _word_octets(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Bb":
        return decode_base64(text)
    return binascii.a2b_qp(text, header=True)


def _decode_uu(octets: bytes) -> bytes:
    found = _UU_BODY.search(octets)
    if found is None:
        return octets
    lines = []
    for line in found[1].splitlines():
        try:
            lines.append(binascii.a2b_uu(line))
        except binascii.Error:
            continue
    return b"".join(lines)


def _decoded(octets: bytes, codec: str, errors: str) -> str:
    text = octets.decode(codec, errors)
    if codec == "utf-7":  # it may name halves of characters alone, which nobody could store
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _guess(octets: bytes) -> str:
    """UTF-8 when most of it is; GB 2312 when all of it looks so; else Windows-1252, which everything is."""
    text = octets.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if not broken or broken * 8 <= len(octets.translate(None, _ASCII)):
        return text
    return octets.decode("gb18030", "replace") if _LIKE_GB2312.fullmatch(octets) else octets.decode("cp1252", "replace")


@lru_cache(maxsize=256)
def codec_of(charset: bytes) -> str | None:
    """Python's name of the codec of a charset, in lower case; None when there is none that makes text."""
    name = charset.decode("ascii", "replace").strip(" \"'")
    name = _WIDER.get(name, name)
    try:
        codec = codecs.lookup(name)
        if codec.name.replace("-", "_") in _NO_CHARSETS:
            return None
        b"\0\0\0\0".decode(codec.name)  # refused by what makes no text; a whole character of any width
    except (LookupError, UnicodeError, ValueError):
        return None
    return codec.name
