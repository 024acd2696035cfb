import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.subjects import BaseSubject
from mailhost.message.threads import Node, Threaded
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.parsing.cursor import Cursor
from mailhost.protocols.imap.search import ReturnOption


@given(st.binary(max_size=50).filter(lambda octets: b"\0" not in octets))
def test_reading_undoes_writing_a_string(octets: bytes) -> None:
    assert Cursor(responses.string(octets)).string() == octets


@given(st.text(max_size=30), st.sampled_from([None, "ALERT"]))
def test_no_text_breaks_a_line(text: str, code: str | None) -> None:
    line = responses.tagged(b"a1", "NO", text, code)
    assert line.endswith(b"\r\n")
    assert line[:-2].isascii()
    assert all(32 <= octet < 127 for octet in line[:-2])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (responses.tagged(b"a", "OK", "Done.", "READ-WRITE"), b"a OK [READ-WRITE] Done.\r\n"),
        (responses.untagged("BYE", "Bye."), b"* BYE Bye.\r\n"),
        (responses.string(b"a\xff"), b"{2}\r\na\xff"),
        (responses.quoted(b'a"\\'), b'"a\\"\\\\"'),
        (responses.enabled([]), b"* ENABLED\r\n"),
        (responses.enabled(["CONDSTORE", "UTF8=ACCEPT"]), b"* ENABLED CONDSTORE UTF8=ACCEPT\r\n"),
        (responses.search([], 5), b"* SEARCH\r\n"),
        (responses.search([2, 5], 9), b"* SEARCH 2 5 (MODSEQ 9)\r\n"),
        (responses.list_line(["\\Sent"], 'a"b', utf8=False), b'* LIST (\\Sent) "/" "a\\"b"\r\n'),
        (responses.list_line([], "Übung", utf8=True), '* LIST () "/" "Übung"\r\n'.encode()),
        (
            responses.quota("", {"STORAGE": (1, 2), "MESSAGE": (3, 4)}),
            b'* QUOTA "" (STORAGE 1 2 MESSAGE 3 4)\r\n',
        ),
    ],
)
def test_lines(line: bytes, expected: bytes) -> None:
    assert line == expected


def test_esearch_leaves_out_what_there_is_none_of() -> None:
    wanted = frozenset(ReturnOption)
    assert responses.esearch(b"a", [], wanted, by_uid=False, modseq=None) == b'* ESEARCH (TAG "a") COUNT 0\r\n'
    full = responses.esearch(b"a", [2, 3, 4, 9], wanted, by_uid=True, modseq=7)
    assert full == b'* ESEARCH (TAG "a") UID MIN 2 MAX 9 COUNT 4 ALL 2:4,9 MODSEQ 7\r\n'


def test_threads_are_nested_where_several_answer() -> None:
    def node(number: int | None, *children: Node) -> Node:
        made = Node(None if number is None else Threaded(number, 0, BaseSubject("", False)))
        for child in children:
            made.adopt(child)
        return made

    roots = [
        node(2),
        node(3, node(6, node(4, node(23)), node(44, node(7, node(96))))),
        node(None, node(3), node(5)),
    ]
    assert responses.thread(roots) == b"* THREAD (2)(3 6 (4 23)(44 7 96))((3)(5))\r\n"
    assert responses.thread([]) == b"* THREAD\r\n"
    chain = node(50_000)
    for number in range(49_999, 0, -1):
        chain = node(number, chain)
    assert responses.thread([chain]).count(b" ") == 50_001


def test_in_progress_says_what_it_knows() -> None:
    assert responses.in_progress(b"a", 5, 9) == b'* OK [INPROGRESS ("a" 5 9)] Still working.\r\n'
    assert responses.in_progress(b"a", 0, 0) == b'* OK [INPROGRESS ("a" 0 NIL)] Still working.\r\n'
