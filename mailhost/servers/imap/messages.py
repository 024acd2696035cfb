"""SEARCH, FETCH, STORE, COPY and MOVE as they are answered; the work is done in files of their own."""

from dataclasses import replace
from typing import assert_never

from mailhost.mailstore.labelling import NoLabels
from mailhost.mailstore.model import NoSuchMailbox, NotSelectable, UidRanges
from mailhost.mailstore.resync import gaps, vanished_since
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Copy, Fetch, Search, Sort, Store, StoreLabels, Thread
from mailhost.protocols.imap.fetch import Attribute
from mailhost.protocols.imap.rights import Right
from mailhost.protocols.imap.search import ReturnOption, asks_modseq
from mailhost.servers.imap.answers import UID_REQUIRED, Answer, completed
from mailhost.servers.imap.copy import TooManyMessages, copy_or_move
from mailhost.servers.imap.fetched import send_fetched
from mailhost.servers.imap.labels import change_labels
from mailhost.servers.imap.notices import learn_condstore, tell_keywords
from mailhost.servers.imap.progress import Progress
from mailhost.servers.imap.reach import reach_selectable
from mailhost.servers.imap.search import fixed_sets, search, thread, uses_numbers
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.store import store
from mailhost.servers.imap.updates import TAG_REUSED, keep_open

AboutMessages = Search | Sort | Thread | Fetch | Store | StoreLabels | Copy


async def obey(session: Session, command: AboutMessages) -> Answer:
    """Commands about messages of the selected mailbox."""
    if session.uid_only and _uses_numbers(command):
        return UID_REQUIRED
    match command:
        case Search() | Sort():
            return await _search(session, command)
        case Thread():
            return await _thread(session, command)
        case Fetch():
            return await _fetch(session, command)
        case Store():
            return await _store(session, command)
        case StoreLabels():
            return await change_labels(session, command)
        case Copy():
            return await _copy(session, command)
        case _:
            assert_never(command)


def _uses_numbers(command: AboutMessages) -> bool:
    if not command.by_uid:
        return True
    return isinstance(command, Search | Sort | Thread) and uses_numbers(command.key)


async def _thread(session: Session, command: Thread) -> Answer:
    if asks_modseq(command.key):
        await learn_condstore(session)
    services = session.services
    now = int(services.clock())
    async with Progress(session, command.tag, only_reads=True):
        found = await thread(services.database, services.blobs, services.index, session.selected, command, now)
    await session.say(found)
    return completed("THREAD")


async def _search(session: Session, command: Search | Sort) -> Answer:
    if asks_modseq(command.key):
        await learn_condstore(session)
    if session.speaks_rev2 and isinstance(command, Search) and command.returns is None:
        command = replace(command, returns=frozenset({ReturnOption.ALL}))
    services, view = session.services, session.selected
    sets: dict[int, UidRanges] = {}
    if command.update is not None:
        if session.contexts is not None and command.tag in session.contexts.by_tag:
            return TAG_REUSED
        sets = await fixed_sets(services.database, view, command.key)
    now = int(services.clock())
    async with Progress(session, command.tag, only_reads=True):
        answer, uids = await search(services.database, services.blobs, services.index, view, command, now)
    await session.say(answer)
    if command.update is not None:
        await keep_open(session, command, sets, uids)
    return completed("SEARCH" if isinstance(command, Search) else "SORT")


async def _fetch(session: Session, command: Fetch) -> Answer:
    if Attribute.MODSEQ in command.items:
        await learn_condstore(session)
    if Attribute.LABELS in command.items:
        if not session.selected.shows_labels:
            raise NoLabels
        session.knows_labels = True
    if command.vanished:
        if not session.knows_qresync:
            return Answer("BAD", None, "VANISHED needs ENABLE QRESYNC before it.")
        command = await _tell_vanished(session, command)
    await send_fetched(session, command)
    await tell_keywords(session, session.selected)
    return completed("FETCH")


async def _tell_vanished(session: Session, command: Fetch) -> Fetch:
    """VANISHED (EARLIER): what was expunged before this session's view; later ones are told with the news.

    Returns the FETCH that tells the rest: of a mailbox that shows its newest messages only, the whole (see shown_anew).
    """
    assert command.changed_since is not None
    view = session.selected
    ranges = command.numbers.resolve(view.uid_next - 1)
    if view.is_clipped:
        shown = (await view.numbers(session.services.database)).uids
        await session.say(responses.vanished(list(gaps(shown, iter(ranges))), earlier=True))
        return replace(command, changed_since=0)
    vanished = await session.services.database.read(
        vanished_since,
        view.account_id,
        view.mailbox_id,
        ranges,
        since=command.changed_since,
        until=view.modseq,
        uid_next=view.uid_next,
    )
    await session.say(responses.vanished(vanished, earlier=True))
    return command


async def _store(session: Session, command: Store) -> Answer:
    if command.unchanged_since is not None:
        await learn_condstore(session)
    view = session.selected
    limit = session.services.settings.message_limit
    async with Progress(session, command.tag) as progress:
        code, lowest = await store(
            session.services.database,
            view,
            command,
            session.say,
            tells_modseq=session.knows_condstore,
            tells_uid=command.by_uid or session.knows_condstore,
            uid_only=session.uid_only,
            now=int(session.services.clock()),
            limit=limit,
            tell=progress.at,
        )
    await tell_keywords(session, view)
    if lowest is not None:
        if code is not None:
            await session.say(responses.untagged("OK", "Others have changed some messages.", code))
        return _limited("STORE", limit, lowest)
    if code is not None:
        return Answer("OK", code, "STORE left alone what others had changed.")
    return completed("STORE")


async def _copy(session: Session, command: Copy) -> Answer:
    database, view = session.services.database, session.selected
    limit, now = session.services.settings.message_limit, int(session.services.clock())
    try:
        target = await database.point(reach_selectable, session.account_id, command.mailbox, Right.INSERT)
        async with Progress(session, command.tag) as progress:
            copied = await copy_or_move(
                database, session.services.blobs, view, command, target, now=now, limit=limit, tell=progress.at
            )
    except (NoSuchMailbox, NotSelectable):
        return Answer("NO", "TRYCREATE", "There is no such mailbox.")
    except TooManyMessages as error:
        return Answer("NO", f"MESSAGELIMIT {limit} {error.lowest}", str(error))
    if session.watching is not None:
        session.watching.note_own(target.account_id, target.mailbox.id, copied.target_uids)
    code = copied.code
    if command.moves and code is not None:
        # RFC 6851 §4.3: COPYUID must come before the EXPUNGE responses.
        await session.say(responses.untagged("OK", "Messages moved.", code))
        code = None
    if copied.lowest is not None:
        return _limited("MOVE", limit, copied.lowest)
    return Answer("OK", code, "MOVE completed." if command.moves else "COPY completed.")


def _limited(command: str, limit: int, lowest: int) -> Answer:
    return Answer("OK", f"MESSAGELIMIT {limit} {lowest}", f"{command} completed for the newest {limit} messages.")
