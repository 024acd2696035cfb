import pytest

from mailhost.protocols.imap.fetch import Partial, Section, Text
from mailhost.protocols.imap.urls import InvalidUrl, MessageUrl, parse_url

WHOLE = Section((), Text.WHOLE, (), None, sets_seen=False, label=b"BODY[]")


@pytest.mark.parametrize(
    ("url", "selected", "mailbox", "validity"),
    [
        (b"/INBOX/;UID=7", None, "INBOX", None),
        (b"/inbox;UIDVALIDITY=3/;uid=7", None, "INBOX", 3),
        (b"/a/b;uidvalidity=3/;UID=7", None, "a/b", 3),
        (b"/a%2Fb%20c;UID=7", None, "a/b c", None),
        (b"/%C3%BC/;UID=7", None, "ü", None),
        (b";UID=7", "a/b", "a/b", None),
        (b"/;UID=7", "a/b", "a/b", None),
        (b"c/;UID=7", "a/b", "a/c", None),
        (b"c/;UID=7", "b", "c", None),
        (b"c/;UID=7", None, "c", None),
        (b";UIDVALIDITY=3/;UID=7", "b", "b", 3),
    ],
)
def test_a_message(url: bytes, selected: str | None, mailbox: str, validity: int | None) -> None:
    assert parse_url(url, selected) == MessageUrl(mailbox, validity, 7, WHOLE)


def test_a_part_and_a_piece_of_it() -> None:
    assert parse_url(b"/x/;UID=7/;SECTION=1.2.MIME/;PARTIAL=5.10", None).section == Section(
        (1, 2), Text.MIME, (), Partial(5, 10), sets_seen=False, label=b"BODY[1.2.MIME]"
    )
    section = parse_url(b"/x/;UID=7/;section=HEADER.FIELDS.NOT%20(%22To%22)", None).section
    assert (section.text, section.fields) == (Text.FIELDS_NOT, (b"to",))
    open_end = parse_url(b"/x/;UID=7/;PARTIAL=5", None).section.partial
    assert open_end is not None
    assert open_end.start == 5
    assert open_end.length > 2**40


@pytest.mark.parametrize(
    "url",
    [
        b"",
        b"/INBOX",
        b"/INBOX/;UID=0",
        b"/INBOX/;UID=*",
        b"/INBOX/;UID=7/;SECTION=NOPE",
        b"/INBOX/;UID=7/;SECTION=1]<0.1>",
        b"/INBOX/;UID=7;EXPIRE=2030-01-01T00:00:00Z;URLAUTH=anonymous:internal:00",
        b"imap://x/INBOX/;UID=7",
        b"//x/INBOX/;UID=7",
        b"/INBOX?SUBJECT%20x",
        b"/INBOX/;UID=7#a",
        b"/%FF/;UID=7",
        b"/\xc3\xbc/;UID=7",
        b";UID=7",
        b"/INBOX/;UID=7/;PARTIAL=x",
        b"/INBOX/;UID=99999999999",
    ],
)
def test_what_names_nothing(url: bytes) -> None:
    with pytest.raises(InvalidUrl):
        parse_url(url, None)
