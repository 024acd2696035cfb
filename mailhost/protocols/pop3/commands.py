"""POP3 command lines to events: the table of commands and what each takes (RFC 1939, 2449, 2595, 5034, 6856)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from mailhost.protocols.foreign import Foreign, recognise


class State(Enum):
    """Where a conversation stands. UPDATE needs no name: it is the owner's work after Quit."""

    AUTHORIZATION = auto()
    AUTHENTICATING = auto()
    TRANSACTION = auto()
    CLOSED = auto()  # out of step or over: nothing more is parsed


class Problem(Enum):
    """A mistake of the client, with the words that follow `-ERR`."""

    LINE_TOO_LONG = "Line too long"
    UNRECOGNIZED = "bad command"
    SIGN_IN_FIRST = "Sign in first"
    ALREADY_SIGNED_IN = "You are signed in already"
    USER_FIRST = "USER first"
    NO_ARGUMENT = "This command takes no argument"
    NEEDS_NUMBER = "This command needs the number of a message"
    NEEDS_TWO_NUMBERS = "TOP needs the number of a message and how many lines of its text"
    NEEDS_USER = "USER needs a user name"
    BAD_TEXT = "User names and passwords must be UTF-8"
    BAD_MECHANISM = "AUTH takes a mechanism and an initial response"


@dataclass(frozen=True, slots=True)
class Capa:
    """CAPA."""


@dataclass(frozen=True, slots=True)
class Stls:
    """STLS; whatever was sent behind it is thrown away by `tls_started`."""


@dataclass(frozen=True, slots=True)
class User:
    """USER; the name is kept for PASS."""

    name: str


@dataclass(frozen=True, slots=True)
class Pass:
    """PASS behind USER: a whole sign-in."""

    user: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH; without a mechanism it asks for the list of them (RFC 5034 keeps this old form in use)."""

    mechanism: str | None
    initial: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """A line of the client's within the exchange."""

    line: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stat:
    """STAT."""


@dataclass(frozen=True, slots=True)
class List:
    """LIST of one message or of all."""

    number: int | None


@dataclass(frozen=True, slots=True)
class Uidl:
    """UIDL of one message or of all."""

    number: int | None


@dataclass(frozen=True, slots=True)
class Retr:
    """RETR."""

    number: int


@dataclass(frozen=True, slots=True)
class Top:
    """TOP: the header and `lines` lines of the text."""

    number: int
    lines: int


@dataclass(frozen=True, slots=True)
class Dele:
    """DELE."""

    number: int


@dataclass(frozen=True, slots=True)
class Rset:
    """RSET: take all DELE back."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP."""


@dataclass(frozen=True, slots=True)
class Utf8:
    """UTF8 (RFC 6856)."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT: after a sign-in, the one moment at which anything is deleted."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something the client got wrong."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class WrongProtocol:
    """The client speaks something else: one helpful line, then close."""

    protocol: Foreign


Command = (
    Capa | Stls | User | Pass | Auth | Stat | List | Uidl | Retr | Top | Dele | Rset | Noop | Utf8 | Quit
)  # fmt: skip
Event = Command | AuthResponse | Mistake | WrongProtocol


class Wrong(Exception):
    """An argument that does not parse; becomes a Mistake."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def _bare(event: Command) -> Callable[[bytes], Command]:
    def parse(argument: bytes) -> Command:
        if argument.strip():
            raise Wrong(Problem.NO_ARGUMENT)
        return event

    return parse


def _number(text: bytes, problem: Problem = Problem.NEEDS_NUMBER) -> int:
    if not text.isdigit() or len(text) > 10:
        raise Wrong(problem)
    return int(text)


def _top(argument: bytes) -> Command:
    words = argument.split()
    if len(words) != 2:
        raise Wrong(Problem.NEEDS_TWO_NUMBERS)
    number, lines = (_number(word, Problem.NEEDS_TWO_NUMBERS) for word in words)
    return Top(number, lines)


def _optional(kind: type[List] | type[Uidl]) -> Callable[[bytes], Command]:
    def parse(argument: bytes) -> Command:
        argument = argument.strip()
        return kind(_number(argument) if argument else None)

    return parse


def _user(argument: bytes) -> Command:
    name = text(argument).strip()
    if not name:
        raise Wrong(Problem.NEEDS_USER)
    return User(name)


def _auth(argument: bytes) -> Command:
    words = argument.split()
    if len(words) > 2:
        raise Wrong(Problem.BAD_MECHANISM)
    if not words:
        return Auth(None)
    return Auth(words[0].decode("ascii", "replace").upper(), words[1] if len(words) == 2 else None)


def text(octets: bytes) -> str:
    """What the client typed. Raises Wrong."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Wrong(Problem.BAD_TEXT) from None


@dataclass(frozen=True, slots=True)
class Verb:
    """One line of the table: the parser of the argument and the states in which the command is legal."""

    parse: Callable[[bytes], Command]
    states: frozenset[State]


_BEFORE: Final = frozenset({State.AUTHORIZATION})
_AFTER: Final = frozenset({State.TRANSACTION})
VERBS: Final[Mapping[bytes, Verb]] = {
    b"CAPA": Verb(_bare(Capa()), _BEFORE | _AFTER),
    b"QUIT": Verb(_bare(Quit()), _BEFORE | _AFTER),
    b"UTF8": Verb(_bare(Utf8()), _BEFORE),
    b"STLS": Verb(_bare(Stls()), _BEFORE),
    b"USER": Verb(_user, _BEFORE),
    b"PASS": Verb(lambda argument: Pass("", text(argument)), _BEFORE),  # blanks belong to the password (RFC 1939 §7)
    b"AUTH": Verb(_auth, _BEFORE),
    b"STAT": Verb(_bare(Stat()), _AFTER),
    b"LIST": Verb(_optional(List), _AFTER),
    b"UIDL": Verb(_optional(Uidl), _AFTER),
    b"RETR": Verb(lambda argument: Retr(_number(argument.strip())), _AFTER),
    b"DELE": Verb(lambda argument: Dele(_number(argument.strip())), _AFTER),
    b"TOP": Verb(_top, _AFTER),
    b"RSET": Verb(_bare(Rset()), _AFTER),
    b"NOOP": Verb(_bare(Noop()), _AFTER),
}


def parse_command(line: bytes, state: State) -> Event:
    """The event a command line stands for in this state."""
    name, _, argument = line.partition(b" ")
    verb = VERBS.get(name.strip().upper())
    if verb is None:
        foreign = recognise(line)
        if foreign is None or foreign is Foreign.POP3:
            return Mistake(Problem.UNRECOGNIZED)
        return WrongProtocol(foreign)
    if state not in verb.states:
        before = state is State.AUTHORIZATION
        return Mistake(Problem.SIGN_IN_FIRST if before else Problem.ALREADY_SIGNED_IN)
    try:
        return verb.parse(argument)
    except Wrong as wrong:
        return Mistake(wrong.problem)
