"""UPDATE and CANCELUPDATE: a client hears what comes to match its search and what ceases to (RFC 5267, RFC 5465 §7)."""

from array import array
from collections.abc import Sequence
from typing import Final

from mailhost.mailstore.changes import changed_flags, highest_modseq
from mailhost.mailstore.model import UidRanges
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import CancelUpdate, Search, Sort
from mailhost.servers.imap.answers import Answer, completed
from mailhost.servers.imap.contexts import MAX_CONTEXTS, Context, Contexts
from mailhost.servers.imap.fetched import fetch_new
from mailhost.servers.imap.search import find_among
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.sort import in_order, sorts_by_relevancy

TAG_REUSED: Final = Answer("BAD", None, "The tag names a search that is still open; use another.")


async def keep_open(session: Session, command: Search | Sort, sets: dict[int, UidRanges], found: Sequence[int]) -> None:
    """Tell from now on what changes of the result; or say that it is too much. `sets` are `fixed_sets`."""
    view = session.selected
    contexts = session.contexts or Contexts(view.modseq, view.uid_next)
    context = Context(command, sets, array("I", found))
    if len(contexts.by_tag) >= MAX_CONTEXTS or len(found) > context.most:
        await _refuse_so_many(session, context)
        return
    if sorts_by_relevancy(command):
        await _refuse(session, command, "What is sorted by relevancy is found anew each time.")
        return
    contexts.by_tag[command.tag] = context
    session.contexts = contexts


async def _refuse_so_many(session: Session, context: Context) -> None:
    text = f"At most {MAX_CONTEXTS} searches can be open, of at most {context.most} messages each."
    await _refuse(session, context.command, text)


async def _refuse(session: Session, command: Search | Sort, text: str) -> None:
    tag = responses.quoted(command.tag).decode()
    await session.say(responses.untagged("NO", text, f"NOUPDATE {tag}"))


async def give_up_numbers(session: Session) -> None:
    """UIDONLY begins: searches that are told of by sequence number cannot go on (RFC 9586 §3)."""
    open_tags = {} if session.contexts is None else session.contexts.by_tag
    for tag, context in list(open_tags.items()):
        if not context.command.by_uid:
            del open_tags[tag]
            await _refuse(session, context.command, "UIDONLY is enabled: search by UID.")


async def cancel(session: Session, command: CancelUpdate) -> Answer:
    """CANCELUPDATE; all of the tags or none."""
    open_tags = {} if session.contexts is None else session.contexts.by_tag
    if unknown := [tag for tag in command.tags if tag not in open_tags]:
        return Answer("BAD", None, f"No search is open under the tag {unknown[0].decode('ascii', 'replace')}.")
    for tag in set(command.tags):
        del open_tags[tag]
    if not open_tags:
        session.contexts = None
    return completed("CANCELUPDATE")


async def tell_updates(session: Session) -> None:
    """ADDTO and REMOVEFROM for what changed since; what was expunged is told before its EXPUNGE. Raises ViewBroken."""
    contexts, view = session.contexts, session.view
    if contexts is None or view is None:
        return
    database = session.services.database
    modseq = await database.point(highest_modseq, view.account_id, view.mailbox_id)
    if modseq is None or (modseq == contexts.modseq and view.uid_next == contexts.uid_next):
        return
    numbers = await view.numbers(database)
    changed = await database.read(changed_flags, view.account_id, view.mailbox_id, contexts.modseq, contexts.uid_next)
    arrived = set(numbers.known_in(contexts.uid_next, view.uid_next)[1])
    looked_at = sorted({uid for uid, _, _ in changed if numbers.number_of(uid)} | arrived)
    contexts.modseq, contexts.uid_next = modseq, view.uid_next
    if not looked_at:
        return
    for tag, context in list(contexts.by_tag.items()):
        matching = await find_among(session.services, view, context.command.key, context.sets, looked_at)
        gone = context.take_out(uid for uid in looked_at if uid not in matching)
        new = context.missing(matching)
        if len(context.uids) + len(new) > context.most:
            del contexts.by_tag[tag]
            await _refuse_so_many(session, context)
            continue
        added = await _put_in(session, context, new)
        if context.command.update:
            await fetch_new(session, [uid for uid in new if uid in arrived], context.command.update)
        await session.say(
            context.line(b"REMOVEFROM", gone, numbers.number_of) + context.line(b"ADDTO", added, numbers.number_of)
        )


async def _put_in(session: Session, context: Context, uids: list[int]) -> list[tuple[int, int]]:
    """Take messages up; (place, uid) of each as it stands when the ones before it are in."""
    if not uids:
        return []
    command = context.command
    everything = sorted([*context.uids, *uids])
    if not isinstance(command, Sort):
        context.uids = array("I", everything)
        return [(0, uid) for uid in uids]
    found = [(uid, 0) for uid in everything]
    order = await in_order(session.services.database, session.selected, found, command.criteria)
    places = {uid: place for place, (uid, _) in enumerate(order)}
    return context.put_in([uid for uid in uids if uid in places], places)
