"""SEARCH of hard mail at the door: what is written in so many ways is found as people type it; charsets are read."""

import tracemalloc
import unicodedata
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from mailhost.mailstore import indexer
from mailhost.servers.imap import search as searching
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database
from tests.servers.imap.test_sessions import LOGIN, Client
from tests.transcripts.house import House

PLAIN: Final = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
QUOTED: Final = b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n%b\r\n"


def text(body: str) -> bytes:
    return PLAIN + body.encode() + b"\r\n"


def titled(subject: bytes) -> bytes:
    return b"Subject: " + subject + b"\r\n\r\nx\r\n"


def decomposed(body: str) -> str:
    return unicodedata.normalize("NFD", body)


HALVES: Final = ("é发票".encode()[:3], "é发票".encode()[3:])
MAIL: Final[tuple[tuple[bytes, tuple[str, ...], tuple[str, ...]], ...]] = (
    (
        QUOTED % (b"plain", b"inter=\r\nnational gree=  \r\ntings caf=c3=\r\n=A9=\r\n=20bar"),
        ("BODY international", "BODY greetings", "BODY café bar"),
        ("BODY national", "BODY tings"),
    ),
    (
        titled(b"\r\n ".join(b"=?utf-8?B?%b?=" % b64encode(half) for half in HALVES)),
        ("SUBJECT é发票", "TEXT 发票"),
        (),
    ),
    (titled(b"=?UTF-8?Q?M=C3?=\r\n\t=?utf-8?Q?=BCller_x?="), ("SUBJECT MÜLLER X", "TEXT müller"), ()),
    (titled("Grüße".encode("latin-1")), ("SUBJECT grüße", "TEXT GRÜSSE"), ()),
    (
        text(decomposed("Crème Ångström 세금계산서")),
        ("BODY crème", f"BODY {decomposed('CRÈME')}", "BODY \u212bngström", "BODY 계산서"),
        ("BODY creme",),
    ),
    (text("ＩＮＶ　１２ ｶﾞｷﾞ oﬃce ㈱ ½"), ("BODY inv 12", "BODY ガギ", "BODY ｶﾞ", "BODY office", "BODY 株", "BODY ½"), ()),
    (text("İstanbul IĞDIR"), ("BODY istanbul", "BODY İSTANBUL", "BODY ığdır", "BODY ISTANBUL"), ()),
    (text("Straße GROẞ"), ("BODY STRASSE", "BODY straße", "BODY groß"), ()),
    (text("مُحَمَّد كتـــاب שָׁלוֹם"), ("BODY محمد", "BODY مُحَمَّد", "BODY كتاب", "BODY שלום"), ()),
    (text("ขอใบเสร็จรับเงินด้วย"), ("BODY ใบเสร็จ", "BODY เงิน"), ("BODY ใบกำกับ",)),
    (
        text("请查收附件中的发\r\n票，\r\n> 下一 \r\n> 行"),
        ("BODY 发票", "BODY 的发票", "BODY 下一行"),
        ("BODY 票下",),
    ),
    (text("> a phrase that\r\n> goes on"), ("BODY that goes", "BODY > a phrase"), ("BODY that > goes",)),
    (text("ok 👍🏽 👨‍👩‍👧 🇩🇪 ❤️ x☕y"), ("BODY 👍", "BODY 👨‍👩‍👧", "BODY 🇩🇪", "BODY ❤", "BODY ☕"), ("BODY 🎂",)),
    (text("it’s l’été O'Brien"), ("BODY it's", "BODY it’s", "BODY l'été", "BODY été", "BODY O’Brien"), ("BODY its",)),
    (
        text("well-known non‑breaking INV-2026/113 #4711 my_file_name.txt"),
        ("BODY well-known", "BODY known", "BODY non-breaking", "BODY 2026/11", "BODY #4711", "BODY file_name.txt"),
        ("BODY well known", "BODY 711", "BODY 13"),
    ),
    (
        text("<ann.lee+tag@mail.example.org> 192.168.10.1 https://x.test/a?b=%20c#d 1,234.56 50% 12\u00a0345"),
        (
            *("BODY ann.lee+tag@mail.example.org", "BODY @mail", "BODY <ann", "BODY 168.10", "BODY 12 345"),
            *("BODY https://x.test/a?b=%20c#d", "BODY ://x", "BODY 1,234.56", "BODY 50%"),
        ),
        ("BODY nn.lee", "BODY 2.168"),
    ),
    (text("x" * 3_000 + " " + "y" * 100), ("BODY " + "x" * 900, "BODY " + "y" * 100), ("BODY " + "y" * 101,)),
    (
        QUOTED
        % (
            b"html",
            b"caf&eacute; &#x53d1;&#31080; x&shy;y in<wbr>side <a href=3D'//hidden.test'>f<b>o</b>o</a><p>un</p>done",
        ),
        ("BODY café", "BODY 发票", "BODY xy", "BODY inside", "BODY foo"),
        ("BODY undone", "BODY hidden.test"),
    ),
    (
        text("葛\U000e0100城 \u202ac:\\dir 订单INV7已发货"),
        ("BODY 葛城", "BODY c:\\dir", "BODY inv7已", "BODY 已发"),
        (),
    ),
    (
        b"Subject: one\r\n\ttwo\r\n  three\r\n\r\n",
        ("SUBJECT one two", "TEXT two three", "BODY ", "TEXT "),
        ("HEADER X-No ",),
    ),
)

WRITTEN: Final = {
    "請求書のご確認": "iso-2022-jp shift_jis euc-jp cp932",
    "发票号码": "gb18030 gbk gb2312",
    "發票號碼": "big5 big5-hkscs",
    "привет Ёлка": "koi8-r koi8-u windows-1251 iso-8859-5 cp866",
    "안녕하세요": "euc-kr iso-2022-kr cp949",
    "Zażółć gęślą": "iso-8859-2 windows-1250",
    "İstanbul ığdır": "iso-8859-9 windows-1254",
    "Καλημέρα": "iso-8859-7 windows-1253",
    "שלום עולם": "iso-8859-8 windows-1255",
    "مرحبا": "iso-8859-6 windows-1256",
    "สวัสดี": "tis-620",
    "Grüße": "iso-8859-1 iso-8859-15 windows-1252",
}


async def search(client: Client, key: str, charset: str = "utf-8") -> list[int]:
    """The UIDs found; behind the last blank but those in the text asked for stands that text."""
    *names, asked = key.split(" ", 2 if key.startswith("HEADER") else 1)
    octets = asked.encode(charset)
    client.send(f"t UID SEARCH CHARSET {charset} {' '.join(names)} {{{len(octets)}+}}\r\n".encode() + octets + b"\r\n")
    found = await client.line()
    assert found.startswith(b"* SEARCH"), (key, found)
    assert (await client.line()).startswith(b"t OK")
    return list(map(int, found.split()[2:]))


@asynccontextmanager
async def client_with(database: Database, blobs: Blobs, letters: Iterable[bytes]) -> AsyncIterator[Client]:
    house = House(database, blobs, None)
    await house.build()
    for letter in letters:
        await house.deliver(letter)
    async with house.connection("imap") as connection:
        client = Client(*connection)
        await client.line()
        await client.command(LOGIN)
        await client.command("b SELECT INBOX")
        yield client
    await house.close()


async def test_what_is_written_in_many_ways_is_found(
    database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the index and without."""
    async with client_with(database, blobs, (letter for letter, _, _ in MAIL)) as client:
        for messages in (0, indexer.CATCH_UP):
            monkeypatch.setattr(indexer, "CATCH_UP", messages)
            for uid, (_, right, wrong) in enumerate(MAIL, start=1):
                for key in right:
                    assert uid in await search(client, key), key
                for key in wrong:
                    assert uid not in await search(client, key), key


async def test_charsets_of_mail_and_of_searches(database: Database, blobs: Blobs) -> None:
    letters = [(written, charset) for written, charsets in WRITTEN.items() for charset in charsets.split()]

    def letter(written: str, charset: str) -> bytes:
        octets, name = b64encode(written.encode(charset)), charset.encode()
        head = b"Subject: =?%b?B?%b?=\r\nContent-Type: text/plain; charset=%b\r\n" % (name, octets, name)
        return head + b"Content-Transfer-Encoding: base64\r\n\r\n" + octets + b"\r\n"

    async with client_with(database, blobs, (letter(*each) for each in letters)) as client:
        for uid, (written, charset) in enumerate(letters, start=1):
            for name in ("SUBJECT", "BODY", "TEXT"):
                assert uid in await search(client, f"{name} {written}"), (name, charset)
            assert uid in await search(client, f"BODY {written}", charset), charset


@pytest.mark.parametrize("at_once", [1, 3, 500])
@pytest.mark.parametrize("octets", [0, 1 << 20])
async def test_a_mailbox_is_walked_through_page_by_page(
    database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch, at_once: int, octets: int
) -> None:
    monkeypatch.setattr(searching, "CANDIDATES_AT_ONCE", at_once)
    monkeypatch.setattr(searching, "_HEADERS_AT_ONCE", octets)
    letters = [b"X-Odd: %d\r\nDate: day %d\r\n\r\nletter %d of all\r\n" % (n % 2, n, n) for n in range(1, 9)]
    async with client_with(database, blobs, letters) as client:
        for keys, found in (
            ("HEADER X-Odd 1", b"1 3 5 7"),
            ("NOT HEADER X-Odd 1", b"2 4 6 8"),
            ('OR HEADER X-Odd 0 HEADER DATE "y 7"', b"2 4 6 7 8"),
            ('HEADER X-Odd 1 NOT BODY "5 of"', b"1 3 7"),
            ('OR BODY "letter 4" (NOT OR HEADER X-Odd 1 SUBJECT "x" UID 3:* BODY "8 of")', b"4 8"),
            ('OR HEADER X-None "" BODY "6 of"', b"6"),
        ):
            assert (await client.command(f"t UID SEARCH {keys}"))[0] == b"* SEARCH %b\r\n" % found, keys


async def test_a_search_holds_one_message_at_a_time(
    database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello dear world\r\n--b\r\n"
    file = b"Content-Type: application/pdf\r\n\r\n" + b"x" * 76 * 20_000 + b"\r\n--b--\r\n"
    monkeypatch.setattr(indexer, "CATCH_UP", 0)
    async with client_with(database, blobs, (head + file for _ in range(12))) as client:
        tracemalloc.start()
        try:
            assert len(await search(client, "BODY dear world")) == 12
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 6 * len(file)
