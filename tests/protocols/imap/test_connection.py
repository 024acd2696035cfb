from datetime import datetime, timedelta, timezone
from time import process_time

from mailhost.protocols.imap.commands import Authenticate, Idle, Login, Logout, Noop, Search, StartTls, StoreLabels
from mailhost.protocols.imap.connection import ImapConnection, Limits
from mailhost.protocols.imap.events import (
    AppendFinished,
    AppendMessage,
    ContinuationNeeded,
    Event,
    Hangup,
    IdleDone,
    LiteralChunk,
    Mistake,
    SaslResponse,
)
from mailhost.protocols.imap.parsing.table import State
from mailhost.protocols.imap.search import TextContains

SMALL = Limits(
    line=200,
    line_before_sign_in=100,
    command=400,
    command_before_sign_in=150,
    skipped=1000,
    skipped_before_sign_in=20,
    mistakes=3,
    mistakes_before_sign_in=2,
)


def opened(state: State = State.AUTHENTICATED) -> ImapConnection:
    connection = ImapConnection(SMALL)
    if state is not State.NOT_AUTHENTICATED:
        connection.login_succeeded()
        connection.state = state
    return connection


def drain(connection: ImapConnection, data: bytes) -> list[Event]:
    connection.receive_data(data)
    events = []
    while (event := connection.next_event()) is not None:
        events.append(event)
    return events


def test_a_synchronising_literal_asks_for_the_rest() -> None:
    connection = opened(State.NOT_AUTHENTICATED)
    assert drain(connection, b"a LOGIN {3}\r\n") == [ContinuationNeeded()]
    assert drain(connection, b"joe {2}\r\n") == [ContinuationNeeded()]
    assert drain(connection, b"pw\r\n") == [Login(b"a", b"joe", b"pw")]


def test_other_literals_and_line_ends() -> None:
    connection = opened(State.NOT_AUTHENTICATED)
    assert drain(connection, b'a LOGIN {3+}\njoe "p w"\nb NOOP\n') == [Login(b"a", b"joe", b"p w"), Noop(b"b")]


def test_a_literal_may_hold_a_line_end_but_no_nul() -> None:
    connection = opened(State.SELECTED)
    assert drain(connection, b"a SEARCH TEXT {4+}\r\na\r\nb\r\n") == [Search(b"a", False, TextContains("a\r\nb"), None)]
    [mistake] = drain(connection, b"b SEARCH TEXT {2+}\r\na\0\r\n")
    assert isinstance(mistake, Mistake)
    assert mistake.tag == b"b"


def test_a_literal_too_large_is_refused_before_it_is_sent() -> None:
    connection = opened()
    [mistake] = drain(connection, b"a SELECT {401}\r\n")
    assert isinstance(mistake, Mistake)
    assert (mistake.tag, mistake.code) == (b"a", "TOOBIG")
    assert drain(connection, b"b NOOP\r\n") == [Noop(b"b")]


def test_a_literal_too_large_is_skipped_when_it_comes_anyway() -> None:
    connection = opened()
    skipped = b"x" * 388 + b"\r\nc NOOP\r\n"
    events = drain(connection, b"a SELECT {398+}\r\n" + skipped + b" {4+}\r\nd e\n\r\nb NOOP\r\n")
    assert [type(event) for event in events] == [Mistake, Noop]
    [hangup] = drain(connection, b"a SELECT {1001+}\r\n")
    assert isinstance(hangup, Hangup)


def test_literals_cannot_add_up_beyond_the_bound() -> None:
    connection = opened()
    [mistake] = drain(connection, b"a SELECT" + b" {0+}\r\n" * 100)[:1]
    assert isinstance(mistake, Mistake)
    assert mistake.code == "TOOBIG"


def test_many_literals_behind_a_long_word_are_cheap() -> None:
    connection = ImapConnection(Limits())
    connection.login_succeeded()
    started = process_time()
    drain(connection, b"x" * 90_000 + b"{0+}\r\n" + b"{0+}\r\n" * 15_000 + b"\r\n")
    assert process_time() - started < 0.4  # to look through the word at each of them takes longer


def test_a_line_too_long_ends_the_conversation() -> None:
    connection = opened()
    assert drain(connection, b"x" * 300) == [Hangup("A line is longer than 200 octets.")]
    assert drain(connection, b"\r\na NOOP\r\n") == []


def test_too_many_mistakes_end_the_conversation() -> None:
    connection = opened(State.NOT_AUTHENTICATED)
    events = drain(connection, b"a NOPE\r\n" * 4 + b"b NOOP\r\n")
    assert [type(event) for event in events] == [Mistake, Mistake, Hangup]


def test_what_is_refused_with_no_is_no_mistake() -> None:
    connection = opened(State.SELECTED)
    events = drain(connection, b"a SEARCH CHARSET KLINGON ALL\r\n" * 10)
    assert [getattr(event, "status", None) for event in events] == ["NO"] * 10


def test_mistakes_before_sign_in_are_forgiven_with_it() -> None:
    connection = opened(State.NOT_AUTHENTICATED)
    drain(connection, b"a NOPE\r\n" * 2)
    connection.login_succeeded()
    events = drain(connection, b"a NOPE\r\n" * 4)
    assert [type(event) for event in events] == [Mistake, Mistake, Mistake, Hangup]


def test_who_signs_out_is_a_stranger_again() -> None:
    connection = opened()
    connection.utf8 = connection.gmail = True
    drain(connection, b"a NOPE\r\n" * 3)
    connection.signed_out()
    assert (connection.state, connection.utf8, connection.gmail) == (State.NOT_AUTHENTICATED, False, False)
    assert [type(event) for event in drain(connection, b"a NOPE\r\n" * 2)] == [Mistake, Mistake]
    assert drain(connection, b"a" * 150) == [Hangup("A line is longer than 100 octets.")]


def test_an_append_is_streamed() -> None:
    connection = opened()
    [message] = drain(connection, b'a APPEND "Sent" (\\Seen $x) "01-Feb-2026 07:05:00 +0100" {5}\r\n')
    moment = datetime(2026, 2, 1, 7, 5, tzinfo=timezone(timedelta(hours=1)))
    assert message == AppendMessage(b"a", "Sent", ("\\Seen", "$x"), moment, 5, utf8=False)
    assert drain(connection, b"") == []
    assert connection.accept_literal().startswith(b"+ ")
    assert drain(connection, b"ab") == [LiteralChunk(b"ab")]
    assert drain(connection, b"cde\r\nb NOOP\r\n") == [LiteralChunk(b"cde"), AppendFinished(b"a"), Noop(b"b")]


def test_several_messages_in_one_append() -> None:
    connection = opened()
    events = drain(connection, b"a APPEND {5+}\r\nINBOX {1+}\r\nx (\\Seen) {1+}\r\ny UTF8 (~{1+}\r\nz)\r\n")
    assert events == [AppendMessage(b"a", "INBOX", (), None, 1, utf8=False)]
    assert connection.accept_literal() == b""
    assert drain(connection, b"") == [
        LiteralChunk(b"x"),
        AppendMessage(b"a", "INBOX", ("\\Seen",), None, 1, utf8=False),
    ]
    assert connection.accept_literal() == b""
    assert drain(connection, b"") == [
        LiteralChunk(b"y"),
        AppendMessage(b"a", "INBOX", (), None, 1, utf8=True, is_binary=True),
    ]
    assert connection.accept_literal() == b""
    assert drain(connection, b"") == [LiteralChunk(b"z"), AppendFinished(b"a")]


def test_an_append_of_ten_gigabytes_is_given_up_before_it_is_sent() -> None:
    connection = opened()
    drain(connection, b"a APPEND INBOX {10737418240}\r\n")
    assert connection.abandon_append()
    assert drain(connection, b"b NOOP\r\n") == [Noop(b"b")]
    drain(connection, b"c APPEND INBOX {10737418240+}\r\n")
    assert not connection.abandon_append()
    assert drain(connection, b"d NOOP\r\n") == []


def test_what_comes_of_an_append_given_up_is_skipped() -> None:
    connection = opened()
    drain(connection, b"a APPEND INBOX {6+}\r\nx\r\nb N {12+}\r\ny\r\nc NOOP\r\nz\r\nd NOOP\r\n")
    assert connection.abandon_append()
    assert drain(connection, b"") == [Noop(b"d")]


def test_an_append_given_up_half_way() -> None:
    connection = opened()
    drain(connection, b"a APPEND INBOX {6+}\r\n")
    connection.accept_literal()
    assert drain(connection, b"ab") == [LiteralChunk(b"ab")]
    assert connection.abandon_append()
    assert drain(connection, b"cdef\r\nd NOOP\r\n") == [Noop(b"d")]
    assert connection.abandon_append()
    assert drain(connection, b"e NOOP\r\n") == [Noop(b"e")]


def test_an_append_with_mistakes() -> None:
    connection = opened()
    assert [type(event) for event in drain(connection, b"a APPEND &x {4+}\r\nx\r\ny\r\nb NOOP\r\n")] == [Mistake, Noop]
    drain(connection, b"a APPEND INBOX {1+}\r\nx (%) {1+}\r\ny\r\nb NOOP\r\n")
    connection.accept_literal()
    events = drain(connection, b"")
    assert [type(event) for event in events] == [LiteralChunk, Mistake, Noop]
    connection = opened(State.NOT_AUTHENTICATED)
    [mistake] = drain(connection, b"a APPEND INBOX {4}\r\n")
    assert mistake == Mistake(b"a", "BAD", None, "APPEND is not possible before signing in.")


def test_one_empty_line_behind_a_command_is_forgiven() -> None:
    connection = opened()
    assert drain(connection, b"a NOOP\r\n\r\nb NOOP\r\n\n") == [Noop(b"a"), Noop(b"b")]
    assert [type(event) for event in drain(connection, b"\r\nc NOOP\r\n\r\n\r\n")] == [Mistake, Noop, Mistake]
    connection = opened()
    assert [type(event) for event in drain(connection, b"\r\na NOOP\r\n")] == [Mistake, Noop]
    connection = opened()
    drain(connection, b"a APPEND INBOX {1+}\r\n")
    connection.accept_literal()
    events = drain(connection, b"x\r\n\r\nb NOOP\r\n")
    assert events == [LiteralChunk(b"x"), AppendFinished(b"a"), Noop(b"b")]


def test_idle_and_done_in_one_packet() -> None:
    connection = opened()
    assert drain(connection, b"a IDLE\r\nDONE\r\nb NOOP\r\n") == [Idle(b"a"), IdleDone(b"a"), Noop(b"b")]
    assert drain(connection, b"a IDLE\r\n\r\nDONE\r\n\r\n") == [Idle(b"a"), IdleDone(b"a")]


def test_what_is_not_done_ends_idle_and_a_command_is_one() -> None:
    connection = opened()
    mistake = Mistake(b"a", "BAD", None, "Only DONE ends IDLE.")
    assert drain(connection, b"a IDLE\r\nb NOOP\r\n") == [Idle(b"a"), mistake, Noop(b"b")]
    assert drain(connection, b"a IDLE\r\nNOOP\r\nc NOOP\r\n") == [Idle(b"a"), mistake, Noop(b"c")]


def test_nothing_is_read_while_tls_starts_and_nothing_before_it_counts_after() -> None:
    connection = opened(State.NOT_AUTHENTICATED)
    assert drain(connection, b"a STARTTLS\r\nb NOOP\r\n") == [StartTls(b"a")]
    connection.tls_started()
    assert drain(connection, b"") == []
    assert drain(connection, b"c STARTTLS\r\nd NOOP\r\n") == [StartTls(b"c")]
    connection.tls_refused()
    assert drain(connection, b"") == [Noop(b"d")]


def test_a_sasl_exchange() -> None:
    connection = opened(State.NOT_AUTHENTICATED)
    connection.receive_data(b"a authenticate plain\r\n*\r\nb AUTHENTICATE PLAIN =\r\n")
    assert connection.next_event() == Authenticate(b"a", "PLAIN", None)
    connection.expect_response()
    assert connection.next_event() == SaslResponse(b"*")
    assert connection.next_event() == Authenticate(b"b", "PLAIN", b"=")


def test_nothing_comes_after_logout() -> None:
    assert drain(opened(), b"a LOGOUT\r\nb NOOP\r\n") == [Logout(b"a")]


def test_a_url_too_long_is_refused_before_it_is_sent() -> None:
    connection = opened()
    [mistake] = drain(connection, b"a APPEND x CATENATE (URL {8193}\r\n")
    assert isinstance(mistake, Mistake)
    assert mistake.code == "TOOBIG"


def test_more_labels_than_one_store_takes_are_refused() -> None:
    connection = ImapConnection(Limits())
    connection.login_succeeded(gmail=True)
    connection.mailbox_selected()
    labels = [b"l%d" % number for number in range(101)]
    for count, kind in ((100, StoreLabels), (101, Mistake)):
        [event] = drain(connection, b"a STORE 1 +X-GM-LABELS (%b)\r\n" % b" ".join(labels[:count]))
        assert isinstance(event, kind)
