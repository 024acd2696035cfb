"""Previews and searchable text."""

import pytest

from mailhost.message.digest import digest_of
from mailhost.message.html import html_to_text
from mailhost.message.scan import SAMPLE, Scanner
from mailhost.message.text import body_texts, header_text


def preview(text: str | bytes) -> str:
    scanner = Scanner()
    scanner.feed(text if isinstance(text, bytes) else text.encode())
    return digest_of(scanner).preview


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\n\nHello\n  there \n", "Hello there"),
        ("\n\nYes.\n\nOn Monday, Jo wrote:\n> no\n> no\n\nReally.\n-- \nSignature\n", "Yes. Really."),
        ("\n\nMy list:\nmilk\n", "My list: milk"),
        ("\n\nFYI\n\n-----Original Message-----\nFrom: x\n", "FYI"),
        ("\n\n> all is quoted\n", "> all is quoted"),
        ("\n\n", ""),
        ("Content-Type: text/html\n\n<head><style>p{}</style></head><p>Hi <b>th</b>ere &amp; you", "Hi there & you"),
        ("Content-Type: text/html\n\n<img alt=Logo><p>Dear all", "Dear all"),
        ("Content-Type: image/png\n\nabc", ""),
        ("Content-Disposition: attachment\n\nabc", ""),
        ("Content-Type: text/plain; charset=gb2312\nContent-Transfer-Encoding: base64\n\nxOO6ww==\n", "你好"),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n\n<p>html\n--a\n\nplain\n--a--",
            "plain",
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\n  \n\n--a\nContent-Type: text/html\n\n<p>html\n--a--",
            "html",
        ),
    ],
)
def test_preview(text: str, shown: str) -> None:
    assert preview(text) == shown


def test_preview_is_short_and_cuts_no_character() -> None:
    assert preview("\n\n" + "word " * 10_000) == ("word " * 40).strip()
    long_line = "Content-Type: text/plain; charset=utf-8\n\n " + "漢" * SAMPLE
    assert preview(long_line) == "漢" * 200


def test_html_is_stripped() -> None:
    markup = (
        '<!-- a > b --><title>no</title><script>if (a < b) {}</script><p title="x>y">One<br>two</p>'
        "<a href='>'>t</a>hree<p>4 < 5 &lt;ok&gt;&nbsp;it's <img alt=it's> end"
    )
    assert html_to_text(markup) == "One\ntwo\nthree\n4 < 5 <ok> it's\nend"


@pytest.mark.parametrize("unit", ["<", "<a", '<a ="', "<!--", "<style>", "&", "<a '", "</", "<title", " <"])
def test_hostile_markup_comes_to_an_end(unit: str) -> None:
    assert isinstance(html_to_text(unit * 30_000), str)


def test_searchable_text_of_all_parts() -> None:
    content = (
        b"Subject: outer\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Transfer-Encoding: base64\n\n"
        b"aGVsbG8=\n--a\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
        b"<p>caf=E9</p>\n--a\nContent-Type: application/octet-stream\n\nbinary\n--a\nContent-Type: message/rfc822\n\n"
        b"Subject: =?utf-8?Q?inn=C3=A9r?=\n\ndeep\n--a--\n"
    )
    assert list(body_texts(content)) == ["hello", "café", "subject: innér", "deep"]


def test_header_text_is_decoded() -> None:
    header = b"Subject: =?utf-8?Q?caf=C3=A9?=\r\n folded\r\nFrom: a@b\r\n"
    assert header_text(header) == "subject: café folded\nfrom: a@b"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<html><head><meta name=x><title>no</title><body>shown", "shown"),
        ("<head><style>no{}</style>shown", "shown"),
        ("<!--[if !mso]><!-->shown<!--<![endif]-->", "shown"),
        ("<!-->shown<!--->too<!--no--!>end", "showntooend"),
        ("dis<del>joi</del><o:p>n</o:p>ed <nobr>w</nobr>ord", "disjoined word"),
        ("<svg><title>no</title><text>shown</text></svg>", "shown"),
        ("<header>a</header><style-guide>b</style-guide>", "a\nb"),
        ("发\r\n票 ab\ncd", "发票 ab cd"),
    ],
)
def test_html_is_what_a_browser_shows(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a<img src=x alt=Logo title=no>b", "a\nLogo\nb"),
        ("<IMG ALT='it is' width=1>", "it is"),
        ('<img title="alt=no" data-alt=no src="a>b" alt = "x > y &amp;\n z"/>', "x > y & z"),
        ("<area alt=North href=#><img alt><img alt=''><img src=alt=no><p alt=no><imgx alt=no>", "North"),
        ("<img alt='first' alt='second'>", "first"),
        ("<img alt='发'>票<!-- <img alt=no> --><style><img alt=no></style>", "发\n票"),
        ('<img alt="<b>bold</b>">', "<b>bold</b>"),
    ],
)
def test_what_stands_for_a_picture_is_searched(markup: str, text: str) -> None:
    content = f"Content-Type: text/html; charset=utf-8\r\n\r\n{markup}".encode()
    assert list(body_texts(content)) == [text]


@pytest.mark.parametrize("unit", ["<img ", "<img alt=", "<img alt='", '<img a="b"', " alt", "<img alt alt ", "<area\t"])
def test_hostile_pictures_come_to_an_end(unit: str) -> None:
    assert isinstance(html_to_text(unit * 30_000, with_alternatives=True), str)
    assert isinstance(html_to_text("<img " + unit * 30_000 + ">", with_alternatives=True), str)


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        (
            "plain; format=flowed; delsp=yes",
            "请查收发 \r\n票号\r\n> 人工 \r\n> 智能\r\n-- \r\nx",
            "请查收发票号\r\n> 人工智能\r\n-- \r\nx",
        ),
        ("plain; format=flowed", "a \r\nb", "a \r\nb"),
        (
            "calendar; charset=utf-8",
            "BEGIN:VCALENDAR\r\nSUMMARY:Den\r\n tist\\, at \r\n\tten\\nBring\\; or not \\\\n\r\n",
            "BEGIN:VCALENDAR\r\nSUMMARY:Dentist, at ten\nBring; or not \\n\r\n",
        ),
        ("x-vcard", "begin:vcard\nFN:Ann\n  Lee", "begin:vcard\nFN:Ann Lee"),
        ("plain", "a\\nb BEGIN:VCARD\n c", "a\\nb BEGIN:VCARD\n c"),
        ("html", '<meta http-equiv=Content-Type content="text/html; charset=koi8-r">Привет', "Привет"),
        ("html; charset=koi8-r", "<meta charset=utf-8>Привет", "Привет"),
    ],
)
def test_texts_are_read_as_they_were_written(head: str, body: str, text: str) -> None:
    content = f"Content-Type: text/{head}\r\n\r\n".encode() + body.encode("koi8-r" if "При" in body else "utf-8")
    assert list(body_texts(content)) == [text]


def test_a_calendar_is_folded_within_characters() -> None:
    head, whole = b"Content-Type: text/calendar\n\n", "BEGIN:VCALENDAR\nSUMMARY:会议".encode()
    assert list(body_texts(head + whole[:-2] + b"\r\n " + whole[-2:])) == [whole.decode()]


def test_every_name_of_a_file_and_every_report_is_searched() -> None:
    content = (
        b"Content-Type: multipart/report; boundary=a\n\n--a\n"
        b'Content-Type: application/pdf; name="=?utf-8?q?=C3=A9?="\n'
        b"Content-Disposition: attachment; filename=plain.pdf; filename*=utf-8''%e5%8f%91.pdf;\n"
        b" filename*0*=gb18030''%b7; filename*1*=%a2x.pdf\n\nunseen\n"
        b"--a\nContent-Type: message/delivery-status\n\nDiagnostic-Code: smtp; 550 full\n--a--\n"
    )
    assert list(body_texts(content)) == ["plain.pdf", "é", "发.pdf", "发x.pdf", "Diagnostic-Code: smtp; 550 full"]
