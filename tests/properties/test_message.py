"""What holds for every message: pieces of any size, offsets, IMAP's grammar, agreement with another parser."""

import email
import email.policy
import re
from datetime import datetime
from email.message import EmailMessage, Message
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from mailhost.message.addresses import parse_addresses
from mailhost.message.dates import internal_date_text, parse_date
from mailhost.message.digest import Digest, digest_of
from mailhost.message.encoded import decode_header, decode_text, decode_transfer
from mailhost.message.generate import generate
from mailhost.message.headers import CACHED_FIELDS, field_mask, parse_fields, select_cached, select_fields
from mailhost.message.html import html_to_text
from mailhost.message.scan import Part, Scanner
from mailhost.message.sections import Section, find_section
from mailhost.message.structure import body_of
from mailhost.message.text import body_texts, header_text

CALM = settings(deadline=None)  # a busy machine is no bug
FRAGMENTS = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"--", b"a", b"--a\r\n", b"--a--\r\n", b"--a--", b"--ab \r\n", b"\r\n--ab",
        b" ", b"\t",
        b"Content-Type: multipart/mixed; boundary=a\r\n", b"Content-Type: multipart/digest; boundary=ab\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n", b"Content-Type: text/html; charset=x\r\n", b"Subject: caf\xe9\r\n",
        b"Content-Transfer-Encoding: base64\r\n", b"To: g: a@b;, \"c", b"(", b"\"", b"\\", b"\0",
        b"{3}\r\n", b"=?utf-8?Q?=C3?=",
        b"<p>", b"> ", b"Date: 1 Jan 2026\r\n",
    ]
)  # fmt: skip
ROUGH = st.lists(FRAGMENTS | st.binary(max_size=6), max_size=40).map(b"".join)
SEEDED = st.integers(0, 10_000).map(lambda seed: next(generate(seed, 1, size=800)))
CONTENT = ROUGH | SEEDED | st.binary(max_size=200)


def scan(content: bytes) -> Part:
    scanner = Scanner()
    scanner.feed(content)
    return scanner.finish()


def digest(content: bytes) -> Digest:
    scanner = Scanner()
    scanner.feed(content)
    return digest_of(scanner)


@CALM
@given(CONTENT, st.lists(st.integers(0, 1000), max_size=12))
def test_any_split_gives_the_same_tree(content: bytes, cuts: list[int]) -> None:
    places = sorted(cut % (len(content) + 1) for cut in cuts)
    scanner = Scanner()
    for start, end in zip([0, *places], [*places, len(content)], strict=True):
        scanner.feed(content[start:end])
    assert scanner.finish() == scan(content)


@CALM
@given(CONTENT)
def test_single_octets_give_the_same_digest(content: bytes) -> None:
    scanner = Scanner()
    for place in range(len(content)):
        scanner.feed(content[place : place + 1])
    assert digest_of(scanner) == digest(content)


@CALM
@given(CONTENT)
def test_parts_lie_in_their_parents_one_after_the_other(content: bytes) -> None:
    def check(part: Part, start: int, end: int) -> None:
        assert start <= part.header_start <= part.body_start <= part.body_end <= end
        if part.content.type in (b"text", b"message"):
            assert part.lines == content.count(b"\n", part.body_start, part.body_end)
        place = part.body_start
        for child in part.children:
            check(child, place, part.body_end)
            place = child.body_end

    check(scan(content), 0, len(content))


def tokens(text: bytes) -> list[bytes]:
    """The tokens of a rendered IMAP list; fails where the octets are none."""
    found, place = [], 0
    pattern = re.compile(rb'[()]|NIL|[0-9]+|"(?:[ !#-\[\]-~]|\\["\\])*"|\{([0-9]+)\}\r\n')
    while place < len(text):
        if text[place : place + 1] == b" ":
            place += 1
            continue
        token = pattern.match(text, place)
        assert token, text[place : place + 40]
        place = token.end()
        if token[1]:
            literal = text[place : place + int(token[1])]
            assert len(literal) == int(token[1])
            assert b"\0" not in literal
            place += len(literal)
            found.append(b"literal")
        else:
            found.append(token[0])
    return found


@CALM
@given(CONTENT)
def test_envelope_and_structures_are_balanced_lists(content: bytes) -> None:
    found = digest(content)
    for text in (found.envelope, found.bodystructure, body_of(found.bodystructure)):
        depth = 0
        for place, token in enumerate(tokens(text)):
            assert depth > 0 or place == 0
            depth += {b"(": 1, b")": -1}.get(token, 0)
        assert depth == 0


@CALM
@given(CONTENT)
def test_header_and_text_make_the_message(content: bytes) -> None:
    found = digest(content)
    header = find_section(found.parts, (), Section.HEADER)
    text = find_section(found.parts, (), Section.TEXT)
    assert header is not None
    assert text is not None
    assert header.length == found.header_size
    assert content[: header.length] + content[text.start : text.start + text.length] == content


@CALM
@given(CONTENT, st.lists(st.integers(0, 4), max_size=4).map(tuple), st.sampled_from(Section))
def test_sections_lie_in_the_message(content: bytes, path: tuple[int, ...], what: Section) -> None:
    found = find_section(digest(content).parts, path, what)
    assert found is None or 0 <= found.start <= found.start + found.length <= len(content)


@CALM
@given(ROUGH, st.frozensets(st.sampled_from(sorted(CACHED_FIELDS)), max_size=5))
def test_fields_are_chosen_or_left_out(header: bytes, names: frozenset[bytes]) -> None:
    for exclude in (False, True):
        chosen = parse_fields(select_fields(header, names, exclude))
        assert all((name in names) != exclude for name, _, _ in chosen)
    raw = scan(header).header
    if b"\0" not in raw:
        assert select_cached(digest(header).fields, field_mask(names)) == select_fields(raw, names, exclude=False)


@CALM
@given(st.binary(max_size=300) | ROUGH, st.binary(max_size=12))
def test_no_octets_raise(octets: bytes, word: bytes) -> None:
    parse_addresses(octets)
    parse_date(octets)
    decode_header(octets)
    decode_header(b"=?" + word + b"?B?" + octets + b"?=")
    decode_text(octets, word, is_cut=True)
    for encoding in (b"base64", b"quoted-printable", b"x-uuencode"):
        decode_transfer(octets, encoding)
    html_to_text(octets.decode("latin-1"))
    header_text(octets)
    list(body_texts(octets))


MARKUP = st.sampled_from(("<img", " alt", "=", '"', "'", "x", " ", ">", "</p>", "<!--", "-->", "<area/", "&lt;", "\n"))


@CALM
@given(st.text(alphabet="<>/!-?a=\"' \nstyle&;", max_size=200) | st.lists(MARKUP, max_size=20).map("".join))
def test_markup_is_removed_in_one_pass(markup: str) -> None:
    assert len(html_to_text(markup)) <= len(html_to_text(markup, with_alternatives=True)) + len("\n") <= len(markup) + 1


@CALM
@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_internal_date_is_read_back(seconds: int) -> None:
    text = internal_date_text(seconds).decode().strip()
    assert datetime.strptime(text, "%d-%b-%Y %H:%M:%S %z").timestamp() == seconds


LEAVES = st.tuples(
    st.sampled_from(["plain", "html", "bytes"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60),
)


def build(shape: object) -> EmailMessage:
    message = EmailMessage(policy=email.policy.SMTP)
    if isinstance(shape, tuple):
        kind, text = shape
        if kind == "bytes":
            message.set_content(text.encode(), maintype="application", subtype="octet-stream", filename="a b.bin")
        else:
            message.set_content(text + "\n", subtype=kind)
    elif isinstance(shape, dict):
        message.set_content(build(shape["message"]))
    elif isinstance(shape, list):
        message.make_mixed()
        for child in shape:
            message.attach(build(child))
    message["Subject"] = "built"
    return message


SHAPES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.fixed_dictionaries({"message": inner}),
    max_leaves=8,
)


def agree(content: bytes, part: Part, other: Message) -> None:
    assert b"%b/%b" % part.content[:2] == other.get_content_type().encode()
    if not part.children:
        body = decode_transfer(content[part.body_start : part.body_end], part.content.encoding)
        assert body == other.get_payload(decode=True)
        return
    payload = other.get_payload()
    assert isinstance(payload, list)
    assert len(payload) == len(part.children)
    for child, other_child in zip(part.children, payload, strict=True):
        agree(content, child, other_child)


@settings(CALM, max_examples=60)
@given(SHAPES)
def test_another_parser_sees_the_same_parts_and_payloads(shape: object) -> None:
    message = build(shape)
    content = message.as_bytes(policy=email.policy.SMTP.clone(cte_type="7bit"))
    agree(content, scan(content), email.message_from_bytes(content))


@settings(CALM, max_examples=30)
@given(st.integers(0, 100_000))
def test_another_parser_sees_the_same_in_generated_mail(seed: int) -> None:
    [content] = generate(seed, 1, size=Random(seed).randrange(500, 4000))
    other = email.message_from_bytes(content)
    assert not [part for part in other.walk() if part.defects]
    agree(content, scan(content), other)


def test_generated_mail_is_the_same_for_the_same_seed() -> None:
    first, second = list(generate(7, 60)), list(generate(7, 60))
    assert first == second
    assert len(set(first)) == 60
    assert all(message.count(b"\n") == message.count(b"\r\n") for message in first)
    kinds = {email.message_from_bytes(message).get_content_type() for message in first}
    assert kinds >= {"text/plain", "text/html", "multipart/mixed", "multipart/alternative"}
    assert 7_000 < sum(map(len, first)) / 60 < 14_000
