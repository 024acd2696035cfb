"""What an SMTP or LMTP client can do: the events of the server core."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from mailhost.protocols.foreign import Foreign
from mailhost.protocols.smtp.addresses import Address


class Problem(Enum):
    """A mistake of the client, with the reply it gets: code, enhanced status, words."""

    LINE_TOO_LONG = (500, "5.5.2", "Line too long")
    UNRECOGNIZED = (502, "5.5.1", "Unrecognized command")
    UNIMPLEMENTED = (502, "5.5.1", "Unimplemented command")
    HELLO_ARGUMENT = (501, "5.5.4", "HELO/EHLO argument is invalid: it names the host that is speaking")
    HELLO_FIRST = (503, "5.5.1", "EHLO/HELO first")
    MAIL_FIRST = (503, "5.5.1", "MAIL first")
    RCPT_FIRST = (503, "5.5.1", "RCPT first")
    BAD_SEQUENCE = (503, "5.5.1", "Bad sequence of commands")
    DATA_AFTER_BDAT = (503, "5.5.1", "No DATA after BDAT")
    NO_ARGUMENT = (501, "5.5.4", "This command takes no argument")
    SYNTAX = (555, "5.5.2", "Syntax error")
    BAD_SENDER = (553, "5.1.7", "The sender address is not a valid RFC 5321 address")
    BAD_RECIPIENT = (553, "5.1.3", "The recipient address is not a valid RFC 5321 address")
    PARAMETER_UNKNOWN = (555, "5.5.4", "Unsupported parameter")
    PARAMETER_VALUE = (501, "5.5.4", "A parameter has a value that is not allowed")
    NEEDS_SMTPUTF8 = (553, "5.6.7", "An address outside ASCII needs SMTPUTF8 in MAIL FROM")
    AUTH_SYNTAX = (501, "5.5.4", "AUTH needs the name of a mechanism")
    CHUNK_SIZE = (501, "5.5.4", "BDAT needs a size in octets")
    ENDLESS = (552, "5.3.4", "Your message exceeds the size limit many times over, closing connection")


class Body(Enum):
    """BODY= of MAIL (RFC 6152)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"


class Defect(Enum):
    """Why a message that was received to its end may not be accepted."""

    BARE_NEWLINE = "bare newline"
    NUL = "NUL"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Hello:
    """EHLO, HELO or LHLO; `name` is what the client calls itself."""

    verb: str
    name: str


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS; whatever was sent behind it is thrown away by `tls_started`."""


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH with the mechanism's name in capitals and the initial response as it stood there."""

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """A line of the client's within the exchange."""

    line: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL FROM; `sender` is None for the null sender of bounces."""

    sender: Address | None
    size: int = 0  # as declared, 0 when it was not
    body: Body = Body.SEVEN_BIT
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RCPT TO."""

    recipient: Address


@dataclass(frozen=True, slots=True)
class Data:
    """DATA; the message follows once `data_started` was called."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the message's content, unstuffed. There are none after the message has shown a defect."""

    content: bytes


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """A BDAT that was not the last has been received whole: to be answered; a defect already dooms the message."""

    size: int
    defect: Defect | None


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """The message is complete: to be judged and answered, once (LMTP: once for each recipient)."""

    size: int
    defect: Defect | None


@dataclass(frozen=True, slots=True)
class Reset:
    """RSET; the transaction is gone already."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP."""


@dataclass(frozen=True, slots=True)
class Verify:
    """VRFY."""


@dataclass(frozen=True, slots=True)
class Help:
    """HELP."""


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something the client got wrong. After a fatal one the conversation is out of step and must be closed."""

    problem: Problem
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class WrongProtocol:
    """The client speaks something else: one helpful line, then close."""

    protocol: Foreign


Command = Hello | StartTls | Auth | Mail | Rcpt | Data | Reset | Noop | Verify | Help | Quit
Event = Command | AuthResponse | Chunk | ChunkEnd | MessageEnd | Mistake | WrongProtocol
