"""What an ImapConnection tells besides whole commands: literals, exchanges and mistakes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mailhost.protocols.foreign import Foreign
from mailhost.protocols.imap.commands import Command


@dataclass(frozen=True, slots=True)
class ContinuationNeeded:
    """The client waits for `+` before it sends the rest of its command."""


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """The client's line of a SASL exchange, base64 or `*`, after `expect_response`."""

    line: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class IdleDone:
    """DONE; `tag` is the IDLE's."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Replaced:
    """The message REPLACE takes away: its sequence number, 0 for `*`, or its UID."""

    number: int
    by_uid: bool


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """A message of an APPEND, or that of a REPLACE (RFC 8508), is announced.

    Answer with `accept_literal` or `abandon_append`. The octets follow as LiteralChunk; then comes the next
    AppendMessage (RFC 3502) or AppendFinished. A message without `size` comes as CatenateText and CatenateUrl, up to
    CatenateEnd (RFC 4469).
    """

    tag: bytes
    mailbox: str  # the same for each message of one command
    flags: tuple[str, ...]
    internal_date: datetime | None
    size: int | None
    utf8: bool  # RFC 6855: the header may hold raw UTF-8
    replaces: Replaced | None = None
    is_binary: bool = False  # a literal8, which may hold NUL (RFC 3516 §4.4)


@dataclass(frozen=True, slots=True)
class CatenateText:
    """Octets of a message under way are announced: answer as to AppendMessage."""

    size: int
    is_binary: bool


@dataclass(frozen=True, slots=True)
class CatenateUrl:
    """Octets of a message under way are to be copied from another (RFC 5092)."""

    url: bytes


@dataclass(frozen=True, slots=True)
class CatenateEnd:
    """Every part of the message has come."""


@dataclass(frozen=True, slots=True)
class LiteralChunk:
    """Octets of the message announced last; together they are as long as announced."""

    data: bytes


@dataclass(frozen=True, slots=True)
class AppendFinished:
    """The APPEND's line ended: every message announced has arrived whole."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Mistake:
    """A command that cannot be obeyed as it stands. An APPEND under way is over with it."""

    tag: bytes  # `*` when the client gave none
    status: Literal["NO", "BAD"]
    code: str | None
    text: str
    empties_saved: bool = False  # `$` stands for nothing from now on (RFC 5182 §2.1)


@dataclass(frozen=True, slots=True)
class Hangup:
    """The conversation cannot go on: say `* BYE text` and close. `spoken` is the protocol of a client gone astray."""

    text: str
    spoken: Foreign | None = None


Event = (
    Command
    | ContinuationNeeded
    | SaslResponse
    | IdleDone
    | AppendMessage
    | CatenateText
    | CatenateUrl
    | CatenateEnd
    | LiteralChunk
    | AppendFinished
    | Mistake
    | Hangup
)
"""Everything `next_event` returns."""
