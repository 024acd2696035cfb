"""SEARCH finds what another reader of the same mail sees: Python's email package, and RFC 9051 §6.4.4 word by word."""

import email
import html
import quopri
import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterator, Sequence
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value
from functools import cache
from html.parser import HTMLParser
from random import Random

import pytest

from mailhost import mailstore
from mailhost.protocols.imap.search import BodyContains, HeaderContains, SearchKey, TextContains
from tests.mailstore.test_index import by_index, by_looking, index  # noqa: F401  # a fixture

TEXTS = {
    "Straße Müller Grüße übermäßig": ("utf-8", "iso-8859-1", "windows-1252", "utf-16", "utf-7"),
    "élève cœur “guillemets” d’été": ("utf-8", "windows-1252"),
    "Привет мир Ёлка": ("koi8-r", "windows-1251", "iso-8859-5", "utf-16"),
    "Zażółć gęślą jaźń": ("iso-8859-2", "windows-1250"),
    "Καλημέρα ΣΊΣΥΦΟΣ": ("iso-8859-7", "utf-8"),
    "İstanbul ığdır IĞDIR": ("iso-8859-9", "utf-8"),
    "请查收附件中的发票号码": ("gb18030", "gb2312", "utf-8", "utf-16", "hz"),
    "請查收附件發票號碼": ("big5", "utf-8"),
    "添付の請求書をご確認カタカナ": ("iso-2022-jp", "shift_jis", "euc-jp"),
    "안녕하세요 송장을 확인해": ("euc-kr", "ks_c_5601-1987", "utf-8"),
    "สวัสดีครับภาษาไทย": ("tis-620", "utf-8"),
    "សួស្តីពិភពលោក": ("utf-8",),
    "नमस्ते दुनिया": ("utf-8",),
    unicodedata.normalize("NFD", "Tiếng Việt phở"): ("utf-8",),
    "ﬁnance ｆｕｌｌ ｶﾀｶﾅ ½ Ⅳ": ("utf-8",),
    "in\u00advisible zero\u200bwidth": ("utf-8",),
    "party 🎉 done ❤ ok": ("utf-8",),
    'no. 1,234.56 ann@example.org AND "quoted" star* -dash ^caret col:on a_b': ("us-ascii", "utf-8"),
    "x" * 70 + " end": ("us-ascii",),
    "مُحَمَّد كتـــاب שָׁלוֹם עולם": ("utf-8",),
    "it’s l’été non‑breaking 2024–2025 −5": ("utf-8",),
    "葛\U000e0100城 \u202a邊\ufe00\u202c": ("utf-8",),
    "so said:\r\n> the words that\r\n>  go on >> here\r\n>> 发\r\n>> 票号 \r\n码": ("utf-8", "gb18030"),
}
UNBROKEN = "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\u0e01-\u0e3a\u0e40-\u0e4e\u1780-\u17d3"
WRAPPED = re.compile(f"(?<=[{UNBROKEN}]) ?\r?\n(?=[{UNBROKEN}])")
WIDER = {"gb2312": "gb18030", "ks_c_5601-1987": "cp949", "us-ascii": "utf-8"}


class Author:
    """Writes mail that is right and hard to read."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)

    def message(self) -> bytes:
        text = " ".join(self.dice.choice(list(TEXTS)).split())
        head = b"Subject: %b\r\n\ttail\r\nFrom: %b <a@b.test>\r\n" % (
            self._words(text[:30]),
            self._words(text.split()[0]),
        )
        return head + (self._text() if self.dice.random() < 0.5 else self._parts(0))

    def _words(self, text: str) -> bytes:
        """A text in encoded words of a few characters each; ASCII as it is."""
        if text.isascii():
            return text.encode()
        pieces = [text[start : start + 7].encode() for start in range(0, len(text), 7)]
        return b"\r\n ".join(b"=?utf-8?B?%b?=" % b64encode(piece) for piece in pieces)

    def _text(self) -> bytes:
        text = self.dice.choice(list(TEXTS))
        charset = self.dice.choice(TEXTS[text])
        text += f" mark{self.dice.randrange(9)}"
        kind = self.dice.choice(("plain", "plain", "html"))
        if kind == "html":
            word = html.escape(text)
            text = self.dice.choice(
                (
                    f"<html><head><title>unseen</title><body><p>{word}</p>",
                    f"<!--[if !mso]><!--><div>{word}<!--<![endif]--><style>unseen</style>",
                    f"<table><td title='>'>{word.replace(' ', '</td><td>')}</td></table>",
                    f"<img alt='{word}' title='unseen' src=x>{word[:2]}<area alt={word.split()[0]}>",
                    f"<p>{word[:1]}<b>{word[1:3]}</b>{word[3:]}<br>",
                )
            )
        octets = text.encode(charset)
        if charset != "utf-16" and self.dice.random() < 0.4:
            encoding, octets = "quoted-printable", quopri.encodestring(octets).replace(b"\n", b"\r\n")
        else:
            encoding, octets = "base64", re.sub(rb"(.{61})", rb"\1\r\n", b64encode(octets))
        head = f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        return head.encode() + octets + b"\r\n"

    def _parts(self, depth: int) -> bytes:
        makers = [self._text, self._file, *((lambda: self._parts(depth + 1), self._inside) if depth < 3 else ())]
        boundary = b"b%d" % self.dice.getrandbits(40)
        parts = [self.dice.choice(makers)() for _ in range(3)]
        head = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n" % boundary
        return head + b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary

    def _inside(self) -> bytes:
        return b"Content-Type: message/rfc822\r\n\r\n" + self.message()

    def _file(self) -> bytes:
        octets = b"".join(b"%%%02X" % octet for octet in self.dice.choice(list(TEXTS)).split()[0][:20].encode())
        name = b"filename*0*=utf-8''%b; filename*1*=%b" % (octets[:9], octets[9:])
        return b"Content-Type: application/pdf\r\nContent-Disposition: attachment; %b\r\n\r\nunseen\r\n" % name


class Shown(HTMLParser):
    """The text of markup."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.text = ""
        self._hidden = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag if tag in ("title", "style") else self._hidden
        alternative = dict(attrs).get("alt") or "" if tag in ("img", "area") else ""
        self.text += "" if tag == "b" else f"\n{alternative}\n"

    def handle_endtag(self, tag: str) -> None:
        self._hidden = "" if tag == self._hidden else self._hidden
        self.text += "" if tag == "b" else "\n"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else WRAPPED.sub("", data).replace("\n", " ")


def fields(message: Message) -> list[tuple[str, str]]:
    raw = [(name.lower(), re.sub(r"\r?\n(?=[ \t])", "", str(value))) for name, value in message.raw_items()]
    return [(name, str(make_header(decode_header(value)))) for name, value in raw]


def body(message: Message) -> Iterator[str]:
    for part in message.walk():
        if name := part.get_param("filename", header="content-disposition"):
            yield collapse_rfc2231_value(name)
        if part.get_content_maintype() == "text":
            charset = part.get_content_charset("us-ascii")
            text = part.get_payload(decode=True).decode(WIDER.get(charset, charset))
            yield Shown(text).text if part.get_content_subtype() == "html" else text
        if part.get_content_type() == "message/rfc822":
            yield from (f"{name}: {value}" for name, value in fields(part.get_payload(0)))


@cache
def plain(text: str) -> str:
    """As somebody would type it: no bars of quoting, no points, no invisible characters, straight marks."""
    lines = [line.lstrip(" \t>") or line for line in re.split("(?<=\n)", text)]
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", "".join(lines)).casefold())
    typed = "".join(STRAIGHT.get(each, each) for each in folded.replace("i\u0307", "i") if not is_untyped(each))
    return " ".join(WRAPPED.sub("", typed).split())


STRAIGHT = {"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "‐": "-", "‑": "-", "–": "-", "−": "-", "ı": "i"}


def is_untyped(character: str) -> bool:
    name = unicodedata.name(character, "")
    is_point = unicodedata.category(character) == "Mn" and name.startswith(("ARABIC", "HEBREW POINT", "HEBREW ACCENT"))
    return is_point or unicodedata.category(character) == "Cf" or name.startswith(("VARIATION", "ARABIC TATWEEL"))


def stands_in(text: str, query: str) -> bool:
    """Whether it stands there from the beginning of a word."""
    wanted, there = plain(query), plain(text)
    places = (found.start() for found in re.finditer(f"(?={re.escape(wanted)})", there))
    return any(not (is_letter(wanted[0]) and place and is_letter(there[place - 1])) for place in places)


def is_letter(character: str) -> bool:
    is_word = character.isalnum() or unicodedata.category(character)[0] == "M"
    return is_word and not re.match(f"[{UNBROKEN}\uac00-\ud7af]", character)


def queries(dice: Random, texts: Sequence[str], count: int) -> Iterator[str]:
    for _ in range(count):
        text = " ".join(dice.choice(texts).split())
        word = dice.choice(text.split())
        start = dice.randrange(len(text))
        piece = text[start : start + dice.randrange(1, 9)]
        query = dice.choice((word, word[: dice.randrange(1, len(word) + 1)], piece, word.upper())).strip()
        if plain(query):
            yield query


@pytest.mark.parametrize("seed", range(2))
async def test_search_finds_what_a_reader_sees(database, blobs, account, put, index, seed: int) -> None:  # noqa: F811  # the fixture
    await database.write(mailstore.set_quota, account, 10_000_000)
    author, seen = Author(seed), {}
    for _ in range(40):
        content = author.message()
        message = email.message_from_bytes(content)
        seen[await put(content)] = fields(message), list(body(message))
    for number, query in enumerate(queries(Random(seed), [text for _, texts in seen.values() for text in texts], 40)):
        keys: dict[SearchKey, list[int]] = {
            BodyContains(query): [
                uid for uid, (_, texts) in seen.items() if any(stands_in(text, query) for text in texts)
            ],
            HeaderContains("subject", query): [
                uid
                for uid, (values, _) in seen.items()
                if any(casefolded(query) in casefolded(value) for name, value in values if name == "subject")
            ],
        }
        keys[TextContains(query)] = sorted(
            {*keys[BodyContains(query)]}
            | {uid for uid, (values, _) in seen.items() if any(stands_in(f"{n}: {v}", query) for n, v in values)}
        )
        for key, expected in keys.items():
            assert await by_index(database, blobs, index, account, key) == expected, key
            if number % 10 == 0:
                assert await by_looking(database, blobs, account, key) == expected, key


@cache
def casefolded(text: str) -> str:
    """As i;unicode-casemap has it (RFC 5051)."""
    titled = "".join(each.title() if len(each.title()) == 1 else each for each in text.replace("\t", " "))
    return unicodedata.normalize("NFKD", titled)
