"""Header blocks as they stand on the wire: their fields, and the subsets IMAP clients ask for (RFC 5322 §2.2)."""

import re
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache
from itertools import compress
from typing import Final

from mailhost.message.mime import unfold

Field = tuple[bytes, bytes, bytes]
"""A field: its name in lower case, its value as it stands, its raw lines."""

# What clients were seen to list mailboxes with. Stored blocks name a field by its place here: append only.
_ORDER: Final = (
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
    b"content-type",
    b"newsgroups",
    b"followup-to",
    b"priority",
    b"x-priority",
    b"importance",
    b"x-msmail-priority",
    b"list-id",
    b"list-post",
    b"list-unsubscribe",
    b"list-subscribe",
    b"list-help",
    b"content-description",
    b"content-transfer-encoding",
    b"mime-version",
    b"lines",
    b"x-label",
    b"x-tuid",
    b"x-offlineimap",
    b"x-mailer",
    b"user-agent",
    b"organization",
    b"disposition-notification-to",
    b"mail-followup-to",
    b"mail-reply-to",
    b"keywords",
    b"comments",
    b"supersedes",
    b"x-draft-info",
    b"x-mozilla-draft-info",
    b"resent-date",
    b"resent-from",
    b"resent-to",
    b"resent-message-id",
    b"x-uniform-type-identifier",
    b"x-universally-unique-identifier",
    b"x-k9mail-identity",
    b"chat-version",
    b"autocrypt",
    b"x-spam-status",
    b"x-spam-flag",
    b"x-spam-level",
    b"x-spam-score",
    b"x-been-there",
    b"auto-submitted",
    b"precedence",
)
CACHED_FIELDS: Final = frozenset(_ORDER)
"""The fields kept beside each message, in lower case; a FETCH of none but these need not read the message."""

_NEVER, _FIRST_CODE, _ALWAYS = 1, 2, 255  # 0 divides the pieces of a packed block
_CODES: Final = {name: code for code, name in enumerate(_ORDER, start=_FIRST_CODE)}
_FIELD: Final = re.compile(rb"(([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)\n?)|[^\n]++\n?|\n")


def parse_fields(header: bytes) -> list[Field]:
    """All fields of a raw header block in order; lines that are no field are left out."""
    return [(name.lower(), value, lines) for lines, name, value in _FIELD.findall(header) if name]


def first_values(fields: Sequence[Field], names: Set[bytes]) -> dict[bytes, bytes]:
    """The unfolded value of the first field of each of these names."""
    return {name: unfold(value) for name, value, _ in reversed(fields) if name in names}


def pack_fields(fields: Iterable[Field]) -> bytes:
    """The raw lines of the CACHED_FIELDS in a block that `select_cached` reads."""
    kept = [(code, lines) for name, _, lines in fields if (code := _CODES.get(name))]
    pieces = [lines for _, lines in kept]
    whole = b"".join(pieces)
    if whole.count(b"\n") != whole.count(b"\r\n") or b"\0" in whole or not whole.endswith(b"\n"):
        pieces = [_with_crlf(lines).replace(b"\0", b"?") for lines in pieces]
    return b"\0".join((bytes((_NEVER, *(code for code, _ in kept), _ALWAYS)), *pieces, b"\r\n"))


def unpack_fields(packed: bytes) -> bytes:
    """The raw lines in a packed block, in their order, without an empty line after them."""
    return b"".join(packed.split(b"\0")[1:-1])


@lru_cache(maxsize=256)
def field_mask(names: frozenset[bytes]) -> bytes:
    """What `select_cached` needs to know of these names (in lower case, all of CACHED_FIELDS); made once a command."""
    chosen = {_CODES[name] for name in names} | {_ALWAYS}
    return bytes(code in chosen for code in range(256))


def select_cached(packed: bytes, mask: bytes) -> bytes:
    """The raw lines of the fields in the mask, in their order, and the empty line after them: HEADER.FIELDS.

    The hottest function of a listing, so all its loops run in C.
    """
    pieces = packed.split(b"\0")
    return b"".join(compress(pieces, pieces[0].translate(mask)))


def select_fields(header: bytes, names: frozenset[bytes], exclude: bool) -> bytes:
    """The raw lines of the named fields, or of all others, in their order, and the empty line after them.

    HEADER.FIELDS and HEADER.FIELDS.NOT (RFC 9051 §6.4.5.1) of a raw header block, which may end with its empty line or
    without it. Names are in lower case.
    """
    header = header.rstrip(b"\r\n")
    chosen = b"".join(_selector(names, exclude).findall(b"\n" + header)) if header else b""
    if not chosen:
        return b"\r\n"
    return _with_crlf(chosen[1:].removesuffix(b"\r") + b"\r\n") + b"\r\n"


@lru_cache(maxsize=256)
def _selector(names: frozenset[bytes], exclude: bool) -> re.Pattern[bytes]:
    """An expression that finds fields with the line feed before them: a literal to begin with makes it fast."""
    either = rb"(?:" + (b"|".join(map(_any_case, sorted(names))) or b"(?!)") + rb")[ \t]*+:"
    start = rb"(?!" + either + rb"|[ \t])" if exclude else either
    return re.compile(rb"\n" + start + rb"[^\n]*+(?:\n[ \t][^\n]*+)*+")


def _any_case(name: bytes) -> bytes:
    letters = (name[place : place + 1] for place in range(len(name)))
    return b"".join(b"[" + c.upper() + c + b"]" if c.isalpha() else re.escape(c) for c in letters)


def _with_crlf(lines: bytes) -> bytes:
    """The lines with each line end, and one at the very end, written CR LF."""
    if not lines.endswith(b"\n"):
        lines += b"\r\n"
    if lines.count(b"\n") != lines.count(b"\r\n"):
        lines = lines.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return lines
