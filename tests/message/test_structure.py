"""ENVELOPE, BODYSTRUCTURE and BODY as they go over the wire."""

import pytest

from mailhost.message.digest import Digest, digest_of
from mailhost.message.scan import Scanner
from mailhost.message.structure import body_of


def digest(text: str | bytes) -> Digest:
    scanner = Scanner()
    scanner.feed(text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode())
    return digest_of(scanner)


def test_envelope_of_a_whole_header() -> None:
    envelope = digest(
        'Date: Tue, 24 Nov 2026 23:38:19 +0100\nFrom: "Jane \\"J\\" Doe" <jane@example.test>\nSubject: a\n folded one\n'
        "Sender: s@example.test\nTo: Team: a@example.test, b@example.test;, c@example.test\nCc: (x) d@example.test\n"
        "Bcc: nobody\nIn-Reply-To: <1@x>\nMessage-ID: <2@x>\n\n"
    ).envelope
    jane, s = b'(("Jane \\"J\\" Doe" NIL "jane" "example.test"))', b'((NIL NIL "s" "example.test"))'
    assert envelope == (
        b'("Tue, 24 Nov 2026 23:38:19 +0100" "a folded one" ' + jane + b" " + s + b" " + jane + b" "
        b'((NIL NIL "Team" NIL)(NIL NIL "a" "example.test")(NIL NIL "b" "example.test")(NIL NIL NIL NIL)'
        b'(NIL NIL "c" "example.test")) (("x" NIL "d" "example.test")) '
        b'((NIL NIL "nobody" "MISSING_DOMAIN")) "<1@x>" "<2@x>")'
    )


def test_envelope_of_nothing() -> None:
    assert digest(b"").envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def test_8bit_header_text_is_a_literal_and_nul_is_replaced() -> None:
    envelope = digest(b"Subject: caf\xc3\xa9\r\nMessage-ID: a\0b\r\n\r\n").envelope
    assert b"{5}\r\ncaf\xc3\xa9 NIL" in envelope
    assert b"{3}\r\na?b)" in envelope


@pytest.mark.parametrize(
    ("header", "structure"),
    [
        ("", b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL)'),
        (
            'Content-Type: text/html; charset="utf-8"; format=flowed\nContent-Transfer-Encoding: 8BIT (x)\n'
            "Content-ID: <id@x>\nContent-Description: d\nContent-MD5: Q2hlY2s=\nContent-Language: en, de\n"
            "Content-Disposition: inline; filename*0=a; filename*1=b\nContent-Location: l\n",
            b'("text" "html" ("charset" "utf-8" "format" "flowed") "<id@x>" "d" "8bit" 7 1 "Q2hlY2s=" '
            b'("inline" ("filename*0" "a" "filename*1" "b")) ("en" "de") "l")',
        ),
        (
            "Content-Type: application/pdf\nContent-Language: en\nContent-Disposition: attachment\n",
            b'("application" "pdf" NIL NIL NIL "7bit" 7 NIL ("attachment" NIL) "en" NIL)',
        ),
        (
            "Content-Type: message/rfc822\n",
            b'("message" "rfc822" NIL NIL NIL "7bit" 7 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) '
            b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) 1 NIL NIL NIL NIL)',
        ),
        (
            "Content-Type: multipart/mixed\n",
            b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)',
        ),
    ],
)
def test_bodystructure(header: str, structure: bytes) -> None:
    assert digest(header + "\nhello\n").bodystructure == structure


def test_body_is_bodystructure_without_extension_data() -> None:
    text = (
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: image/png; name=)\n"
        "Content-Disposition: inline\n\nx\n--a\nContent-Type: message/rfc822\n\nSubject: caf\xe9 (\n\nhello\n\n--a--\n"
    )
    structure = digest(text).bodystructure
    assert body_of(structure) == (
        b'(("image" "png" ("name" ")") NIL NIL "7bit" 1)'
        b'("message" "rfc822" NIL NIL NIL "7bit" 27 (NIL {7}\r\ncaf\xc3\xa9 ( NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 1) 3) "mixed")'
    )
    assert body_of(body_of(structure)) == body_of(structure)


def test_digest_of_a_message() -> None:
    found = digest(
        "Received: a\nRECEIVED: b\nDate: 1 Jan 1970 00:00:10 GMT\nMessage-ID: <m@x>\nX-Other: y\n\n"
        "Hello there,\n> quoted\n"
    )
    assert (found.sent_day, found.date, found.message_id, found.preview) == (
        0,
        10,
        b"<m@x>",
        "Hello there,",
    )
    assert found.header_size == 90
    assert not found.has_8bit
    assert not found.has_nul
