"""SMTP command lines to events: the table of verbs and the parsers of their arguments (RFC 5321 §4.1.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from mailhost.protocols.foreign import Foreign, recognise
from mailhost.protocols.smtp.addresses import Address, parse_address
from mailhost.protocols.smtp.events import (
    Auth,
    Body,
    Command,
    Data,
    Hello,
    Help,
    Mail,
    Mistake,
    Noop,
    Problem,
    Quit,
    Rcpt,
    Reset,
    StartTls,
    Verify,
    WrongProtocol,
)


class State(Enum):
    """Where a conversation stands."""

    START = auto()  # nobody said EHLO yet
    READY = auto()
    AUTHENTICATING = auto()
    MAIL = auto()  # a sender, no recipient
    RCPT = auto()
    DATA = auto()  # content until the final dot
    CHUNK = auto()  # content of one BDAT
    CHUNKS = auto()  # between two BDATs of one message
    CLOSED = auto()  # out of step: nothing more is parsed


@dataclass(frozen=True, slots=True)
class BeginChunk:
    """BDAT, for the connection itself: `size` octets follow whatever is answered, so even a refused one is read."""

    size: int
    last: bool


class Wrong(Exception):
    """An argument that does not parse; becomes a Mistake."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


_PATH: Final = re.compile(r'\s*<((?:[^<>"\\]|"(?:[^"\\]|\\.)*")*)>')
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=\x00-\x1f\x7f]+))?")
_CHUNK: Final = re.compile(rb"([0-9]{1,20})(?:[ \t]+(LAST))?[ \t]*", re.IGNORECASE)
_MECHANISM: Final = re.compile(rb"([A-Za-z0-9_-]{1,20})(?:[ \t]+(\S+))?[ \t]*")
_MAX_HELLO: Final = 255


def _text(argument: bytes) -> str:
    try:
        return argument.decode()
    except UnicodeDecodeError:
        raise Wrong(Problem.SYNTAX) from None


def _hello(verb: str) -> Callable[[bytes], Command]:
    def parse(argument: bytes) -> Command:
        name = argument.decode("utf-8", "replace").strip()
        if not name or len(name) > _MAX_HELLO or not name.isprintable() or " " in name:
            raise Wrong(Problem.HELLO_ARGUMENT)
        return Hello(verb, name)

    return parse


def _path_and_parameters(argument: bytes, keyword: str) -> tuple[str, dict[str, str | None]]:
    """Split `FROM:<path> KEY=value …`; blanks after the colon are common and harmless."""
    text = _text(argument)
    if text[: len(keyword)].upper() != keyword:
        raise Wrong(Problem.SYNTAX)
    path = _PATH.match(text, len(keyword))
    if path is None:
        raise Wrong(Problem.SYNTAX)
    rest = text[path.end() :]
    if rest and not rest[0].isspace():
        raise Wrong(Problem.SYNTAX)
    parameters: dict[str, str | None] = {}
    for word in rest.split():
        found = _PARAMETER.fullmatch(word)
        if found is None or found[1].upper() in parameters:
            raise Wrong(Problem.PARAMETER_VALUE)
        parameters[found[1].upper()] = found[2]
    return path[1], parameters


@lru_cache(maxsize=1024)  # mailing lists, relays and people write from the same few addresses again and again
def _mail(argument: bytes) -> Command:
    path, parameters = _path_and_parameters(argument, "FROM:")
    size, body, utf8 = 0, Body.SEVEN_BIT, False
    for name, value in parameters.items():
        if name == "SIZE":
            if value is None or not value.isdecimal() or len(value) > 20:
                raise Wrong(Problem.PARAMETER_VALUE)
            size = int(value)
        elif name == "BODY":
            try:
                body = Body((value or "").upper())
            except ValueError:
                raise Wrong(Problem.PARAMETER_VALUE) from None
        elif name == "SMTPUTF8":
            if value is not None:
                raise Wrong(Problem.PARAMETER_VALUE)
            utf8 = True
        elif name == "AUTH":  # RFC 4954 §5: must be understood, may be ignored
            if value is None:
                raise Wrong(Problem.PARAMETER_VALUE)
        else:
            raise Wrong(Problem.PARAMETER_UNKNOWN)
    sender = _address(path, Problem.BAD_SENDER) if path else None
    if sender and not sender.is_ascii and not utf8:
        raise Wrong(Problem.NEEDS_SMTPUTF8)
    return Mail(sender, size, body, utf8)


@lru_cache(maxsize=1024)  # and to the same few
def _rcpt(argument: bytes) -> Command:
    path, parameters = _path_and_parameters(argument, "TO:")
    if parameters:
        raise Wrong(Problem.PARAMETER_UNKNOWN)
    return Rcpt(_address(path, Problem.BAD_RECIPIENT))


def _address(path: str, otherwise: Problem) -> Address:
    address = parse_address(path)
    if address is None:
        raise Wrong(otherwise)
    return address


def _bdat(argument: bytes) -> BeginChunk:
    found = _CHUNK.fullmatch(argument)
    if found is None:
        raise Wrong(Problem.CHUNK_SIZE)
    return BeginChunk(int(found[1]), found[2] is not None)


def _auth(argument: bytes) -> Command:
    found = _MECHANISM.fullmatch(argument)
    if found is None:
        raise Wrong(Problem.AUTH_SYNTAX)
    return Auth(found[1].decode().upper(), found[2])


def _bare(event: Command) -> Callable[[bytes], Command]:
    def parse(argument: bytes) -> Command:
        if argument:
            raise Wrong(Problem.NO_ARGUMENT)
        return event

    return parse


def _any(event: Command) -> Callable[[bytes], Command]:
    return lambda _argument: event


@dataclass(frozen=True, slots=True)
class Verb:
    """One line of the table: the parser of the argument and the states in which the command is legal."""

    parse: Callable[[bytes], Command | BeginChunk]
    states: tuple[State, ...]


_BETWEEN: Final = (State.START, State.READY, State.MAIL, State.RCPT, State.CHUNKS)
_COMMON: Final[Mapping[bytes, Verb]] = {
    b"MAIL": Verb(_mail, (State.READY,)),
    b"RCPT": Verb(_rcpt, (State.MAIL, State.RCPT)),
    b"DATA": Verb(_bare(Data()), (State.RCPT,)),
    b"BDAT": Verb(_bdat, (State.RCPT, State.CHUNKS)),
    b"RSET": Verb(_bare(Reset()), _BETWEEN),
    b"NOOP": Verb(_any(Noop()), _BETWEEN),
    b"QUIT": Verb(_bare(Quit()), _BETWEEN),
    b"VRFY": Verb(_any(Verify()), _BETWEEN),
    b"HELP": Verb(_any(Help()), _BETWEEN),
    b"STARTTLS": Verb(_bare(StartTls()), (State.READY,)),
    b"AUTH": Verb(_auth, (State.READY,)),
}
SMTP_VERBS: Final[Mapping[bytes, Verb]] = {
    **_COMMON,
    b"EHLO": Verb(_hello("EHLO"), _BETWEEN),
    b"HELO": Verb(_hello("HELO"), _BETWEEN),
}
LMTP_VERBS: Final[Mapping[bytes, Verb]] = {**_COMMON, b"LHLO": Verb(_hello("LHLO"), _BETWEEN)}
_KNOWN_BUT_NOT_HERE: Final = frozenset({b"EXPN", b"ETRN", b"TURN", b"ATRN", b"SEND", b"SOML", b"SAML"})


def parse_command(
    line: bytes, state: State, verbs: Mapping[bytes, Verb]
) -> Command | BeginChunk | Mistake | WrongProtocol:
    """The event a command line stands for in this state."""
    name, _, argument = line.partition(b" ")
    name = name.strip().upper()
    verb = verbs.get(name)
    if verb is None:
        if name in _KNOWN_BUT_NOT_HERE:
            return Mistake(Problem.UNIMPLEMENTED)
        foreign = recognise(line)
        if foreign is None or foreign is Foreign.SMTP:  # LHLO on SMTP and EHLO on LMTP are near enough to go on
            return Mistake(Problem.UNRECOGNIZED)
        return WrongProtocol(foreign)
    try:
        event = verb.parse(argument.strip())
    except Wrong as wrong:
        return Mistake(wrong.problem, fatal=wrong.problem is Problem.CHUNK_SIZE)
    if state not in verb.states and not isinstance(event, BeginChunk):
        return Mistake(out_of_place(name, state))
    return event


def out_of_place(name: bytes, state: State) -> Problem:
    """Why a command is not legal now, said so that the client's author sees what is missing."""
    if state is State.START:
        return Problem.HELLO_FIRST
    if name == b"DATA" and state is State.CHUNKS:
        return Problem.DATA_AFTER_BDAT
    if name in (b"RCPT", b"DATA", b"BDAT") and state is State.READY:
        return Problem.MAIL_FIRST
    if name in (b"DATA", b"BDAT") and state is State.MAIL:
        return Problem.RCPT_FIRST
    return Problem.BAD_SEQUENCE
