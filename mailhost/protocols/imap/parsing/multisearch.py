"""ESEARCH: a SEARCH in several mailboxes (RFC 7377 §2)."""

from dataclasses import replace
from typing import Final

from mailhost.protocols.imap.commands import MultiSearch, Source, SourceKind
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal
from mailhost.protocols.imap.parsing.searching import parse_uid_search
from mailhost.protocols.imap.search import NumberIn, ReturnOption, UidIn, leaves

MAX_SOURCES: Final = 100
MAX_NAMES: Final = 1_000

_KINDS: Final = {kind.value: kind for kind in SourceKind}
_NAMED: Final = {SourceKind.SUBTREE, SourceKind.SUBTREE_ONE, SourceKind.MAILBOXES}
_SELECTED: Final = (Source(SourceKind.SELECTED),)


def parse_multi_search(cursor: Cursor, tag: bytes) -> MultiSearch:
    """ESEARCH [IN (sources)] [RETURN (options)] [CHARSET name] keys."""
    sources: tuple[Source, ...] = _SELECTED
    if cursor.text[cursor.place : cursor.place + 5].upper() == b" IN (":
        cursor.place += 5
        sources = _sources(cursor)
    search = parse_uid_search(cursor, tag)
    if sources != _SELECTED:
        if any(isinstance(leaf, NumberIn | UidIn) for leaf in leaves(search.key)):
            raise Refusal("Numbers and UIDs mean messages of the selected mailbox only.")
        if search.returns is not None and ReturnOption.SAVE in search.returns:
            raise Refusal("Only what is found in the selected mailbox can be saved.")
    if search.update is not None:
        raise Refusal("UPDATE is possible in SEARCH.")
    if search.returns is None:
        search = replace(search, returns=frozenset({ReturnOption.ALL}))
    return MultiSearch(tag, sources, search)


def _sources(cursor: Cursor) -> tuple[Source, ...]:
    found: dict[Source, None] = {}
    while True:
        kind = _KINDS.get(cursor.word())
        if kind is None:
            raise Refusal("There is no such choice of mailboxes.")
        names: tuple[str, ...] = ()
        if kind in _NAMED:
            cursor.space()
            names = _names(cursor)
        found[Source(kind, names)] = None
        if len(found) > MAX_SOURCES:
            raise Refusal(f"ESEARCH takes at most {MAX_SOURCES} choices of mailboxes.")
        if cursor.skip(b")"):
            return tuple(found)
        cursor.space()


def _names(cursor: Cursor) -> tuple[str, ...]:
    """One mailbox, or several in parentheses."""
    if not cursor.skip(b"("):
        return (cursor.mailbox(),)
    names = [cursor.mailbox()]
    while not cursor.skip(b")"):
        cursor.space()
        names.append(cursor.mailbox())
        if len(names) > MAX_NAMES:
            raise Refusal(f"ESEARCH takes at most {MAX_NAMES} names of mailboxes.")
    return tuple(names)
