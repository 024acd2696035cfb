"""ESEARCH: one search in several mailboxes, one after the other (RFC 7377)."""

from collections.abc import Iterator
from typing import Final

from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.mailstore.layout import LabelSettings, clip, hidden_mailboxes
from mailhost.mailstore.mailboxes import subscriptions
from mailhost.mailstore.model import DELIMITER, INBOX, Mailbox
from mailhost.protocols.imap.commands import MultiSearch, Source, SourceKind
from mailhost.protocols.imap.responses import SearchedMailbox
from mailhost.protocols.imap.rights import Right
from mailhost.protocols.imap.search import asks_modseq
from mailhost.servers.imap.answers import UID_REQUIRED, Answer
from mailhost.servers.imap.notices import learn_condstore
from mailhost.servers.imap.progress import Progress
from mailhost.servers.imap.reach import Reached, reach_all
from mailhost.servers.imap.search import search, uses_numbers
from mailhost.servers.imap.session import Session
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.database import Tx

MAX_SEARCHED: Final = 1_000
"""Mailboxes in one command."""

_NOTHING_SELECTED: Final = Answer("BAD", None, "No mailbox is selected; say behind IN where to search.")
_TOO_MANY: Final = Answer("NO", "LIMIT", f"ESEARCH looks into at most {MAX_SEARCHED} mailboxes. Name fewer.")


async def multi_search(session: Session, command: MultiSearch) -> Answer:
    """ESEARCH. Mailboxes that are not there, or may not be read, are passed over, as are those without a match."""
    selects = any(source.kind is SourceKind.SELECTED for source in command.sources)
    if selects and session.view is None:
        return _NOTHING_SELECTED
    if session.uid_only and uses_numbers(command.search.key):
        return UID_REQUIRED
    if asks_modseq(command.search.key):
        await learn_condstore(session)
    services = session.services
    views = await services.database.read(_views, services.known, session.account_id, command.sources, session.labels)
    if len(views) > MAX_SEARCHED:
        return _TOO_MANY
    if session.view is not None and selects:
        selected = session.view
        others = [view for view in views if (view.account_id, view.mailbox_id) != _key(selected)]
        views = [selected, *others] if selected.rights & Right.READ else others
        await selected.learn_name(services.database)
    now = int(services.clock())
    async with Progress(session, command.tag, only_reads=True):
        for view in views:
            source = SearchedMailbox(view.name, view.uid_validity, session.connection.utf8)
            answer, uids = await search(
                services.database, services.blobs, services.index, view, command.search, now, source=source
            )
            if uids:
                await session.say(answer)
    return Answer("OK", None, "ESEARCH completed.")


def _key(view: MailboxView) -> tuple[int, int]:
    return view.account_id, view.mailbox_id


def _views(
    tx: Tx, known: KnownMailboxes, account_id: int, sources: tuple[Source, ...], labels: LabelSettings | None
) -> list[MailboxView]:
    """Every mailbox that one of the sources names, once, at most one more than may be searched."""
    hidden = set() if labels is None else hidden_mailboxes(tx, account_id)
    subscribed: set[str] = set()
    if any(source.kind is SourceKind.SUBSCRIBED for source in sources):
        subscribed = subscriptions(tx, account_id)
    views: list[MailboxView] = []
    for reached in _readable(tx, account_id, hidden):
        if not any(_holds(source, reached, subscribed) for source in sources):
            continue
        limit = labels.folder_limit if labels is not None and reached.place.is_own else 0
        mailbox, first_uid = clip(tx, reached.account_id, reached.mailbox, limit)
        view = MailboxView(known, reached.account_id, mailbox, (), is_examined=True, rights=reached.rights)
        view.prefix, view.first_uid = reached.place.prefix, first_uid
        view.shows_labels = labels is not None and view.is_own
        views.append(view)
        if len(views) > MAX_SEARCHED:
            break
    return views


def _readable(tx: Tx, account_id: int, hidden: set[str]) -> Iterator[Reached]:
    for reached in reach_all(tx, account_id):
        if reached.rights & Right.READ and not (reached.place.is_own and reached.mailbox.name in hidden):
            yield reached


def _holds(source: Source, reached: Reached, subscribed: set[str]) -> bool:
    mailbox: Mailbox = reached.mailbox
    name = mailbox.name
    match source.kind:
        case SourceKind.SELECTED:
            return False
        case SourceKind.PERSONAL:
            return reached.place.is_own
        case SourceKind.INBOXES:
            return reached.place.is_own and (name == INBOX or mailbox.special_use == "\\Junk")
        case SourceKind.SUBSCRIBED:
            return name in subscribed
        case SourceKind.SUBTREE:
            return any(name == top or name.startswith(top + DELIMITER) for top in source.names)
        case SourceKind.SUBTREE_ONE:
            return name in source.names or name.rpartition(DELIMITER)[0] in source.names
        case SourceKind.MAILBOXES:
            return name in source.names
