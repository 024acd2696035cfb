"""The server's side of POP3 as a sans-IO connection (RFC 1939)."""

from __future__ import annotations

from typing import Final

from mailhost.protocols.lines import LineBuffer, LineTooLong
from mailhost.protocols.pop3.commands import (
    AuthResponse,
    Event,
    Mistake,
    Pass,
    Problem,
    Quit,
    State,
    User,
    WrongProtocol,
    parse_command,
)
from mailhost.protocols.sasl import MAX_RESPONSE

MAX_COMMAND: Final = 512
"""Octets of a command line; RFC 2449 §4 asks for 255, and user names in UTF-8 are longer."""


class Pop3Connection:
    """One conversation as the server sees it: bytes in, events out.

    The owner answers each event, and tells outcomes by the methods named after them before it asks for the next.
    """

    def __init__(self) -> None:
        self.state = State.AUTHORIZATION
        self._lines = LineBuffer(MAX_RESPONSE)
        self._user: str | None = None

    def receive_data(self, data: bytes) -> None:
        """Take in what was received; nothing is parsed before it is asked for."""
        self._lines.feed(data)

    def next_event(self) -> Event | None:
        """The next event, or None when more octets are needed."""
        if self.state is State.CLOSED:
            self._lines.clear()
            return None
        try:
            line = self._lines.next_line()
        except LineTooLong:
            self.auth_ended()
            return Mistake(Problem.LINE_TOO_LONG)
        if line is None:
            return None
        if self.state is State.AUTHENTICATING:
            return AuthResponse(line)
        if len(line) > MAX_COMMAND and line[:5].upper() != b"AUTH ":
            return Mistake(Problem.LINE_TOO_LONG)
        return self._follow(parse_command(line, self.state))

    def _follow(self, event: Event) -> Event:
        """PASS counts only directly behind USER (RFC 1939 §7)."""
        user, self._user = self._user, None
        if isinstance(event, User):
            self._user = event.name
        elif isinstance(event, Pass):
            return Mistake(Problem.USER_FIRST) if user is None else Pass(user, event.secret)
        elif isinstance(event, WrongProtocol | Quit):
            self.state = State.CLOSED
        return event

    def tls_started(self) -> None:
        """The handshake is over: what was received before it is forgotten (RFC 2595 §4)."""
        self._lines.clear()
        self._user = None

    def auth_started(self) -> None:
        """A challenge was sent: the next line is the client's response."""
        self.state = State.AUTHENTICATING

    def auth_ended(self) -> None:
        """The exchange is over without success; another may follow."""
        if self.state is State.AUTHENTICATING:
            self.state = State.AUTHORIZATION

    def login_succeeded(self) -> None:
        """The maildrop is open."""
        self.state = State.TRANSACTION
