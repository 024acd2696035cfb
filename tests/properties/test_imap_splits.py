"""Any split of the bytes gives the same events, and no bytes at all raise anything."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailhost.protocols.imap.commands import Authenticate, Login, Select, StartTls, Unauthenticate
from mailhost.protocols.imap.connection import ImapConnection, Limits
from mailhost.protocols.imap.events import AppendMessage, CatenateText, CatenateUrl, Event, LiteralChunk
from mailhost.protocols.imap.parsing.table import State

LIMITS = Limits(line=120, line_before_sign_in=100, command=300, command_before_sign_in=200, skipped=500)

LINES = [
    b"a NOOP\r\n",
    b"a1 LOGIN {3}\r\njoe {2+}\r\npw\r\n",
    b"a2 AUTHENTICATE PLAIN\r\nAGpvZQBwdw==\r\n",
    b"b SELECT INBOX\n",
    b"c FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (DATE FROM)])\r\n",
    b'd APPEND INBOX (\\Seen) "01-Feb-2026 07:05:00 +0100" {11}\r\nFrom: x\r\n\r\n (\\Draft) {3+}\r\nabc\r\n',
    b"e IDLE\r\nDONE\r\n",
    b"f SEARCH CHARSET UTF-8 OR FROM {5+}\r\n\xc3\x9cber SUBJECT x\r\n",
    b"g STORE 1 (UNCHANGEDSINCE 5) -FLAGS (\\Seen)\r\n",
    b"h SELECT {301+}\r\n" + b"x" * 301 + b"\r\n",
    b"i STARTTLS\r\n",
    b"j\r\n",
    b'k LIST (SUBSCRIBED) "" (a b) RETURN (STATUS (SIZE))\r\n',
    b"l " + b"x" * 130 + b"\r\n",
    b"m APPEND &! {9}\r\n",
    b"n EXAMINE {1+}\r\nx (QRESYNC (1 2 3:4 (1 2)))\r\n",
    b"o UID FETCH $ PREVIEW (LAZY) (CHANGEDSINCE 2 VANISHED)\r\n",
    b"p CREATE x (USE (\\Sent))\r\n",
    b"r UID FETCH 1:* (BINARY[1]<0.9> BINARY.SIZE[2]) (PARTIAL -1:-9)\r\n",
    b"s SEARCH RETURN (PARTIAL 1:9 SAVE) OLDER 5\r\n",
    b"t REPLACE * {1+}\r\nx (\\Draft) {3+}\r\nabc\r\n",
    b"u UID REPLACE 7 x {3}\r\nabc {3+}\r\nabc\r\n",
    b"v COMPRESS DEFLATE\r\n",
    b"v NOTIFY SET STATUS (SUBTREE ({1+}\r\na b) (MailboxName)) (SELECTED (MessageNew (UID) MessageExpunge))\r\n",
    b'w APPEND x CATENATE (URL "/a;UID=1" TEXT ~{3}\r\nabc URL {4+}\r\n/b/c UTF8 (~{2+}\r\nyz)) CATENATE (URL a) {1+}'
    b"\r\nz\r\n",
    b'x UID REPLACE 7 {1+}\r\nx CATENATE (URL "a")\r\n',
    b"y APPEND x CATENATE (URL {3}\r\nabc URL {20+}\r\n" + b"u" * 20 + b")\r\n",
    b"s UID SORT RETURN (UPDATE (UID BODY.PEEK[]) CONTEXT) (DATE) UTF-8 ALL\r\n",
    b's CANCELUPDATE "s" {1+}\r\nt\r\n',
    b"q UNAUTHENTICATE\r\n",
]

# Most of the grammar is reached only by who has signed in, and some of it only in a mailbox.
BEGINNINGS = [b"", b"a LOGIN joe pw\r\n", b"a LOGIN joe pw\r\na SELECT x\r\n"]

continuations = st.lists(
    st.sampled_from(LINES) | st.binary(max_size=20) | st.from_regex(rb"[a-z] [A-Z]+ \{[0-9]{1,3}\+?\}\r\n"), max_size=8
).map(b"".join)
conversations = st.tuples(st.sampled_from(BEGINNINGS), continuations).map(b"".join)


def converse(pieces: list[bytes]) -> list[Event]:
    """All events, with literal chunks joined, of an owner who agrees to everything."""
    connection = ImapConnection(LIMITS)
    events: list[Event] = []
    for piece in pieces:
        connection.receive_data(piece)
        while (event := connection.next_event()) is not None:
            last = events[-1] if events else None
            if isinstance(event, LiteralChunk) and isinstance(last, LiteralChunk):
                events[-1] = LiteralChunk(last.data + event.data)
            else:
                events.append(event)
            decide(connection, event)
    return events


def decide(connection: ImapConnection, event: Event) -> None:
    match event:
        case Login():
            connection.login_succeeded()
        case Authenticate():
            connection.expect_response()
        case Select():
            connection.mailbox_selected()
        case Unauthenticate():
            connection.signed_out()
        case StartTls():
            connection.tls_refused()
        case CatenateUrl(url) if len(url) == 20:
            connection.abandon_append()
        case AppendMessage(size=int(size)) | CatenateText(size):
            if size % 7 == 1:
                connection.abandon_append()
            else:
                connection.accept_literal()
        case _:
            pass


@pytest.mark.parametrize("line", LINES)
def test_each_line_split_into_octets_gives_the_same_events(line: bytes) -> None:
    conversation = BEGINNINGS[-1] + line
    assert converse([bytes([octet]) for octet in conversation]) == converse([conversation])


@given(conversations, st.data())
@example(b"".join(LINES), None)
def test_any_split_gives_the_same_events(conversation: bytes, data: st.DataObject | None) -> None:
    whole = converse([conversation])
    assert converse([bytes([octet]) for octet in conversation]) == whole
    if data is not None and conversation:
        cut = data.draw(st.integers(0, len(conversation)))
        assert converse([conversation[:cut], conversation[cut:]]) == whole


@given(st.lists(st.binary(max_size=60)), st.sampled_from([State.NOT_AUTHENTICATED, State.SELECTED]))
def test_no_bytes_raise_anything(pieces: list[bytes], state: State) -> None:
    connection = ImapConnection(LIMITS)
    connection.state = state
    for piece in pieces:
        connection.receive_data(piece)
        while (event := connection.next_event()) is not None:
            decide(connection, event)


SHAPES = st.text('()[]{}<>"\\ *%.:,0123456789abcEFTUID+-&~\r\n\x00\u00fc', max_size=80)


@given(
    st.sampled_from(
        [
            "FETCH 1 ",
            "SEARCH ",
            "STORE 1 ",
            "LIST ",
            "STATUS ",
            "APPEND ",
            "APPEND x CATENATE (",
            "REPLACE 1 ",
            "SORT (",
            "SEARCH RETURN (UPDATE ",
            "CANCELUPDATE ",
            "THREAD REFERENCES UTF-8 ",
            "UID ",
            "ID ",
            "COPY ",
            "SELECT x ",
            "CREATE x ",
            "UID FETCH 1 ",
            "FETCH 1 BINARY[",
            "NOTIFY SET (",
        ]
    ),
    SHAPES,
)
def test_no_arguments_raise_anything(command: str, arguments: str) -> None:
    connection = ImapConnection(LIMITS)
    connection.state = State.SELECTED
    connection.receive_data(f"a {command}{arguments}\r\n".encode())
    while (event := connection.next_event()) is not None:
        decide(connection, event)
