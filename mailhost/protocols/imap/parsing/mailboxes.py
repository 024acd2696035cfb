"""Commands about mailboxes and their lists (RFC 9051 §6.3, RFC 5258, RFC 5819, RFC 6154, RFC 7162, RFC 9208)."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from mailhost.protocols.imap.commands import (
    Create,
    Delete,
    GetQuota,
    GetQuotaRoot,
    List,
    Lsub,
    Rename,
    Resync,
    Select,
    SetQuota,
    Status,
    StatusItem,
    Subscribe,
)
from mailhost.protocols.imap.parsing.cursor import MAX_MODSEQ, REMEMBERED_LENGTH, Cursor, Refusal
from mailhost.protocols.imap.parsing.metadata import parse_entries

MAX_PATTERNS: Final = 100

_USE: Final = re.compile(rb"\\[^\x00-\x20(){%*\"\\\]\x7f-\xff]+")
_STATUS_ITEMS: Final = {item.value.encode(): item for item in StatusItem}
_PASSED_OVER: Final = frozenset({b"PERMFLAGS"})
"""No items of STATUS. Nextcloud Mail asks for it by mistake, ends its sync over BAD, and does without an answer."""


def _mailbox_argument(cursor: Cursor) -> str:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.end()
    return mailbox


def _parse_select(cursor: Cursor, tag: bytes, *, read_only: bool) -> Select:
    cursor.space()
    mailbox = cursor.mailbox()
    condstore = False
    resync: Resync | None = None

    def read_parameter() -> None:
        nonlocal condstore, resync
        match cursor.word():
            case b"CONDSTORE":
                condstore = True
            case b"QRESYNC":
                resync = _resync(cursor)
            case _:
                raise Refusal("CONDSTORE and QRESYNC are the only parameters here.")

    if not cursor.at_end():
        cursor.space()
        _parenthesised(cursor, read_parameter)
    cursor.end()
    return Select(tag, mailbox, read_only, condstore, resync)


def _resync(cursor: Cursor) -> Resync:
    """What stands behind QRESYNC: (uidvalidity modseq [known-uids] [(numbers uids)])."""
    cursor.space()
    cursor.expect(b"(")
    uid_validity = cursor.number()
    cursor.space()
    modseq = cursor.number(MAX_MODSEQ)
    known_uids = matches = None
    if not cursor.skip(b")"):
        cursor.space()
        if cursor.at_set():
            known_uids = cursor.uid_set()
            if cursor.text.startswith(b" ", cursor.place):
                cursor.space()
        if cursor.skip(b"("):
            numbers = cursor.uid_set()
            cursor.space()
            matches = (numbers, cursor.uid_set())
            cursor.expect(b")")
        cursor.expect(b")")
    return Resync(uid_validity, modseq, known_uids, matches)


def parse_select(cursor: Cursor, tag: bytes) -> Select:
    """SELECT mailbox [(CONDSTORE QRESYNC (…))]."""
    return _parse_select(cursor, tag, read_only=False)


def parse_examine(cursor: Cursor, tag: bytes) -> Select:
    """EXAMINE mailbox [(CONDSTORE QRESYNC (…))]."""
    return _parse_select(cursor, tag, read_only=True)


def parse_create(cursor: Cursor, tag: bytes) -> Create:
    """CREATE mailbox [(USE (attributes))]; `name/` announces children (RFC 9051 §6.3.4, RFC 6154 §3)."""
    cursor.space()
    mailbox = cursor.mailbox()
    uses: dict[str, None] = {}

    def read_parameter() -> None:
        if cursor.word() != b"USE":
            raise Refusal("USE is the only parameter here.")
        cursor.space()
        _parenthesised(cursor, lambda: uses.setdefault(cursor.take(_USE, "A special use").decode()))

    if not cursor.at_end():
        cursor.space()
        _parenthesised(cursor, read_parameter)
    cursor.end()
    return Create(tag, mailbox, tuple(uses))


def parse_delete(cursor: Cursor, tag: bytes) -> Delete:
    """DELETE mailbox."""
    return Delete(tag, _mailbox_argument(cursor))


def parse_rename(cursor: Cursor, tag: bytes) -> Rename:
    """RENAME mailbox new-name."""
    cursor.space()
    mailbox = cursor.mailbox()
    return Rename(tag, mailbox, _mailbox_argument(cursor))


def parse_subscribe(cursor: Cursor, tag: bytes) -> Subscribe:
    """SUBSCRIBE mailbox."""
    return Subscribe(tag, _mailbox_argument(cursor), subscribed=True)


def parse_unsubscribe(cursor: Cursor, tag: bytes) -> Subscribe:
    """UNSUBSCRIBE mailbox."""
    return Subscribe(tag, _mailbox_argument(cursor), subscribed=False)


def parse_get_quota(cursor: Cursor, tag: bytes) -> GetQuota:
    """GETQUOTA root."""
    cursor.space()
    root = cursor.astring().decode("utf-8", "replace")
    cursor.end()
    return GetQuota(tag, root)


def parse_set_quota(cursor: Cursor, tag: bytes) -> SetQuota:
    """SETQUOTA root (resource limit …)."""
    cursor.space()
    root = cursor.astring().decode("utf-8", "replace")
    cursor.space()
    limits: dict[str, int] = {}

    def read_limit() -> None:
        name = cursor.word().decode()
        cursor.space()
        if name in limits:
            raise Refusal(f"{name} has two limits.")
        limits[name] = cursor.number(MAX_MODSEQ)

    _parenthesised(cursor, read_limit)
    cursor.end()
    return SetQuota(tag, root, limits)


def parse_get_quota_root(cursor: Cursor, tag: bytes) -> GetQuotaRoot:
    """GETQUOTAROOT mailbox."""
    return GetQuotaRoot(tag, _mailbox_argument(cursor))


def parse_status(cursor: Cursor, tag: bytes) -> Status:
    """STATUS mailbox (items)."""
    rest = cursor.text[cursor.place :]
    read = _remembered_status if len(rest) <= REMEMBERED_LENGTH else _status_arguments
    return Status(tag, *read(rest, cursor.utf8))


def _status_arguments(text: bytes, utf8: bool) -> tuple[str, tuple[StatusItem, ...]]:
    cursor = Cursor(text, utf8=utf8)
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    items = _status_items(cursor)
    cursor.end()
    return mailbox, items


_remembered_status = lru_cache(maxsize=256)(_status_arguments)


def _status_items(cursor: Cursor) -> tuple[StatusItem, ...]:
    items: dict[StatusItem, None] = {}

    def read_item() -> None:
        word = cursor.word()
        item = _STATUS_ITEMS.get(word)
        if item is not None:
            items[item] = None
        elif word not in _PASSED_OVER:
            raise Refusal("There is no such STATUS item.")

    if not _parenthesised(cursor, read_item):
        raise Refusal("STATUS needs at least one item.")
    return tuple(items)


def _parenthesised(cursor: Cursor, read_one: Callable[[], None]) -> int:
    """A list in parentheses; how many there were."""
    cursor.expect(b"(")
    count = 0
    while not cursor.skip(b")"):
        if count:
            cursor.space()
        read_one()
        count += 1
    return count


def parse_lsub(cursor: Cursor, tag: bytes) -> Lsub:
    """LSUB reference pattern."""
    cursor.space()
    reference = cursor.reference()
    cursor.space()
    pattern = cursor.list_pattern()
    cursor.end()
    return Lsub(tag, reference, pattern)


def parse_list(cursor: Cursor, tag: bytes) -> List:
    """LIST [(selection)] reference pattern [RETURN (options)]; or several patterns in parentheses."""
    cursor.space()
    selection: set[bytes] = set()
    extended = cursor.text.startswith(b"(", cursor.place)
    if extended:
        _parenthesised(cursor, lambda: _read_selection(cursor, selection))
        cursor.space()
    if selection == {b"RECURSIVEMATCH"}:
        raise Refusal("RECURSIVEMATCH needs another selection option beside it.")
    reference = cursor.reference()
    cursor.space()
    patterns: list[str] = []
    if cursor.text.startswith(b"(", cursor.place):
        extended = True
        _parenthesised(cursor, lambda: patterns.append(cursor.list_pattern()))
    else:
        patterns.append(cursor.list_pattern())
    if not 0 < len(patterns) <= MAX_PATTERNS:
        raise Refusal(f"LIST takes 1 to {MAX_PATTERNS} patterns.")
    returns: set[bytes] = set()
    status: list[StatusItem] = []
    metadata: list[str] = []
    if not cursor.at_end():
        cursor.space()
        extended = True
        if cursor.word() != b"RETURN":
            raise Refusal("Expected RETURN behind the pattern.")
        cursor.space()
        _parenthesised(cursor, lambda: _read_return(cursor, returns, status, metadata))
    cursor.end()
    return List(
        tag,
        reference,
        tuple(patterns),
        only_subscribed=b"SUBSCRIBED" in selection,
        only_special_use=b"SPECIAL-USE" in selection,
        recursive_match=b"RECURSIVEMATCH" in selection,
        extended=extended,
        return_subscribed=b"SUBSCRIBED" in returns or b"SUBSCRIBED" in selection,
        return_rights=b"MYRIGHTS" in returns,
        return_metadata=tuple(dict.fromkeys(metadata)),
        return_status=tuple(dict.fromkeys(status)),
    )


def _read_selection(cursor: Cursor, selection: set[bytes]) -> None:
    option = cursor.word()
    if option not in {b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"}:
        raise Refusal("There is no such LIST selection option.")
    if option != b"REMOTE":  # every mailbox is ours, so it changes nothing
        selection.add(option)


def _read_return(cursor: Cursor, returns: set[bytes], status: list[StatusItem], metadata: list[str]) -> None:
    option = cursor.word()
    if option not in {b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE", b"MYRIGHTS", b"METADATA", b"STATUS"}:
        raise Refusal("There is no such LIST return option.")
    returns.add(option)  # CHILDREN and SPECIAL-USE change nothing: the attributes are always told
    if option == b"STATUS":
        cursor.space()
        status.extend(_status_items(cursor))
    elif option == b"METADATA":
        cursor.space()
        metadata.extend(parse_entries(cursor))
