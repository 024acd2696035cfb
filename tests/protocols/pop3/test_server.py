"""The POP3 core: arguments and the order of commands."""

import pytest

from mailhost.protocols.foreign import Foreign
from mailhost.protocols.pop3 import answers
from mailhost.protocols.pop3.commands import (
    Auth,
    Capa,
    Dele,
    Event,
    List,
    Mistake,
    Pass,
    Problem,
    Quit,
    Retr,
    State,
    Stls,
    Top,
    Uidl,
    User,
    WrongProtocol,
)
from mailhost.protocols.pop3.server import Pop3Connection
from tests.properties.test_pop3_splits import events_of

SIGNED_IN = b"USER ann\r\nPASS s\r\n"


def inside(octets: bytes) -> list[Event]:
    return events_of([SIGNED_IN + octets])[2:]


def test_sign_in_with_user_and_pass() -> None:
    events = events_of([b"CAPA\r\nUSER  ann@example.test \r\nPASS two words\r\n"])
    assert events == [Capa(), User("ann@example.test"), Pass("ann@example.test", "two words")]
    assert "two words" not in repr(events)


def test_pass_counts_only_behind_user() -> None:
    assert events_of([b"PASS x\r\n"]) == [Mistake(Problem.USER_FIRST)]
    assert events_of([b"USER ann\r\nCAPA\r\nPASS x\r\n"])[-1] == Mistake(Problem.USER_FIRST)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b"LIST", List(None)),
        (b"list 2 ", List(2)),
        (b"UIDL", Uidl(None)),
        (b"UIDL 3", Uidl(3)),
        (b"RETR 1", Retr(1)),
        (b"DELE 4", Dele(4)),
        (b"TOP 1 10", Top(1, 10)),
        (b"RETR", Mistake(Problem.NEEDS_NUMBER)),
        (b"RETR -1", Mistake(Problem.NEEDS_NUMBER)),
        (b"DELE 1 2", Mistake(Problem.NEEDS_NUMBER)),
        (b"TOP 1", Mistake(Problem.NEEDS_TWO_NUMBERS)),
        (b"TOP 1 x", Mistake(Problem.NEEDS_TWO_NUMBERS)),
        (b"LIST " + b"9" * 40, Mistake(Problem.NEEDS_NUMBER)),
        (b"STAT now", Mistake(Problem.NO_ARGUMENT)),
        (b"USER bob", Mistake(Problem.ALREADY_SIGNED_IN)),
        (b"STLS", Mistake(Problem.ALREADY_SIGNED_IN)),
        (b"XTND", Mistake(Problem.UNRECOGNIZED)),
        (b"x" * 600, Mistake(Problem.LINE_TOO_LONG)),
    ],
)
def test_commands_inside(line: bytes, event: Event) -> None:
    assert inside(line + b"\r\n") == [event]


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b"STLS", Stls()),
        (b"AUTH", Auth(None)),
        (b"AUTH plain AGEAYg==", Auth("PLAIN", b"AGEAYg==")),
        (b"AUTH PLAIN a b", Mistake(Problem.BAD_MECHANISM)),
        (b"STAT", Mistake(Problem.SIGN_IN_FIRST)),
        (b"USER", Mistake(Problem.NEEDS_USER)),
        (b"USER \xff", Mistake(Problem.BAD_TEXT)),
        (b"A1 LOGIN ann secret", WrongProtocol(Foreign.IMAP)),
        (b"EHLO client", WrongProtocol(Foreign.SMTP)),
        (b"GET / HTTP/1.0", WrongProtocol(Foreign.HTTP)),
        (b"APOP ann 0123", Mistake(Problem.UNRECOGNIZED)),
    ],
)
def test_commands_before_sign_in(line: bytes, event: Event) -> None:
    assert events_of([line + b"\r\n"]) == [event]


def test_nothing_is_parsed_behind_quit() -> None:
    assert inside(b"QUIT\r\nDELE 1\r\n") == [Quit()]


def test_octets_behind_stls_are_forgotten() -> None:
    connection = Pop3Connection()
    connection.receive_data(b"USER ann\r\nSTLS\r\nPASS x\r\n")
    connection.next_event()
    assert connection.next_event() == Stls()
    connection.tls_started()
    assert connection.next_event() is None
    connection.receive_data(b"PASS x\r\n")
    assert connection.next_event() == Mistake(Problem.USER_FIRST)
    assert connection.state is State.AUTHORIZATION


def test_answers() -> None:
    assert answers.ok("send PASS") == b"+OK send PASS\r\n"
    assert answers.err("no") == b"-ERR no\r\n"
    assert answers.err("locked", "IN-USE") == b"-ERR [IN-USE] locked\r\n"
    assert answers.listing("2 messages", ["1 5", "2 7"]) == b"+OK 2 messages\r\n1 5\r\n2 7\r\n.\r\n"
