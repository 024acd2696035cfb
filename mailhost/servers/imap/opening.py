"""FETCH of one message's contents in one step: what clients ask when somebody opens a message (RFC 9051 §6.4.5).

`fetch` can answer all of it, too, and does where a message is large, gone, damaged, or unread and about to be read.
This is the short way for the rest: one look into the store, one piece of answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mailhost.mailstore.model import Flag
from mailhost.mailstore.rows import live_rows
from mailhost.protocols.imap.commands import Fetch
from mailhost.protocols.imap.fetch import Attribute, FetchItem, Section
from mailhost.servers.imap.content import IN_MEMORY, Stored, at_once
from mailhost.servers.imap.label_texts import tell_labels
from mailhost.servers.imap.plan import KnownFlags, RowPlan, plan_rows, split_items
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Column, Database, Tx

_COLUMNS: Final = ("flags", "blob", "prefix", "octets", "header_octets", "parts")
"""What is read for the contents, behind the columns of the plan."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a list of items asks for: what the row says, and the sections."""

    by_row: RowPlan
    columns: tuple[str, ...]
    sections: Sequence[Section]
    sets_seen: bool


async def open_message(
    database: Database, blobs: Blobs, view: MailboxView, command: Fetch, *, uid_only: bool
) -> bytes | None:
    """The untagged answer to a FETCH of one message, or None where `fetch` has to be asked. Raises as `fetch`."""
    if command.changed_since is not None or command.window is not None:
        return None
    plan = _plan(command.items, uid_only)
    if plan is None:
        return None
    ranges = await view.named_ranges(database, command.numbers, by_uid=command.by_uid)
    if len(ranges) != 1 or ranges[0][0] != ranges[0][1]:
        return None
    uid = ranges[0][0]
    number = (await view.numbers(database)).number_of(uid)
    if not number:
        return None
    columns, content = await database.point(_read, blobs, view, uid, plan.columns)
    if content is None:
        return None
    flags, digest, prefix, octets, header_octets, parts = (column[0] for column in columns[-len(_COLUMNS) :])
    if plan.sets_seen and not view.is_read_only and not flags & Flag.SEEN:
        return None
    await view.know_keywords(database, (flags,))
    words = plan.by_row.render([number], columns, KnownFlags(view.keywords))
    stored = Stored(digest, prefix, octets - len(prefix), header_octets, parts)
    beginning = b"* %d UIDFETCH (%b" % (uid, words) if uid_only else b"* %d FETCH (%b" % (number, words)
    return at_once(stored, beginning + b" " if words else beginning, plan.sections, content)


@lru_cache(maxsize=256)
def _plan(items: tuple[FetchItem, ...], uid_only: bool) -> _Plan | None:
    """None where the row answers all, or something has to be decoded."""
    if uid_only and len(items) > 1:  # the answer begins with the UID
        items = tuple(item for item in items if item is not Attribute.UID)
    by_row, by_content = split_items(items)
    sections = [item for item in by_content if isinstance(item, Section)]
    if not sections or len(sections) != len(by_content):
        return None
    plan = plan_rows(by_row, is_whole=False)
    return _Plan(plan, plan.columns + _COLUMNS, sections, any(section.sets_seen for section in sections))


def _read(
    tx: Tx, blobs: Blobs, view: MailboxView, uid: int, columns: tuple[str, ...]
) -> tuple[list[Column], bytes | None]:
    """The message's columns, and its content where it is here and small."""
    rows = live_rows(tx, view.account_id, view.mailbox_id, uid, uid, columns, 1)
    if not rows:
        return [], None
    _, digest, _, octets, _, _ = rows[0][-len(_COLUMNS) :]
    read: list[Column] = [(value,) for value in rows[0]]
    tell_labels(tx, view, columns, read)
    return read, blobs.read_small(tx, digest) if octets <= IN_MEMORY else None
