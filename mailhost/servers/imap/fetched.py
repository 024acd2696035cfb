"""The answers to a FETCH on their way to the client, whether it asked for them or is told of new messages."""

from collections.abc import Sequence
from contextlib import suppress

from mailhost.mailstore.conversations import complete_threads
from mailhost.mailstore.ranges import as_ranges
from mailhost.protocols.imap.commands import Fetch
from mailhost.protocols.imap.fetch import Attribute, FetchItem, without_seen
from mailhost.protocols.imap.sets import SequenceSet
from mailhost.servers.imap.binary import UnknownEncoding
from mailhost.servers.imap.content import ContentsDamaged
from mailhost.servers.imap.fetch import fetch
from mailhost.servers.imap.opening import open_message
from mailhost.servers.imap.session import Session
from mailhost.servers.serving import SessionOver
from mailhost.storage.errors import StorageError


async def send_fetched(session: Session, command: Fetch) -> None:
    """The untagged answers to a FETCH, asked for or not. Raises what `fetch` raises."""
    services = session.services
    if Attribute.THREADID in command.items or Attribute.GM_THREAD in command.items:
        await complete_threads(services.database, session.selected.account_id)
    database, blobs, view, uid_only = services.database, services.blobs, session.selected, session.uid_only
    answer = await open_message(database, blobs, view, command, uid_only=uid_only)
    if answer is not None:
        await session.say(answer)
        return
    is_answering = False
    try:
        async for piece in fetch(database, blobs, view, command, with_seen=_told_always(session), uid_only=uid_only):
            is_answering = True
            if session.rights_in_doubt and not await session.reads_still():
                raise SessionOver("rights-withdrawn")  # half a literal may be out; nothing more can be said
            await session.say(piece)
    except StorageError as error:
        if not is_answering:
            raise
        # Half a literal may be out: no tagged answer would be understood any more.
        raise await session.bye("System Error. Connect again.", f"storage: {error}") from error


def _told_always(session: Session) -> tuple[Attribute, ...]:
    """What stands in each FETCH that nobody asked for, or tells of flags that nobody set (RFC 7162 §3.1, §3.2.4)."""
    if not session.knows_condstore:
        return ()
    return (Attribute.MODSEQ,) if session.uid_only else (Attribute.UID, Attribute.MODSEQ)


async def fetch_new(session: Session, uids: Sequence[int], items: tuple[FetchItem, ...]) -> None:
    """FETCH that nobody asked for, of messages just told; it never sets \\Seen. Raises ViewBroken.

    X-GM-LABELS is left out where nobody may know them, as in mailboxes of others.
    """
    if not uids:
        return
    if Attribute.LABELS in items:
        session.knows_labels = True
        if not session.selected.shows_labels:
            items = tuple(item for item in items if item is not Attribute.LABELS)
    items = tuple(dict.fromkeys((*_told_always(session), *items)))
    numbers = SequenceSet(tuple(as_ranges(uids)))
    with suppress(ContentsDamaged, UnknownEncoding):
        await send_fetched(session, Fetch(b"*", numbers, True, without_seen(items), None))
