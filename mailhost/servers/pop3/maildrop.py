"""The commands on an open maildrop: STAT, LIST, UIDL, RETR, TOP, DELE, RSET, QUIT (RFC 1939 §5-7)."""

from collections.abc import AsyncIterator, Callable

from mailhost.delivery.maildrop import Content, Maildrop, MaildropLocked, MessageGone, find_content, settle
from mailhost.errors import MailhostError
from mailhost.protocols.dots import DotEncoder
from mailhost.protocols.pop3.answers import END, err, ok
from mailhost.protocols.pop3.commands import Dele, List, Retr, Top, Uidl
from mailhost.servers.pop3.session import Session
from mailhost.servers.serving import SessionOver


class NoSuchMessage(MailhostError):
    """No message of this number, or it is marked as deleted; the message says which."""


def stat(session: Session) -> bytes:
    """STAT: how many messages, how many octets; those marked as deleted are not counted."""
    drop = session.drop
    octets = sum(drop.octets) - sum(drop.octets[index] for index in drop.deleted)
    return ok(f"{len(drop.uids) - len(drop.deleted)} {octets}")


async def list_sizes(session: Session, event: List) -> bytes:
    """LIST: octets of one message or of each."""
    return await _tell(session, event.number, lambda index: str(session.drop.octets[index]))


async def list_unique_ids(session: Session, event: Uidl) -> bytes:
    """UIDL: the lasting name of one message or of each."""
    return await _tell(session, event.number, session.drop.unique_id)


async def _tell(session: Session, number: int | None, fact: Callable[[int], str]) -> bytes:
    drop = session.drop
    if number is not None:
        return ok(f"{number} {fact(_index(drop, number))}")
    await session.say(ok(f"{len(drop.uids) - len(drop.deleted)} messages"))
    for index in range(len(drop.uids)):
        if index not in drop.deleted:
            await session.say(f"{index + 1} {fact(index)}\r\n".encode())
    return END


async def retrieve(session: Session, event: Retr) -> bytes:
    """RETR: the whole message, streamed."""
    index = _index(session.drop, event.number)
    content = await _find(session, index)
    return await _send(
        session,
        ok(f"{session.drop.octets[index]} octets follow"),
        _behind(content.prefix, session.services.blobs.stream(content.blob)),
    )


async def top(session: Session, event: Top) -> bytes:
    """TOP: the header, the empty line, and the first lines of the text."""
    content = await _find(session, _index(session.drop, event.number))
    return await _send(session, ok("Top of message follows"), _beginning(session, content, event.lines))


def delete(session: Session, event: Dele) -> bytes:
    """DELE: marked only; QUIT deletes."""
    if session.identity is not None and session.identity.read_only:
        return err("This password may only read; nothing is deleted.", "SYS/PERM")
    session.drop.deleted.add(_index(session.drop, event.number))
    return ok("marked for deletion")


def undelete(session: Session) -> bytes:
    """RSET: all marks are gone."""
    session.drop.deleted.clear()
    return ok(f"{len(session.drop.uids)} messages")


async def leave(session: Session) -> bytes:
    """QUIT: everything that was marked goes in one transaction, or nothing does."""
    if session.identity is None:
        return ok("Farewell.")
    try:
        await session.services.database.write(settle, session.drop, session.stream.id, session.now())
    except MaildropLocked:
        return err("Nothing was deleted: another session has taken the maildrop.", "IN-USE")
    except MailhostError:
        return err("Nothing was deleted: temporary system problem.", "SYS/TEMP")
    session.settled()
    return ok("Farewell.")


def _index(drop: Maildrop, number: int) -> int:
    if not 1 <= number <= len(drop.uids):
        raise NoSuchMessage(f"There is no message {number}; there are {len(drop.uids)}.")
    if number - 1 in drop.deleted:
        raise NoSuchMessage(f"Message {number} is marked as deleted.")
    return number - 1


async def _find(session: Session, index: int) -> Content:
    drop = session.drop
    try:
        return await session.services.database.point(find_content, drop.account_id, drop.mailbox_id, drop.uids[index])
    except MessageGone:
        raise NoSuchMessage(f"Message {index + 1} was erased by another session.") from None


async def _send(session: Session, answer: bytes, pieces: AsyncIterator[bytes]) -> bytes:
    """Nothing is said before the first piece is there: damage met then is an -ERR, and the client goes on."""
    dots = DotEncoder()
    lead = answer
    try:
        async for piece in pieces:
            await session.say(lead + dots.feed(piece))
            lead = b""
            await session.keep_lock()
    except MailhostError as error:
        if lead:
            raise
        # Too late for -ERR: half a message must not look like a whole one.
        session.stream.abort()
        raise SessionOver(type(error).__name__) from error
    return lead + dots.finish()


async def _behind(prefix: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The prefix with the first piece, so that it does not go out before the content has been looked at."""
    async for piece in pieces:
        yield prefix + piece
        prefix = b""
    if prefix:
        yield prefix


async def _beginning(session: Session, content: Content, lines: int) -> AsyncIterator[bytes]:
    blobs = session.services.blobs
    async for piece in _behind(content.prefix, blobs.stream(content.blob, 0, content.header_octets)):
        yield piece
    if not lines:
        return
    async for piece in blobs.stream(content.blob, content.header_octets):
        found = piece.count(b"\n")
        if found < lines:
            lines -= found
            yield piece
            continue
        end = 0
        for _ in range(lines):
            end = piece.index(b"\n", end) + 1
        yield piece[:end]
        return
