"""BODY[…] sections by offset: a packed table of the parts, and how IMAP numbers them (RFC 9051 §6.4.5.1)."""

import struct
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from mailhost.message.scan import Part


class Section(Enum):
    """What of a part or message is asked for."""

    WHOLE = ""
    HEADER = "HEADER"
    TEXT = "TEXT"
    MIME = "MIME"


class Range(NamedTuple):
    """Octets of the content."""

    start: int
    length: int


# size of the subtree with its root * 4 + kind, header start, body start, body end; in order of the tree
_RECORD: Final = struct.Struct("<IIII")
_LEAF, _MULTIPART, _MESSAGE = 0, 1, 2


def pack_parts(root: Part) -> bytes:
    """The table of all parts: 16 octets each, in the order they stand in the message."""
    table: list[bytes] = []
    _pack(root, table)
    return b"".join(table)


def find_section(parts: bytes, path: tuple[int, ...], what: Section = Section.WHOLE) -> Range | None:
    """Where this section stands in the content; None when the message has no such part.

    `path` holds the part numbers; the empty path is the message itself. HEADER and TEXT belong to messages, MIME to
    parts. Part 1 of a message that is no multipart is its body.
    """
    place = 0
    in_message = True  # whether a number counts parts of the message at `place`, and does not yet name one
    for number in path:
        kind = _kind(parts, place)
        if not in_message and kind == _MESSAGE:
            place, in_message = place + 1, True
            kind = _kind(parts, place)
        if kind == _MULTIPART:
            child = _nth_child(parts, place, number)
            if child is None:
                return None
            place = child
        elif number != 1 or not in_message:
            return None
        in_message = False
    if what is Section.HEADER or what is Section.TEXT:
        if not in_message:
            if _kind(parts, place) != _MESSAGE:
                return None
            place += 1
    elif what is Section.MIME and in_message:
        return None
    _, header_start, body_start, body_end = _RECORD.unpack_from(parts, place * _RECORD.size)
    if what is Section.HEADER or what is Section.MIME:
        return Range(header_start, body_start - header_start)
    start = header_start if what is Section.WHOLE and in_message else body_start
    return Range(start, body_end - start)


def _pack(part: Part, table: list[bytes]) -> None:
    place = len(table)
    table.append(b"")
    for child in part.children:
        _pack(child, table)
    kind = _MULTIPART if part.content.is_multipart else _MESSAGE if part.content.holds_message else _LEAF
    head = (len(table) - place) << 2 | kind
    table[place] = _RECORD.pack(head, part.header_start, part.body_start, part.body_end)


def _kind(parts: bytes, place: int) -> int:
    return parts[place * _RECORD.size] & 3


def _nth_child(parts: bytes, place: int, number: int) -> int | None:
    """The place of the child with this number, counted from 1."""
    for child in _children(parts, place):
        number -= 1
        if number == 0:
            return child
    return None


def _children(parts: bytes, place: int) -> Iterator[int]:
    [head] = struct.unpack_from("<I", parts, place * _RECORD.size)
    end, child = place + (head >> 2), place + 1
    while child < end:
        yield child
        [head] = struct.unpack_from("<I", parts, child * _RECORD.size)
        child += head >> 2
