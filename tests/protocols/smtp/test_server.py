"""The SMTP core: arguments, order of commands, content and its end."""

import pytest

from mailhost.protocols.foreign import Foreign
from mailhost.protocols.smtp.addresses import Address
from mailhost.protocols.smtp.commands import State
from mailhost.protocols.smtp.events import (
    Auth,
    AuthResponse,
    Body,
    Chunk,
    ChunkEnd,
    Data,
    Defect,
    Event,
    Hello,
    Mail,
    MessageEnd,
    Mistake,
    Noop,
    Problem,
    Quit,
    Rcpt,
    StartTls,
    WrongProtocol,
)
from mailhost.protocols.smtp.server import SmtpConnection
from tests.properties.test_smtp_splits import accept


def talk(octets: bytes, *, lmtp: bool = False, max_size: int = 1000) -> list[Event]:
    """What a client's octets mean to an owner that accepts everything."""
    connection = SmtpConnection(max_size=max_size, lmtp=lmtp)
    connection.receive_data(octets)
    out = []
    while (event := connection.next_event()) is not None:
        out.append(event)
        accept(connection, event)
    return out


def after(octets: bytes, start: bytes = b"EHLO c\r\n") -> list[Event]:
    return talk(start + octets)[start.count(b"\r\n") :]


ENVELOPE = b"EHLO c\r\nMAIL FROM:<ann@example.test>\r\nRCPT TO:<bob@example.test>\r\n"


def content_of(events: list[Event]) -> bytes:
    return b"".join(event.content for event in events if isinstance(event, Chunk))


@pytest.mark.parametrize(
    ("argument", "mail"),
    [
        (b"FROM:<ann@example.test>", Mail(Address("ann", "example.test"))),
        (b"from: <ann@example.test>  ", Mail(Address("ann", "example.test"))),
        (b"FROM:<>", Mail(None)),
        (b"FROM:<a@b> SIZE=12 BODY=8bitmime AUTH=<>", Mail(Address("a", "b"), 12, Body.EIGHT_BIT)),
        ("FROM:<jörg@b> SMTPUTF8".encode(), Mail(Address("jörg", "b"), utf8=True)),
        (b'FROM:<"a> b"@example.test> SIZE=1', Mail(Address("a> b", "example.test"), 1)),
    ],
)
def test_mail(argument: bytes, mail: Mail) -> None:
    assert after(b"MAIL " + argument + b"\r\n") == [mail]


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        (b"", Problem.SYNTAX),
        (b"FROM:", Problem.SYNTAX),
        (b"FROM:ann@example.test", Problem.SYNTAX),
        (b"TO:<ann@example.test>", Problem.SYNTAX),
        (b"FROM:<a@b>SIZE=1", Problem.SYNTAX),
        (b"FROM:<\xff@b>", Problem.SYNTAX),
        (b"FROM:<ann@>", Problem.BAD_SENDER),
        ("FROM:<jörg@b>".encode(), Problem.NEEDS_SMTPUTF8),
        (b"FROM:<a@b> SIZE", Problem.PARAMETER_VALUE),
        (b"FROM:<a@b> SIZE=-1", Problem.PARAMETER_VALUE),
        (b"FROM:<a@b> SIZE=1 SIZE=2", Problem.PARAMETER_VALUE),
        (b"FROM:<a@b> BODY=BINARYMIME", Problem.PARAMETER_VALUE),
        (b"FROM:<a@b> SMTPUTF8=yes", Problem.PARAMETER_VALUE),
        (b"FROM:<a@b> AUTH", Problem.PARAMETER_VALUE),
        (b"FROM:<a@b> =", Problem.PARAMETER_VALUE),
        (b"FROM:<a@b> RET=FULL", Problem.PARAMETER_UNKNOWN),
    ],
)
def test_mail_that_does_not_parse(argument: bytes, problem: Problem) -> None:
    assert after(b"MAIL " + argument + b"\r\n") == [Mistake(problem)]


@pytest.mark.parametrize(
    ("argument", "event"),
    [
        (b"TO:<bob@example.test>", Rcpt(Address("bob", "example.test"))),
        (b"TO:<Postmaster>", Rcpt(Address("Postmaster", ""))),
        (b"TO:<>", Mistake(Problem.BAD_RECIPIENT)),
        (b"TO:<bob>", Mistake(Problem.BAD_RECIPIENT)),
        (b"TO:<bob@example.test> NOTIFY=NEVER", Mistake(Problem.PARAMETER_UNKNOWN)),
        ("TO:<jörg@example.test>".encode(), Mistake(Problem.NEEDS_SMTPUTF8)),
    ],
)
def test_rcpt(argument: bytes, event: Event) -> None:
    assert after(b"RCPT " + argument + b"\r\n", b"EHLO c\r\nMAIL FROM:<>\r\n") == [event]


def test_an_address_outside_ascii_once_mail_said_smtputf8() -> None:
    start = b"EHLO c\r\nMAIL FROM:<> SMTPUTF8\r\n"
    assert after("RCPT TO:<jörg@example.test>\r\n".encode(), start) == [Rcpt(Address("jörg", "example.test"))]


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (b"MAIL FROM:<>\r\n", Problem.HELLO_FIRST),
        (b"AUTH PLAIN\r\n", Problem.HELLO_FIRST),
        (b"EHLO c\r\nRCPT TO:<a@b>\r\n", Problem.MAIL_FIRST),
        (b"EHLO c\r\nDATA\r\n", Problem.MAIL_FIRST),
        (b"EHLO c\r\nMAIL FROM:<>\r\nDATA\r\n", Problem.RCPT_FIRST),
        (b"EHLO c\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n", Problem.BAD_SEQUENCE),
        (b"EHLO c\r\nMAIL FROM:<>\r\nAUTH PLAIN\r\n", Problem.BAD_SEQUENCE),
        (ENVELOPE + b"BDAT 1\r\nxDATA\r\n", Problem.DATA_AFTER_BDAT),
        (b"EHLO\r\n", Problem.HELLO_ARGUMENT),
        (b"EHLO a b\r\n", Problem.HELLO_ARGUMENT),
        (b"EHLO c\r\nSTARTTLS now\r\n", Problem.NO_ARGUMENT),
        (b"EXPN list\r\n", Problem.UNIMPLEMENTED),
        (b"LHLO c\r\n", Problem.UNRECOGNIZED),
        (b"\r\n", Problem.UNRECOGNIZED),
        (b"NOOP " + b"x" * 3000 + b"\r\n", Problem.LINE_TOO_LONG),
        (b"x" * 20000, Problem.LINE_TOO_LONG),
        (b"EHLO c\r\nAUTH\r\n", Problem.AUTH_SYNTAX),
    ],
)
def test_mistakes(octets: bytes, problem: Problem) -> None:
    assert talk(octets)[-1] == Mistake(problem)


def test_rset_and_a_second_ehlo_end_the_transaction() -> None:
    for command in (b"RSET\r\n", b"EHLO again\r\n"):
        assert talk(ENVELOPE + command + b"DATA\r\n")[-1] == Mistake(Problem.MAIL_FIRST)


def test_a_refused_mail_leaves_nothing_to_receive_for() -> None:
    connection = SmtpConnection(max_size=1000)
    connection.receive_data(ENVELOPE + b"DATA\r\n")
    assert isinstance(connection.next_event(), Hello)
    connection.hello_accepted()
    assert isinstance(connection.next_event(), Mail)  # and not accepted
    assert connection.next_event() == Mistake(Problem.MAIL_FIRST)
    assert connection.next_event() == Mistake(Problem.MAIL_FIRST)


def test_data_is_unstuffed_and_ends_only_at_its_end() -> None:
    events = talk(ENVELOPE + b"DATA\r\n..a\r\n.b\r\n...\r\n\r\n.\r\nNOOP\r\n")
    assert content_of(events) == b".a\r\nb\r\n..\r\n\r\n"
    assert events[-2:] == [MessageEnd(13, None), Noop()]
    assert Data() in events


def test_an_empty_message() -> None:
    assert talk(ENVELOPE + b"DATA\r\n.\r\nQUIT\r\n")[-2:] == [MessageEnd(0, None), Quit()]


@pytest.mark.parametrize(
    "smuggled",
    [
        b"a\n.\nMAIL",
        b"a\n.\r\nMAIL",
        b"a\r\n.\nMAIL",
        b"a\r.\rMAIL",
        b"a\r\n.\rMAIL",
        b"a\r.\r\nMAIL",
        b"a\n\n.\r\n\nMAIL",
    ],
)
def test_a_bare_newline_ends_nothing_and_dooms_the_message(smuggled: bytes) -> None:
    events = talk(ENVELOPE + b"DATA\r\n" + smuggled + b" FROM:<evil@example.test>\r\n.\r\nNOOP\r\n")
    assert [event for event in events if isinstance(event, Mail)] == [Mail(Address("ann", "example.test"))]
    assert isinstance(events[-2], MessageEnd)
    assert events[-2].defect is Defect.BARE_NEWLINE
    assert events[-1] == Noop()


def test_bdat_obeys_the_same_rule() -> None:
    for chunks in (b"BDAT 2\r\na\nBDAT 0 LAST\r\n", b"BDAT 2\r\na\rBDAT 1 LAST\r\nb", b"BDAT 2 LAST\r\na\r"):
        end = talk(ENVELOPE + chunks)[-1]
        assert isinstance(end, MessageEnd)
        assert end.defect is Defect.BARE_NEWLINE
    events = talk(ENVELOPE + b"BDAT 2\r\na\rBDAT 2 LAST\r\n\n.NOOP\r\n")  # a CR LF may be cut between two chunks
    assert content_of(events) == b"a\r\n.\r\n"
    assert events[-2:] == [MessageEnd(6, None), Noop()]


def test_lmtp_lets_bare_newlines_pass_to_be_mended() -> None:
    events = talk(b"L" + ENVELOPE[1:] + b"DATA\r\na\nb\r\n.\r\n", lmtp=True)
    assert content_of(events) == b"a\nb\r\n"
    assert events[-1] == MessageEnd(5, None)


def test_nul_is_refused() -> None:
    end = talk(ENVELOPE + b"DATA\r\na\0b\r\n.\r\n")[-1]
    assert end == MessageEnd(5, Defect.NUL)


def test_chunks_are_answered_one_by_one() -> None:
    events = talk(ENVELOPE + b"BDAT 5\r\nab\r\ncBDAT 3 LAST\r\nd\r\nNOOP\r\n")
    assert events[3:] == [Chunk(b"ab\r\nc"), ChunkEnd(5, None), Chunk(b"d\r\n"), MessageEnd(8, None), Noop()]


def test_a_refused_bdat_is_still_read() -> None:
    assert talk(b"EHLO c\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")[1:] == [Mistake(Problem.MAIL_FIRST), Noop()]


def test_a_bdat_without_size_leaves_the_conversation_out_of_step() -> None:
    assert talk(ENVELOPE + b"BDAT many\r\nQUIT\r\n")[3:] == [Mistake(Problem.CHUNK_SIZE, fatal=True)]


def test_a_message_over_the_limit_is_read_but_not_handed_out() -> None:
    events = talk(ENVELOPE + b"DATA\r\n" + b"x" * 20 + b"\r\n.\r\nNOOP\r\n", max_size=10)
    assert events[3:] == [Data(), MessageEnd(22, Defect.TOO_LARGE), Noop()]


def test_a_message_without_end_is_abandoned() -> None:
    for octets in (b"DATA\r\n" + b"x" * 60, b"BDAT 99999999999\r\n" + b"x" * 60):
        assert talk(ENVELOPE + octets, max_size=10)[-1] == Mistake(Problem.ENDLESS, fatal=True)


def test_auth_exchange_lines_are_no_commands() -> None:
    events = talk(b"EHLO c\r\nAUTH plain\r\nQUIT\r\nNOOP\r\n")
    assert events[1:] == [Auth("PLAIN", None), AuthResponse(b"QUIT"), Noop()]
    assert "c2VjcmV0" not in repr(talk(b"EHLO c\r\nAUTH PLAIN c2VjcmV0\r\n"))


def test_octets_behind_starttls_are_forgotten() -> None:
    connection = SmtpConnection(max_size=1000)
    connection.receive_data(b"EHLO c\r\nSTARTTLS\r\nMAIL FROM:<>\r\n")
    connection.next_event()
    connection.hello_accepted()
    assert connection.next_event() == StartTls()
    connection.tls_started()
    assert connection.next_event() is None
    assert connection.state is State.START


@pytest.mark.parametrize(
    ("line", "protocol"),
    [
        (b"GET / HTTP/1.1", Foreign.HTTP),
        (b"a1 LOGIN ann secret", Foreign.IMAP),
        (b"CAPA", Foreign.POP3),
        (b"USER ann", Foreign.POP3),
    ],
)
def test_another_protocol_is_recognised_and_ends_the_conversation(line: bytes, protocol: Foreign) -> None:
    assert talk(line + b"\r\nNOOP\r\n") == [WrongProtocol(protocol)]
