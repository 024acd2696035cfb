"""Numbers of parts as RFC 9051 §6.4.5.1 counts them, down to the octets they name."""

import pytest

from mailhost.message.digest import digest_of
from mailhost.message.scan import Scanner
from mailhost.message.sections import Section, find_section

WHOLE, HEADER, TEXT, MIME = Section.WHOLE, Section.HEADER, Section.TEXT, Section.MIME

NESTED = (
    "Subject: outer\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain\n\none\n"
    "--a\nContent-Type: message/rfc822\n\nSubject: two\nContent-Type: multipart/alternative; boundary=b\n\n"
    "--b\nContent-ID: <21>\n\ntwo.one\n--b\n\ntwo.two\n--b--\n"
    "--a\nContent-Type: message/rfc822\n\nSubject: three\n\nthree.one\n--a--\n"
)
PLAIN = "Subject: plain\n\nhello\n"
FORWARD = "Content-Type: message/rfc822\n\nSubject: inner\n\nhello\n"


def section(text: str, path: tuple[int, ...], what: Section) -> str | None:
    content = text.replace("\n", "\r\n").encode()
    scanner = Scanner()
    scanner.feed(content)
    found = find_section(digest_of(scanner).parts, path, what)
    return None if found is None else content[found.start : found.start + found.length].decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("text", "path", "what", "octets"),
    [
        (PLAIN, (), WHOLE, PLAIN),
        (PLAIN, (), HEADER, "Subject: plain\n\n"),
        (PLAIN, (), TEXT, "hello\n"),
        (PLAIN, (), MIME, None),
        (PLAIN, (1,), WHOLE, "hello\n"),
        (PLAIN, (1,), MIME, "Subject: plain\n\n"),
        (PLAIN, (1,), HEADER, None),
        (PLAIN, (1,), TEXT, None),
        (PLAIN, (2,), WHOLE, None),
        (PLAIN, (1, 1), WHOLE, None),
        (PLAIN, (0,), WHOLE, None),
        (NESTED, (1,), WHOLE, "one"),
        (NESTED, (1,), MIME, "Content-Type: text/plain\n\n"),
        (NESTED, (1,), TEXT, None),
        (NESTED, (2,), HEADER, "Subject: two\nContent-Type: multipart/alternative; boundary=b\n\n"),
        (NESTED, (2,), MIME, "Content-Type: message/rfc822\n\n"),
        (NESTED, (2,), TEXT, "--b\nContent-ID: <21>\n\ntwo.one\n--b\n\ntwo.two\n--b--"),
        (NESTED, (2, 1), WHOLE, "two.one"),
        (NESTED, (2, 1), MIME, "Content-ID: <21>\n\n"),
        (NESTED, (2, 2), WHOLE, "two.two"),
        (NESTED, (2, 2), MIME, "\n"),
        (NESTED, (2, 3), WHOLE, None),
        (NESTED, (3,), WHOLE, "Subject: three\n\nthree.one"),
        (NESTED, (3, 1), WHOLE, "three.one"),
        (NESTED, (3, 1), MIME, "Subject: three\n\n"),
        (NESTED, (3, 2), WHOLE, None),
        (NESTED, (4,), WHOLE, None),
        (FORWARD, (1,), WHOLE, "Subject: inner\n\nhello\n"),
        (FORWARD, (1,), HEADER, "Subject: inner\n\n"),
        (FORWARD, (1,), TEXT, "hello\n"),
        (FORWARD, (1, 1), WHOLE, "hello\n"),
        (FORWARD, (1, 1), MIME, "Subject: inner\n\n"),
        (FORWARD, (1, 1, 1), WHOLE, None),
    ],
)
def test_section(text: str, path: tuple[int, ...], what: Section, octets: str | None) -> None:
    assert section(text, path, what) == octets
