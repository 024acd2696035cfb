"""Header blocks as they stand on the wire: finding fields, and the subset IMAP clients ask for (RFC 5322 §2.2)."""

import re
from functools import lru_cache
from typing import Final

from mailhost.message.mime import unfold

CACHED_FIELDS: Final = frozenset(
    (
        b"date",
        b"subject",
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"bcc",
        b"in-reply-to",
        b"message-id",
        b"references",
        b"newsgroups",
        b"followup-to",
        b"content-type",
        b"mime-version",
        b"importance",
        b"priority",
        b"x-priority",
        b"x-msmail-priority",
        b"x-label",
        b"list-id",
        b"list-post",
        b"resent-date",
        b"resent-from",
        b"resent-to",
        b"x-spam-status",
    )
)
"""Fields kept beside each message, in lower case: what mail clients list mailboxes with."""

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)\n?")
_LINE: Final = re.compile(rb"[^\n]*(?:\n[ \t][^\n]*)*\n?")
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")


def first_values(header: bytes, names: frozenset[bytes]) -> dict[bytes, bytes]:
    """The unfolded value of the first field of each name; names in lower case."""
    values: dict[bytes, bytes] = {}
    for name, value in _fields(header, names):
        if name not in values:
            values[name] = unfold(value)
    return values


def all_values(header: bytes, name: bytes) -> list[bytes]:
    """The unfolded values of all fields of this lower-case name, in order."""
    return [unfold(value) for _, value in _fields(header, frozenset((name,)))]


def parse_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """All fields as (name in lower case, unfolded value), in order; lines that are no field are left out."""
    found = (_FIELD.fullmatch(line) for line in _LINE.findall(header))
    return [(field[1].lower(), unfold(field[2])) for field in found if field]


def cached_fields(header: bytes) -> bytes:
    """The raw lines of the CACHED_FIELDS in their order, each ended by CRLF."""
    lines = b"".join(_selector(CACHED_FIELDS).findall(header))
    if lines.count(b"\n") != lines.count(b"\r\n"):
        lines = _BARE_LF.sub(b"\r\n", lines)
    if lines and not lines.endswith(b"\n"):
        lines += b"\r\n"
    return lines


def select_fields(header: bytes, names: frozenset[bytes], exclude: bool) -> bytes:
    """The raw lines of the named fields, or of all others, and the empty line after them.

    HEADER.FIELDS and HEADER.FIELDS.NOT of RFC 9051 §6.4.5. Names are in lower case. The header comes without
    its empty line.
    """
    if header and not header.endswith(b"\n"):
        header += b"\r\n"
    pattern = _selector(names)
    if exclude:
        return pattern.sub(b"", header) + b"\r\n"
    return b"".join(pattern.findall(header)) + b"\r\n"


def _fields(header: bytes, names: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    pairs = (line.split(b":", 1) for line in _selector(names).findall(header))
    return [(name.rstrip().lower(), value) for name, value in pairs]


@lru_cache(maxsize=256)
def _selector(names: frozenset[bytes]) -> re.Pattern[bytes]:
    """An expression that finds the fields of these names with their folded lines."""
    either = b"|".join(map(_any_case, sorted(names))) or b"(?!)"
    return re.compile(rb"(?m:^)(?:" + either + rb")[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+\n?")


def _any_case(name: bytes) -> bytes:
    letters = (name[place : place + 1] for place in range(len(name)))
    return b"".join(b"[" + c.upper() + c + b"]" if c.isalpha() else re.escape(c) for c in letters)
