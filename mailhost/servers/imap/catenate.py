"""The octets of a message on its way in: a literal, or the parts of CATENATE (RFC 4469)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from mailhost.errors import MailhostError
from mailhost.mailstore.binary import BinaryIntake
from mailhost.mailstore.intake import Intake, MessageTooLarge, NulInMessage
from mailhost.mailstore.model import NoSuchMailbox, NotSelectable, OverQuota
from mailhost.mailstore.rows import live_rows
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.events import (
    CatenateEnd,
    CatenateText,
    CatenateUrl,
    ContinuationNeeded,
    Hangup,
    LiteralChunk,
    Mistake,
)
from mailhost.protocols.imap.rights import Right
from mailhost.protocols.imap.urls import InvalidUrl, MessageUrl, parse_url
from mailhost.servers.imap.answers import Answer, NoPermission
from mailhost.servers.imap.content import section_pieces
from mailhost.servers.imap.plan import CONTENT_COLUMNS
from mailhost.servers.imap.progress import Progress
from mailhost.servers.imap.reach import reach_selectable
from mailhost.servers.imap.session import Session
from mailhost.storage.database import Tx, Value
from mailhost.storage.errors import BlobDamaged, BlobMissing

MAX_PARTS = 1_000
"""In one message; each URL costs a look into the store."""


class AppendRefused(MailhostError):
    """The APPEND cannot go on; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


async def take_literal(session: Session, intake: Intake | BinaryIntake, size: int, *, is_binary: bool = True) -> None:
    """Stream the literal that was announced into the intake. NUL needs a literal8 where `is_binary` is unset.

    Raises MessageTooLarge, NulInMessage.
    """
    await session.say(session.connection.accept_literal())
    left = size
    while left:
        event = await session.next_event()
        assert isinstance(event, LiteralChunk)
        if not is_binary and b"\0" in event.data:
            raise NulInMessage("The text holds a NUL octet, which needs a literal8.")
        left -= len(event.data)
        intake.write(event.data)


async def take_parts(session: Session, intake: Intake | BinaryIntake, room: int, tag: bytes) -> None:
    """Put one message of the command `tag` together, of at most `room` octets; it never stands in memory.

    Raises AppendRefused, OverQuota, MessageTooLarge, NulInMessage.
    """
    parts = 0
    limit = session.services.settings.append_limit
    while True:
        match await session.next_event():
            case CatenateText(size, is_binary):
                if intake.size + size > limit:
                    raise MessageTooLarge(limit)
                if intake.size + size > room:
                    raise OverQuota
                await take_literal(session, intake, size, is_binary=is_binary)
            case CatenateUrl(url):
                async with Progress(session, tag):
                    await _take_url(session, intake, url, room)
            case ContinuationNeeded():
                await session.say(responses.continuation(b"Go ahead"))
                continue
            case CatenateEnd():
                return
            case Mistake(status=status, code=code, text=text):
                raise AppendRefused(Answer(status, code, text))
            case Hangup(text):
                raise await session.bye(text, "bad-input")
            case event:
                raise AssertionError(f"unexpected in CATENATE: {event}")
        parts += 1
        if parts > MAX_PARTS:
            raise AppendRefused(Answer("NO", "LIMIT", f"A message is made of at most {MAX_PARTS} parts."))


async def _take_url(session: Session, intake: Intake | BinaryIntake, url: bytes, room: int) -> None:
    """Copy what a URL names into the intake, octet for octet."""
    try:
        async with aclosing(_url_pieces(session, url)) as pieces:
            async for piece in pieces:
                intake.write(piece)
                if intake.size > room:
                    raise OverQuota
    except (InvalidUrl, NoPermission, NoSuchMailbox, NotSelectable, BlobDamaged, BlobMissing) as error:
        # In the code stands what the client wrote, but for the few characters no code can hold.
        shown = url.decode("ascii", "replace").replace("]", "%5D").replace("\\", "%5C")
        text = str(error) or "The URL names no message here."
        raise AppendRefused(Answer("NO", f"BADURL {shown}", text)) from error


async def _url_pieces(session: Session, url: bytes) -> AsyncGenerator[bytes, None]:
    """Raises InvalidUrl and, when it names nothing here, NoSuchMailbox, NotSelectable."""
    database, view = session.services.database, session.view
    named = parse_url(url, None if view is None else await view.learn_name(database))
    message = await database.point(_find, session.account_id, named)
    if message is None:
        raise InvalidUrl("The URL names no message that is there.")
    async with aclosing(section_pieces(session.services.blobs, message, named.section)) as pieces:
        async for piece in pieces:
            if piece is None:
                raise InvalidUrl("The message has no such part.")
            yield piece


def _find(tx: Tx, account_id: int, named: MessageUrl) -> dict[str, Value] | None:
    """The columns that contents are read by."""
    reached = reach_selectable(tx, account_id, named.mailbox, Right.READ)
    mailbox = reached.mailbox
    if named.uid_validity not in {None, mailbox.uid_validity}:
        return None
    rows = live_rows(tx, reached.account_id, mailbox.id, named.uid, named.uid, CONTENT_COLUMNS, 1)
    return dict(zip(CONTENT_COLUMNS, rows[0], strict=True)) if rows else None
