"""The scanner on mail as it should be and as it is."""

import tracemalloc
from time import process_time

import pytest

from mailhost.message.scan import MAX_DEPTH, MAX_HEADER, MAX_PARTS, SAMPLE, Part, Scanner


def scan(content: bytes, piece: int = 0) -> Part:
    scanner = Scanner()
    if piece:
        for start in range(0, len(content), piece):
            scanner.feed(content[start : start + piece])
    else:
        scanner.feed(content)
    return scanner.finish()


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def body(content: bytes, part: Part) -> bytes:
    return content[part.body_start : part.body_end]


def count(part: Part) -> int:
    return 1 + sum(map(count, part.children))


MIXED = crlf(
    "From: a@example.test\nContent-Type: multipart/mixed; boundary=outer\n\npreamble\n--outer\n\none\n--outer\n"
    "Content-Type: multipart/alternative; boundary=outer2\n\n--outer2\nContent-Type: text/html\n\n<p>\n--outer2--\n"
    "epilogue\n--outer \t\nContent-Type: message/rfc822\n\nSubject: inner\n\ntext\n\n--outer--\nend\n"
)


def test_tree_offsets_and_lines() -> None:
    root = scan(MIXED)
    one, alternative, forwarded = root.children
    assert body(MIXED, one) == b"one"
    assert one.lines == 0
    assert body(MIXED, alternative.children[0]) == b"<p>"
    assert MIXED[alternative.header_start : alternative.body_start].startswith(b"Content-Type: multipart/alternative")
    [inner] = forwarded.children
    assert inner.header == b"Subject: inner\r\n"
    assert body(MIXED, inner) == b"text\r\n"
    assert (inner.lines, forwarded.lines) == (1, 3)
    assert root.body_end == len(MIXED)
    assert root.content.type == b"multipart"


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64])
def test_pieces_of_any_size_give_the_same_tree(piece: int) -> None:
    assert scan(MIXED, piece) == scan(MIXED)


MANY = b"Content-Type: multipart/mixed; boundary=-\r\n\r\n"


@pytest.mark.parametrize("line", [b"---\r\n", b"--x\r\n---\r\n", b"x: y\r\n---\r\n"])
def test_thousands_of_headers_without_an_end_are_cheap(line: bytes) -> None:
    def seconds(content: bytes) -> float:
        started = process_time()
        scan(content)
        return process_time() - started

    content = MANY + line * 9_500
    assert count(scan(content)) > 9_500
    with_ends = min(seconds(MANY + b"---\r\n\r\n" * 9_500) for _ in range(3))
    # To look for the end of each through all octets takes ten times as long. The least of three, for garbage of
    # other tests may be collected meanwhile.
    assert min(seconds(content) for _ in range(3)) < 4 * with_ends + 0.02


def test_sample_is_the_same_from_pieces() -> None:
    content = b"\r\n" + b"0123456789\r\n" * 4000
    assert scan(content, 1000) == scan(content)
    assert scan(content).sample == content[2 : 2 + SAMPLE]


def test_bare_lf_is_a_line_end_too() -> None:
    content = MIXED.replace(b"\r\n", b"\n")
    assert [body(content, part) for part in scan(content).children[:1]] == [b"one"]
    assert count(scan(content)) == count(scan(MIXED))


@pytest.mark.parametrize(
    ("content", "header_size", "text"),
    [
        (b"", 0, b""),
        (b"\r\n", 2, b""),
        (b"\n\nx", 1, b"\nx"),
        (b"Subject: only a header", 22, b""),
        (b"Subject: only a header\r\n", 24, b""),
        (b"\r\nonly a body", 2, b"only a body"),
        (b"\0\0\0", 3, b""),
        (b"A: b\r\n\r\n\0\xff", 8, b"\0\xff"),
    ],
)
def test_where_the_header_ends(content: bytes, header_size: int, text: bytes) -> None:
    root = scan(content)
    assert root.body_start == header_size
    assert body(content, root) == text


def test_nul_and_8bit_are_noticed() -> None:
    scanner = Scanner()
    scanner.feed(b"A: b\r\n\r\n")
    assert (scanner.has_nul, scanner.has_8bit) == (False, False)
    scanner.feed(b"\0\x80")
    assert (scanner.has_nul, scanner.has_8bit, scanner.size) == (True, True, 10)


def test_boundary_that_begins_like_another_is_its_own() -> None:
    content = crlf(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n"
        "--abc\n--ab\n\nx\n--ab--\n--a--\n"
    )
    [inner] = scan(content).children
    assert [body(content, part) for part in inner.children] == [b"x"]


def test_outer_boundary_ends_inner_parts_that_were_left_open() -> None:
    content = crlf(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n"
        "--b\n\nx\n--a\n\ny\n--a--\n"
    )
    first, second = scan(content).children
    assert body(content, first.children[0]) == b"x"
    assert body(content, second) == b"y"


def test_delimiter_inside_a_header_ends_the_part() -> None:
    content = crlf("Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: image/png\n--a\n\ny\n--a--")
    first, second = scan(content).children
    assert (first.content.subtype, body(content, first)) == (b"png", b"")
    assert body(content, second) == b"y"


@pytest.mark.parametrize(
    "kind", ["multipart/mixed", "multipart/mixed; boundary=absent", 'multipart/mixed; boundary=""']
)
def test_multipart_without_parts_shows_its_body_as_text(kind: str) -> None:
    content = crlf(f"Content-Type: {kind}\n\n--x\n\nreadable\n--x--\n")
    [only] = scan(content).children
    assert only.content.type == b"text"
    assert b"readable" in body(content, only)
    assert only.lines == 4


def test_parts_of_a_digest_are_messages() -> None:
    content = crlf("Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: one\n\nx\n--d--\n")
    [part] = scan(content).children
    assert part.content.holds_message
    assert part.children[0].header == b"Subject: one\r\n"


def test_first_of_two_content_types_counts_and_rubbish_is_text() -> None:
    assert scan(b"Content-Type: image/gif\r\nContent-Type: text/html\r\n\r\n").content.subtype == b"gif"
    assert scan(b"Content-Type: rubbish\r\n\r\n").content.subtype == b"plain"
    assert scan(b"content-TYPE \t:\r\n text / HTML;\r\n\tcharset = x (y)\r\n\r\n").content.subtype == b"html"


def test_line_of_a_megabyte_is_counted_and_kept_in_part() -> None:
    content = b"Subject: " + b"x" * 1_000_000 + b"\r\nContent-Type: image/png\r\n\r\nbody"
    root = scan(content, 65_536)
    assert len(root.header) == MAX_HEADER
    assert root.body_start == len(content) - 4
    assert root == scan(content)


@pytest.mark.parametrize(
    "level", [b"Content-Type: message/rfc822\r\n\r\n", b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n"]
)
def test_ten_thousand_levels_are_cut(level: bytes) -> None:
    content = b"".join(level.replace(b"%d", b"%d" % number) for number in range(10_000))
    part, depth = scan(content, 65_536), 1
    while part.children:
        part, depth = part.children[0], depth + 1
    assert depth <= MAX_DEPTH + 1


def test_a_hundred_thousand_parts_are_cut() -> None:
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000
    root = scan(content)
    assert len(root.children) == MAX_PARTS - 1
    assert root.children[-1].body_end < len(content) == root.body_end


def test_large_message_passes_in_bounded_memory() -> None:
    scanner = Scanner()
    line = b"--almost a delimiter, but not quite\r\n" + (b"x" * 70 + b"\r\n") * 50
    chunk = line * (65_536 // len(line))
    scanner.feed(b"Content-Type: multipart/mixed; boundary=almost\r\n\r\n--almost\r\n\r\n")
    tracemalloc.start()
    for _ in range(100):
        scanner.feed(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    root = scanner.finish()
    assert peak < 1_000_000
    assert root.children[0].body_end == scanner.size


def test_headers_of_many_messages_are_kept_within_the_budget() -> None:
    inner = b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: " + b"x" * 200_000 + b"\r\n\r\n"
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + inner * 40
    root = scan(content, 65_536)
    kept = sum(len(part.children[0].header) for part in root.children)
    assert len(root.children) == 40
    assert kept < 1_200_000


@pytest.mark.parametrize(
    "unit", [b"\n--", b"\n--1\r", b"\r", b"\n", b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"]
)
def test_delimiters_that_are_none_below_many_levels(unit: bytes) -> None:
    content = b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (number, number) for number in range(90)
    )
    content += unit * 100_000
    assert scan(content).body_end == len(content)
