"""Commands about annotations (RFC 5464 §4)."""

import re
from typing import Final

from mailhost.protocols.imap.commands import GetMetadata, SetMetadata
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal

MAX_ENTRIES: Final = 100
"""In one command."""
MAX_ENTRY: Final = 255
"""Characters of an entry's name."""

_ENTRY: Final = re.compile(r"/(?:private|shared)(?:/[^/*%\x00-\x1f\x7f-\U0010ffff]+)*")
_OPTIONS: Final = re.compile(rb"\((?:MAXSIZE|DEPTH) ", re.IGNORECASE)
_DEPTHS: Final = {b"0": 0, b"1": 1, b"INFINITY": None}


def parse_get_metadata(cursor: Cursor, tag: bytes) -> GetMetadata:
    """GETMETADATA [(MAXSIZE n DEPTH d)] mailbox entries; the RFC's examples have the options behind the mailbox."""
    max_size: int | None = None
    depth: int | None = 0

    def read_options() -> None:
        nonlocal max_size, depth
        cursor.expect(b"(")
        while True:
            option = cursor.word()
            cursor.space()
            if option == b"MAXSIZE":
                max_size = cursor.number()
            elif option == b"DEPTH" and (word := cursor.word()) in _DEPTHS:
                depth = _DEPTHS[word]
            else:
                raise Refusal("MAXSIZE and DEPTH 0, 1 or infinity are the only options here.")
            if cursor.skip(b")"):
                return
            cursor.space()

    cursor.space()
    if cursor.text.startswith(b"(", cursor.place):
        read_options()
        cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    if _OPTIONS.match(cursor.text, cursor.place):
        read_options()
        cursor.space()
    entries = parse_entries(cursor)
    cursor.end()
    return GetMetadata(tag, mailbox, entries, max_size, depth)


def parse_entries(cursor: Cursor) -> tuple[str, ...]:
    """One entry, or several in parentheses; each once."""
    if not cursor.skip(b"("):
        return (_entry(cursor),)
    entries = {_entry(cursor): None}
    while not cursor.skip(b")"):
        cursor.space()
        entries[_entry(cursor)] = None
        _check_count(len(entries))
    return tuple(entries)


def parse_set_metadata(cursor: Cursor, tag: bytes) -> SetMetadata:
    """SETMETADATA mailbox (entry value …)."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    cursor.expect(b"(")
    values: dict[str, bytes | None] = {}
    while not values or not cursor.skip(b")"):
        if values:
            cursor.space()
        entry = _entry(cursor)
        if entry.count("/") < 2:
            raise Refusal("An entry has a name below /private or /shared.")
        cursor.space()
        values[entry] = cursor.nstring()
        _check_count(len(values))
    cursor.end()
    return SetMetadata(tag, mailbox, values)


def _entry(cursor: Cursor) -> str:
    try:
        entry = cursor.astring().decode("ascii").lower()
    except UnicodeDecodeError as error:
        raise Refusal("The name of an entry is ASCII.") from error
    if len(entry) > MAX_ENTRY or _ENTRY.fullmatch(entry) is None:
        raise Refusal("An entry begins with /private or /shared, and holds neither * nor % nor an empty level.")
    return entry


def _check_count(count: int) -> None:
    if count > MAX_ENTRIES:
        raise Refusal(f"One command names at most {MAX_ENTRIES} entries.")
