"""One IMAP conversation as the server sees it: bytes in, events out (RFC 3501, RFC 9051, RFC 7888)."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from mailhost.protocols.foreign import Foreign, recognise
from mailhost.protocols.imap.commands import Command, Idle, Logout, StartTls
from mailhost.protocols.imap.events import (
    CatenateUrl,
    ContinuationNeeded,
    Event,
    Hangup,
    IdleDone,
    LiteralChunk,
    Mistake,
    SaslResponse,
)
from mailhost.protocols.imap.parsing.appending import CATENATE, Announced, AppendEvent, AppendReader, Ending
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal
from mailhost.protocols.imap.parsing.table import APPEND_STATES, COMMANDS, State
from mailhost.protocols.lines import LineBuffer, LineTooLong

_LITERAL: Final = re.compile(rb"(~?)\{([0-9]{1,20})(\+?)\}\Z")
# What stands before the mailbox of a command that brings messages: a literal further on is the first of them.
# It is looked for at each literal, so the first word is not looked through to whatever end: it can be no tag.
_APPEND: Final = re.compile(rb"[^ ]{1,256} (?:APPEND|(?:UID )?REPLACE [^ ]{1,10})(?= )", re.IGNORECASE)
MAX_URL: Final = 8192
"""Octets of a URL written as a literal."""
_TAG: Final = re.compile(rb'[^\x00-\x20(){%*"\\+\x7f-\xff]{1,256}(?= )')


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a conversation is held or forgiven; octets unless said otherwise."""

    line: int = 196608
    line_before_sign_in: int = 16384  # a SASL response of 12 KiB must fit (RFC 4954 §4)
    command: int = 196608  # all lines and literals of one command, APPEND's messages apart
    command_before_sign_in: int = 24576
    skipped: int = 67108864  # of a literal that is refused although the client is already sending it
    skipped_before_sign_in: int = 65536
    mistakes: int = 50  # malformed commands in one conversation
    mistakes_before_sign_in: int = 10


def _command_name(cursor: Cursor) -> bytes:
    """The command's name in upper case, `UID FETCH` as one."""
    name = cursor.word()
    if name == b"UID":
        cursor.space()
        name += b" " + cursor.word()
    return name


class _Mode(Enum):
    """What the next octets are."""

    COMMAND = auto()  # a line of a command
    ARGUMENT = auto()  # a literal inside a command
    URL = auto()  # the same inside of CATENATE
    ANNOUNCED = auto()  # nothing: the owner has still to accept or abandon a message
    MESSAGE = auto()  # a message of APPEND
    BEHIND_MESSAGE = auto()  # the line behind it
    SKIPPING = auto()  # a literal nobody wants
    BEHIND_SKIPPED = auto()  # the line behind it
    SASL = auto()  # a line of a SASL exchange
    IDLE = auto()  # DONE
    TLS = auto()  # nothing: the owner has still to start TLS or refuse it
    OVER = auto()  # nothing any more


class ImapConnection:
    """Call `receive_data`, then `next_event` until it gives None. It never raises, whatever the client sends.

    A command is parsed only after the answer to the one before it: its meaning may depend on it.
    """

    __slots__ = (
        "_append",
        "_command",
        "_events",
        "_idle_tag",
        "_limits",
        "_lines",
        "_mistakes",
        "_mode",
        "_synchronising",
        "_wanted",
        "_was_blank",
        "gmail",
        "state",
        "utf8",
    )

    def __init__(self, limits: Limits) -> None:
        """A fresh conversation, before the greeting."""
        self.state = State.NOT_AUTHENTICATED
        self.gmail = False  # the account is in the gmail layout: X-GM-EXT-1 is there
        self.utf8 = False  # ENABLE UTF8=ACCEPT was given: names are UTF-8
        self._limits = limits
        self._lines = LineBuffer(limits.line_before_sign_in)
        self._mode = _Mode.COMMAND
        self._command: bytearray | None = None  # lines and literals of the command so far
        self._wanted = 0  # octets of a literal still to come
        self._synchronising = False  # the client waits before it sends the literal
        self._append: AppendReader | None = None  # an APPEND under way
        self._events: list[Event] = []  # what a line said beside its first event
        self._idle_tag = b""
        self._mistakes = 0
        self._was_blank = True  # the last line was empty, or there was none yet

    def receive_data(self, data: bytes) -> None:
        """Take octets from the client; nothing is parsed yet."""
        self._lines.feed(data)

    def next_event(self) -> Event | None:
        """The next event; None when more octets, or a decision about the last event, are needed."""
        while not self._events:
            match self._mode:
                case _Mode.ANNOUNCED | _Mode.TLS | _Mode.OVER:
                    return None
                case _Mode.ARGUMENT | _Mode.URL | _Mode.MESSAGE | _Mode.SKIPPING:
                    data = self._lines.take(self._wanted)
                    self._wanted -= len(data)
                    if self._wanted and not data:
                        return None
                    event = self._take_literal(data)
                case _:
                    try:
                        line = self._lines.next_line()
                    except LineTooLong:
                        return self._hang_up(f"A line is longer than {self._lines.max_line} octets.")
                    if line is None:
                        return None
                    event = self._take_line(line)
            if event is not None:
                return event
        return self._events.pop(0)

    def _take_literal(self, data: bytes) -> Event | None:
        match self._mode:
            case _Mode.ARGUMENT | _Mode.URL:
                if self._command is not None:
                    self._command += data
                if self._wanted:
                    return None
                if self._mode is _Mode.ARGUMENT:
                    self._mode = _Mode.COMMAND
                    return None
                url, self._command = bytes(self._command or b""), None
                self._mode = _Mode.BEHIND_MESSAGE
                return CatenateUrl(url)
            case _Mode.MESSAGE:
                if not self._wanted:
                    self._mode = _Mode.BEHIND_MESSAGE
                return LiteralChunk(data) if data else None
            case _:
                if not self._wanted:
                    self._mode = _Mode.BEHIND_SKIPPED
                return None

    def _take_line(self, line: bytes) -> Event | None:
        match self._mode:
            case _Mode.SASL:
                self._mode = _Mode.COMMAND
                return SaslResponse(line)
            case _Mode.IDLE:
                return self._end_idle(line)
            case _Mode.BEHIND_SKIPPED:
                self._mode = _Mode.COMMAND
                return self._skip_behind(line)
            case _Mode.BEHIND_MESSAGE:
                return self._continue_append(line)
            case _:
                return self._continue_command(line)

    def _end_idle(self, line: bytes) -> Event | None:
        """DONE, or what else a client says while it idles.

        One empty line behind IDLE is forgiven (emailjs). A command ends IDLE and is answered: a client that says one
        waits for that (iOS Mail).
        """
        was_blank, self._was_blank = self._was_blank, not line
        if not line and not was_blank:
            return None
        self._mode = _Mode.COMMAND
        if line.strip().upper() == b"DONE":
            return IdleDone(self._idle_tag)
        mistake = self._mistake(self._idle_tag, Refusal("Only DONE ends IDLE."))
        if isinstance(mistake, Mistake) and _TAG.match(line):
            event = self._continue_command(line)
            if event is not None:
                self._events.insert(0, event)
        return mistake

    # Commands

    def _continue_command(self, line: bytes) -> Event | None:
        """One more line of a command, which ends here unless a literal follows.

        One empty line behind a command is forgiven: Apple Mail and others end DONE or a literal with a line too many.
        """
        if self._command is None:
            was_blank, self._was_blank = self._was_blank, not line
            if not line and not was_blank:
                return None
        if b"\0" in line:
            return self._refuse(line, Refusal("A NUL is not allowed in a command."))
        literal = _LITERAL.search(line) if line.endswith(b"}") else None
        append = _APPEND.match(self._command or line)
        if literal is None:
            text = bytes(self._command + line) if self._command else line
            if append is not None and CATENATE.search(text, append.end()):
                return self._announce_append(text, line)
            self._forget_command()
            return self._parse(text)
        if append is not None and (self._command or append.end() + 1 < literal.start()):
            return self._announce_append(bytes((self._command or b"") + line), line)
        size = int(literal[2])
        self._synchronising = not literal[3]
        if len(self._command or b"") + len(line) + size > self._max_command():
            return self._refuse(line, Refusal("The literal is too large.", code="TOOBIG"))
        self._command = self._command or bytearray()
        self._command += line + b"\r\n"
        self._wanted = size
        self._mode = _Mode.ARGUMENT
        return ContinuationNeeded() if self._synchronising else None

    def _parse(self, text: bytes) -> Event:
        """A command that has arrived whole."""
        cursor = Cursor(text, utf8=self.utf8, gmail=self.gmail)
        tag = b"*"
        try:
            tag = cursor.tag()
            cursor.space()
            command = self._read_command(cursor, tag)
        except Refusal as refusal:
            stranger = recognise(text) if self.state is State.NOT_AUTHENTICATED else None
            if stranger is not None and stranger is not Foreign.IMAP:
                words = f"This is an IMAP port, but you speak {stranger.value}. Check the port number."
                return self._hang_up(words, stranger)
            return self._mistake(tag, refusal)
        return self._begin(command)

    def _read_command(self, cursor: Cursor, tag: bytes) -> Command:
        name = _command_name(cursor)
        rule = COMMANDS.get(name)
        if rule is None:
            if name in APPEND_STATES:
                raise Refusal(f"{name.decode()} needs a mailbox and a literal.")
            raise Refusal(f"There is no command {name[:40].decode()}.")
        self._check_state(name, rule.states)
        return rule.parse(cursor, tag)

    def _check_state(self, name: bytes, states: frozenset[State]) -> None:
        if self.state not in states:
            now = "after signing in" if states == {State.NOT_AUTHENTICATED} else self.state.value
            raise Refusal(f"{name.decode()} is not possible {now}.")

    def _begin(self, command: Command) -> Command:
        """What a command means for the octets behind it."""
        match command:
            case StartTls():
                self._mode = _Mode.TLS
            case Idle(tag):
                self._mode = _Mode.IDLE
                self._idle_tag = tag
            case Logout():
                self.state = State.LOGOUT
                self._mode = _Mode.OVER
            case _:
                pass
        return command

    def _forget_command(self) -> None:
        self._command = None
        self._append = None
        self._events.clear()

    # APPEND

    def _announce_append(self, text: bytes, line: bytes) -> Event | None:
        """The beginning of the command, of which `line` came last, as far as the first literal or its end."""
        cursor, literal = self._up_to_literal(text)
        try:
            tag = cursor.tag()
            cursor.space()
            name = _command_name(cursor)
            self._check_state(name, APPEND_STATES[name])
            self._append = AppendReader(tag)
            return self._take_events(self._append.begin(cursor, name, literal), literal)
        except Refusal as refusal:
            return self._refuse(line, refusal)

    def _continue_append(self, line: bytes) -> Event | None:
        """The line behind a literal of APPEND: its end, more parts of the message, or one more message."""
        assert self._append is not None
        cursor, literal = self._up_to_literal(line)
        try:
            return self._take_events(self._append.go_on(cursor, literal), literal)
        except Refusal as refusal:
            return self._refuse(line, refusal, self._append.tag)

    def _take_events(self, events: list[AppendEvent], literal: Announced | None) -> Event | None:
        """What a line of APPEND said, and what it means for the octets behind it. Raises Refusal.

        None where it said nothing yet: a URL follows, and the client does not wait before it sends it.
        """
        assert self._append is not None
        self._command = None
        ending = self._append.ending
        if literal is None or ending is Ending.NOTHING:
            self._append = None
            self._mode = _Mode.COMMAND
        else:
            self._wanted = literal.size
            self._mode = _Mode.ANNOUNCED
        self._events.extend(events)
        if ending is Ending.URL:
            if self._wanted > MAX_URL:
                raise Refusal("The URL is too long.", code="TOOBIG")
            self._command = bytearray()
            self._mode = _Mode.URL
            if self._synchronising:
                self._events.append(ContinuationNeeded())
        return self._events.pop(0) if self._events else None

    def _up_to_literal(self, text: bytes) -> tuple[Cursor, Announced | None]:
        """A cursor that ends before the literal the text announces."""
        literal = _LITERAL.search(text)
        if literal is None:
            return Cursor(text, utf8=self.utf8), None
        self._synchronising = not literal[3]
        return Cursor(text[: literal.start()], utf8=self.utf8), Announced(int(literal[2]), bool(literal[1]))

    def accept_literal(self) -> bytes:
        """Take the message announced. What to send now, which is nothing when the client does not wait (RFC 7888)."""
        self._mode = _Mode.MESSAGE
        return b"+ Go ahead\r\n" if self._synchronising else b""

    def abandon_append(self) -> bool:
        """Give up the APPEND under way: nothing more is told of it. False when the client must be hung up on.

        A client that waits for `+` reads the tagged answer instead; one that does not is sending all the same, and
        what it sends is thrown away, within bounds.
        """
        waits = self._synchronising and (
            self._mode is _Mode.ANNOUNCED or (self._mode is _Mode.URL and bool(self._events))
        )
        is_over = self._append is None
        self._forget_command()
        if is_over:
            return True
        if waits:
            self._mode = _Mode.COMMAND
            return True
        if self._mode is _Mode.ANNOUNCED and self._wanted > self._max_skipped():
            self._mode = _Mode.OVER
            return False
        self._mode = _Mode.SKIPPING if self._mode is not _Mode.BEHIND_MESSAGE else _Mode.BEHIND_SKIPPED
        return True

    # Mistakes

    def _refuse(self, line: bytes, refusal: Refusal, tag: bytes | None = None) -> Mistake | Hangup:
        """Refuse the command under way, of which `line` came last; a literal it announces is skipped."""
        if tag is None:
            found = _TAG.match(self._command or line)
            tag = b"*" if found is None else found[0]
        self._forget_command()
        self._mode = _Mode.COMMAND
        return self._skip_behind(line) or self._mistake(tag, refusal)

    def _skip_behind(self, line: bytes) -> Hangup | None:
        """Skip the literal that a refused line announces without waiting."""
        literal = _LITERAL.search(line)
        if literal is None or not literal[3]:
            return None
        self._wanted = int(literal[2])
        if self._wanted > self._max_skipped():
            return self._hang_up("The literal is too large.")
        self._mode = _Mode.SKIPPING
        return None

    def _mistake(self, tag: bytes, refusal: Refusal) -> Mistake | Hangup:
        if refusal.status == "BAD":
            self._mistakes += 1
        before = self.state is State.NOT_AUTHENTICATED
        if self._mistakes > (self._limits.mistakes_before_sign_in if before else self._limits.mistakes):
            return self._hang_up("Too many commands were malformed.")
        return Mistake(tag, refusal.status, refusal.code, refusal.text, refusal.empties_saved)

    def _hang_up(self, text: str, spoken: Foreign | None = None) -> Hangup:
        self._mode = _Mode.OVER
        self._lines.clear()
        return Hangup(text, spoken)

    def _max_command(self) -> int:
        before = self.state is State.NOT_AUTHENTICATED
        return self._limits.command_before_sign_in if before else self._limits.command

    def _max_skipped(self) -> int:
        before = self.state is State.NOT_AUTHENTICATED
        return self._limits.skipped_before_sign_in if before else self._limits.skipped

    @property
    def is_inside_command(self) -> bool:
        """Whether a command has begun and the client owes the rest of it; during IDLE it owes DONE."""
        return self._mode is not _Mode.COMMAND or self._command is not None or len(self._lines) > 0

    @property
    def is_idling(self) -> bool:
        """Whether IDLE is under way."""
        return self._mode is _Mode.IDLE

    # What the owner decides

    def expect_response(self) -> None:
        """A SASL challenge goes out: the next line is the client's response."""
        self._mode = _Mode.SASL

    def login_succeeded(self, *, gmail: bool = False) -> None:
        """The client is signed in, to an account in the `gmail` layout or not."""
        self.gmail = gmail
        self.state = State.AUTHENTICATED
        self._lines.max_line = self._limits.line
        self._mistakes = 0

    def signed_out(self) -> None:
        """UNAUTHENTICATE: nobody is signed in and nothing is enabled any more (RFC 8437 §2)."""
        self.state = State.NOT_AUTHENTICATED
        self._lines.max_line = self._limits.line_before_sign_in
        self._mistakes = 0
        self.utf8 = self.gmail = False

    def mailbox_selected(self) -> None:
        """SELECT or EXAMINE succeeded."""
        self.state = State.SELECTED

    def mailbox_closed(self) -> None:
        """No mailbox is selected any more."""
        self.state = State.AUTHENTICATED

    def tls_started(self) -> None:
        """TLS is on: whatever the client sent before it is forgotten (RFC 9051 §6.2.1)."""
        self._lines.clear()
        self._mode = _Mode.COMMAND

    def tls_refused(self) -> None:
        """STARTTLS was answered with NO."""
        self._mode = _Mode.COMMAND
