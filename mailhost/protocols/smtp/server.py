"""The server's side of SMTP, LMTP and submission as one sans-IO connection."""

from __future__ import annotations

from typing import Final

from mailhost.protocols.dots import ContentCheck, DotDecoder
from mailhost.protocols.lines import LineBuffer, LineTooLong
from mailhost.protocols.sasl import MAX_RESPONSE
from mailhost.protocols.smtp.commands import (
    LMTP_VERBS,
    SMTP_VERBS,
    BeginChunk,
    State,
    out_of_place,
    parse_command,
)
from mailhost.protocols.smtp.events import (
    AuthResponse,
    Chunk,
    ChunkEnd,
    Defect,
    Event,
    Hello,
    Mail,
    MessageEnd,
    Mistake,
    Problem,
    Rcpt,
    Reset,
    WrongProtocol,
)

MAX_COMMAND: Final = 2048
"""Octets of a command line; RFC 5321 asks for 512 and each extension for some more."""
_ABANDON: Final = 4  # a message this many times over the limit is not read to its end


class SmtpConnection:
    """One conversation as the server sees it: bytes in, events out.

    The owner answers each event and, where a command may be accepted or refused, says so by the method named after the
    outcome (`mail_accepted`, `data_started`, …) before it asks for the next event. Not calling it is the refusal.
    """

    def __init__(self, *, max_size: int, lmtp: bool = False) -> None:
        """`max_size` counts octets of content. LMTP's content may hold bare newlines: the store mends them."""
        self.state = State.START
        self.smtputf8 = False
        self._max_size = max_size
        self._verbs = LMTP_VERBS if lmtp else SMTP_VERBS
        self._lines = LineBuffer(MAX_RESPONSE)
        self._decoder = DotDecoder()
        self._at_end = False  # the final dot was found, and the content before it handed out
        self._lmtp = lmtp
        self._content = ContentCheck(newlines=not lmtp)
        self._size = 0
        self._chunk = BeginChunk(0, last=False)
        self._chunk_left = 0
        self._chunk_problem: Problem | None = None
        self._state_after_chunk = State.CHUNKS

    def receive_data(self, data: bytes) -> None:
        """Take in what was received; nothing is parsed before it is asked for."""
        self._lines.feed(data)

    def next_event(self) -> Event | None:
        """The next event, or None when more octets are needed."""
        if self.state is State.CLOSED:
            self._lines.clear()
            return None
        if self.state is State.DATA:
            return self._next_data()
        if self.state is State.CHUNK:
            return self._next_chunk()
        try:
            line = self._lines.next_line()
        except LineTooLong:
            if self.state is State.AUTHENTICATING:
                self.state = State.READY
            return Mistake(Problem.LINE_TOO_LONG)
        if line is None:
            return None
        if self.state is State.AUTHENTICATING:
            return AuthResponse(line)
        if len(line) > MAX_COMMAND and line[:5].upper() != b"AUTH ":
            return Mistake(Problem.LINE_TOO_LONG)
        return self._command(line)

    def _command(self, line: bytes) -> Event | None:
        event = parse_command(line, self.state, self._verbs)
        if isinstance(event, BeginChunk):
            if event.size > self._max_size * _ABANDON:
                return self._abandon()
            self._begin_chunk(event)
            return self._next_chunk()
        if isinstance(event, Hello | Reset):
            self._end_transaction()
        elif isinstance(event, Rcpt) and not event.recipient.is_ascii and not self.smtputf8:
            return Mistake(Problem.NEEDS_SMTPUTF8)
        elif isinstance(event, WrongProtocol) or (isinstance(event, Mistake) and event.fatal):
            self.state = State.CLOSED
        return event

    # Outcomes, told by the owner.

    def hello_accepted(self) -> None:
        """EHLO was answered with 250."""
        self.state = State.READY

    def tls_started(self) -> None:
        """The handshake is over: everything known or received before it is forgotten (RFC 3207 §4.2)."""
        self._lines.clear()
        self._end_transaction()
        self.state = State.START

    def auth_started(self) -> None:
        """A challenge was sent: the next line is the client's response."""
        self.state = State.AUTHENTICATING

    def auth_ended(self) -> None:
        """The exchange is over, one way or the other."""
        self.state = State.READY

    def mail_accepted(self, mail: Mail) -> None:
        """A transaction has begun."""
        self.state = State.MAIL
        self.smtputf8 = mail.utf8
        self._size = 0
        self._content = ContentCheck(newlines=not self._lmtp)

    def rcpt_accepted(self) -> None:
        """There is a recipient."""
        self.state = State.RCPT

    def data_started(self) -> None:
        """354 was answered: what follows is content."""
        self.state = State.DATA
        self._decoder = DotDecoder()
        self._at_end = False

    # Content.

    def _next_data(self) -> Event | None:
        if not self._at_end:
            data = self._lines.take()
            if not data:
                return None
            content, rest = self._decoder.feed(data)
            self._note(content)
            if self._size > self._max_size * _ABANDON:
                return self._abandon()
            if rest is not None:
                self._at_end = True
                self._lines.put_back(rest)
            if content and self._defect() is None:
                return Chunk(content)
            if rest is None:
                return None
        return self._message_end()

    def _begin_chunk(self, chunk: BeginChunk) -> None:
        legal = self.state in self._verbs[b"BDAT"].states
        self._chunk_problem = None if legal else out_of_place(b"BDAT", self.state)
        self._state_after_chunk = State.CHUNKS if legal else self.state
        self._chunk = chunk
        self._chunk_left = chunk.size
        self.state = State.CHUNK

    def _next_chunk(self) -> Event | None:
        while self._chunk_left:
            content = self._lines.take(self._chunk_left)
            if not content:
                return None
            self._chunk_left -= len(content)
            if self._chunk_problem:
                continue
            self._note(content)
            if self._size > self._max_size * _ABANDON:
                return self._abandon()
            if self._defect() is None:
                return Chunk(content)
        if self._chunk_problem:
            self.state = self._state_after_chunk
            return Mistake(self._chunk_problem)
        if not self._chunk.last:
            self.state = self._state_after_chunk
            return ChunkEnd(self._chunk.size, self._defect())
        if not self._content.ends_with_newline and self._defect() is None:
            self._note(b"\r\n")  # a message ends with a line end, which DATA cannot leave out and BDAT can
            return Chunk(b"\r\n")
        return self._message_end()

    def _note(self, content: bytes) -> None:
        self._size += len(content)
        self._content.feed(content)

    def _defect(self) -> Defect | None:
        if self._size > self._max_size:
            return Defect.TOO_LARGE
        if self._content.nul:
            return Defect.NUL
        if self._content.bare_newline:
            return Defect.BARE_NEWLINE
        return None

    def _message_end(self) -> MessageEnd:
        self._content.finish()
        end = MessageEnd(self._size, self._defect())
        self._end_transaction()
        return end

    def _abandon(self) -> Mistake:
        self.state = State.CLOSED
        return Mistake(Problem.ENDLESS, fatal=True)

    def _end_transaction(self) -> None:
        if self.state is not State.START:
            self.state = State.READY
        self.smtputf8 = False
