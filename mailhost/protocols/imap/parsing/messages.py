"""Commands about messages of the selected mailbox (RFC 9051 §6.4, RFC 3516, RFC 6851, RFC 7162, RFC 9394)."""

import re
from functools import lru_cache
from typing import Final

from mailhost.protocols.imap.commands import Check, Close, Copy, Expunge, Fetch, Store, StoreLabels, StoreMode
from mailhost.protocols.imap.fetch import (
    ALL,
    FAST,
    FULL,
    Attribute,
    Binary,
    FetchItem,
    Partial,
    Section,
    Text,
    Window,
)
from mailhost.protocols.imap.parsing.cursor import MAX_MODSEQ, REMEMBERED_LENGTH, Cursor, Refusal

MAX_ITEMS: Final = 100
MAX_PATH: Final = 100
MAX_FIELDS: Final = 500  # in all sections together: each is worked into an expression for the whole command

_MACROS: Final = {b"ALL": ALL, b"FAST": FAST, b"FULL": FULL}
_ATTRIBUTES: Final = {attribute.value: attribute for attribute in Attribute}
_ALIASES: Final = {
    b"RFC822": Section((), Text.WHOLE, (), None, sets_seen=True, label=b"RFC822"),
    # Of RFC 1730, and still asked for by Outlook.
    b"RFC822.PEEK": Section((), Text.WHOLE, (), None, sets_seen=False, label=b"RFC822"),
    b"RFC822.HEADER": Section((), Text.HEADER, (), None, sets_seen=False, label=b"RFC822.HEADER"),
    b"RFC822.TEXT": Section((), Text.TEXT, (), None, sets_seen=True, label=b"RFC822.TEXT"),
    b"RFC822.TEXT.PEEK": Section((), Text.TEXT, (), None, sets_seen=False, label=b"RFC822.TEXT"),
}
_SECTION: Final = re.compile(
    rb"((?:[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*)?)(\.?)((?:HEADER(?:\.FIELDS(?:\.NOT)?)?|TEXT|MIME)?)(?=[\] ])",
    re.IGNORECASE,
)
_LAZY: Final = re.compile(rb" \(LAZY\)", re.IGNORECASE)
_PART: Final = re.compile(rb"((?:[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*)?)\]")
_PARTIAL: Final = re.compile(rb"<([0-9]{1,20})\.([0-9]{1,20})>")
_FIELD_NAME: Final = re.compile(rb"[!-9;-~]+")
_PLAIN_FIELD: Final = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff]+')

_Wanted = tuple[tuple[FetchItem, ...], int | None, bool, Window | None]
"""The items of a FETCH, CHANGEDSINCE, whether VANISHED stands beside it, PARTIAL."""


def parse_check(cursor: Cursor, tag: bytes) -> Check:
    """CHECK."""
    cursor.end()
    return Check(tag)


def parse_close(cursor: Cursor, tag: bytes) -> Close:
    """CLOSE."""
    cursor.end()
    return Close(tag, expunges=True)


def parse_unselect(cursor: Cursor, tag: bytes) -> Close:
    """UNSELECT (RFC 3691)."""
    cursor.end()
    return Close(tag, expunges=False)


def parse_expunge(cursor: Cursor, tag: bytes) -> Expunge:
    """EXPUNGE."""
    cursor.end()
    return Expunge(tag, None)


def parse_uid_expunge(cursor: Cursor, tag: bytes) -> Expunge:
    """UID EXPUNGE set."""
    cursor.space()
    uids = cursor.sequence_set()
    cursor.end()
    return Expunge(tag, uids)


def _parse_copy(cursor: Cursor, tag: bytes, *, by_uid: bool, moves: bool) -> Copy:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.end()
    return Copy(tag, numbers, by_uid, mailbox, moves)


def parse_copy(cursor: Cursor, tag: bytes) -> Copy:
    """COPY set mailbox."""
    return _parse_copy(cursor, tag, by_uid=False, moves=False)


def parse_uid_copy(cursor: Cursor, tag: bytes) -> Copy:
    """UID COPY set mailbox."""
    return _parse_copy(cursor, tag, by_uid=True, moves=False)


def parse_move(cursor: Cursor, tag: bytes) -> Copy:
    """MOVE set mailbox."""
    return _parse_copy(cursor, tag, by_uid=False, moves=True)


def parse_uid_move(cursor: Cursor, tag: bytes) -> Copy:
    """UID MOVE set mailbox."""
    return _parse_copy(cursor, tag, by_uid=True, moves=True)


def parse_store(cursor: Cursor, tag: bytes) -> Store | StoreLabels:
    """STORE set [(UNCHANGEDSINCE modseq)] [+-]FLAGS[.SILENT] flags, or X-GM-LABELS for FLAGS, with labels."""
    return _parse_store(cursor, tag, by_uid=False)


def parse_uid_store(cursor: Cursor, tag: bytes) -> Store | StoreLabels:
    """UID STORE, as STORE."""
    return _parse_store(cursor, tag, by_uid=True)


def _parse_store(cursor: Cursor, tag: bytes, *, by_uid: bool) -> Store | StoreLabels:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    unchanged_since = None
    if cursor.skip(b"("):
        unchanged_since = _modifier(cursor, b"UNCHANGEDSINCE")
        cursor.space()
    name, dot, suffix = cursor.word().decode().partition(".")
    sign = name[:1] if name[:1] in {"+", "-"} else ""
    item = name.removeprefix(sign)
    if item not in {"FLAGS", "X-GM-LABELS"} or (dot and suffix != "SILENT"):
        raise Refusal("STORE takes FLAGS, +FLAGS or -FLAGS, with or without .SILENT.")
    cursor.space()
    mode = StoreMode(f"{sign}FLAGS")
    if item == "X-GM-LABELS":
        labels = cursor.labels()
        cursor.end()
        return StoreLabels(tag, numbers, by_uid, mode, bool(dot), labels, unchanged_since)
    flags = cursor.flag_list() if cursor.text.startswith(b"(", cursor.place) else _bare_flags(cursor)
    cursor.end()
    return Store(tag, numbers, by_uid, mode, bool(dot), flags, unchanged_since)


def _bare_flags(cursor: Cursor) -> tuple[str, ...]:
    flags = [cursor.flag()]
    while cursor.skip(b" ") and not cursor.at_end():
        flags.append(cursor.flag())
    return tuple(dict.fromkeys(flag for flag in flags if flag is not None))


def _modifier(cursor: Cursor, name: bytes) -> int:
    """The one modifier STORE knows, behind its open parenthesis."""
    if cursor.word() != name:
        raise Refusal(f"{name.decode()} is the only modifier here.")
    cursor.space()
    modseq = cursor.number(MAX_MODSEQ)
    cursor.expect(b")")
    return modseq


def parse_fetch(cursor: Cursor, tag: bytes) -> Fetch:
    """FETCH set items [(CHANGEDSINCE modseq)]."""
    return _parse_fetch(cursor, tag, by_uid=False)


def parse_uid_fetch(cursor: Cursor, tag: bytes) -> Fetch:
    """UID FETCH, as FETCH, also with (CHANGEDSINCE modseq VANISHED); the answers hold the UID in any case."""
    return _parse_fetch(cursor, tag, by_uid=True)


def _parse_fetch(cursor: Cursor, tag: bytes, *, by_uid: bool) -> Fetch:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    rest = cursor.text[cursor.place :]
    read = _remembered if len(rest) <= REMEMBERED_LENGTH else _parse_wanted
    wanted = read(rest, by_uid, cursor.gmail)
    return Fetch(tag, numbers, by_uid, *wanted)


def _parse_wanted(text: bytes, by_uid: bool, gmail: bool) -> _Wanted:
    """What FETCH asks of the messages it names: everything behind the set."""
    cursor = Cursor(text, gmail=gmail)
    items: dict[FetchItem, None] = {Attribute.UID: None} if by_uid else {}
    macro = _MACROS.get(cursor.peek_word())
    if macro is not None:
        cursor.word()
        items.update(dict.fromkeys(macro))
    elif cursor.text.startswith(b"(", cursor.place):
        items.update(dict.fromkeys(parse_items(cursor)))
    else:
        items[_parse_item(cursor)] = None
    changed_since: int | None = None
    vanished, window = False, None
    if not cursor.at_end():
        cursor.space()
        if cursor.skip(b"("):
            changed_since, vanished, window = _fetch_modifiers(cursor, by_uid=by_uid)
    if changed_since is not None:
        items[Attribute.MODSEQ] = None
    cursor.end()
    return tuple(items), changed_since, vanished, window


_remembered = lru_cache(maxsize=256)(_parse_wanted)


def parse_items(cursor: Cursor) -> tuple[FetchItem, ...]:
    """Data items in parentheses, each once."""
    cursor.expect(b"(")
    items: dict[FetchItem, None] = {_parse_item(cursor): None}
    while not cursor.skip(b")"):
        cursor.space()
        items[_parse_item(cursor)] = None
        if len(items) > MAX_ITEMS:
            raise Refusal(f"FETCH takes at most {MAX_ITEMS} items.")
    if sum(len(item.fields) for item in items if isinstance(item, Section)) > MAX_FIELDS:
        raise Refusal(f"FETCH takes at most {MAX_FIELDS} names of header fields.")
    return tuple(items)


def _fetch_modifiers(cursor: Cursor, *, by_uid: bool) -> tuple[int | None, bool, Window | None]:
    """CHANGEDSINCE and its modseq, whether VANISHED stands beside it, the range of PARTIAL; up to the parenthesis."""
    changed_since: int | None = None
    vanished, window = False, None
    while True:
        match cursor.word():
            case b"CHANGEDSINCE":
                cursor.space()
                changed_since = cursor.number(MAX_MODSEQ)
            case b"VANISHED" if by_uid:
                vanished = True
            case b"PARTIAL" if by_uid and window is None:
                cursor.space()
                window = cursor.window()
            case _:
                raise Refusal("FETCH takes CHANGEDSINCE, and UID FETCH also VANISHED and PARTIAL, once, as modifiers.")
        if cursor.skip(b")"):
            break
        cursor.space()
    if vanished and changed_since is None:
        raise Refusal("VANISHED needs CHANGEDSINCE beside it.")
    return changed_since, vanished, window


def _parse_item(cursor: Cursor) -> FetchItem:
    name = cursor.word()
    if name == b"PREVIEW":
        # LAZY allows "not made yet"; ours is made at delivery, so it changes nothing (RFC 8970 §3.1).
        cursor.match(_LAZY)
        return Attribute.PREVIEW
    if name in {b"BODY", b"BODY.PEEK"} and cursor.skip(b"["):
        return parse_section(cursor, sets_seen=name == b"BODY")
    if name in {b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"} and cursor.skip(b"["):
        return _parse_binary(cursor, name)
    item: FetchItem | None = _ATTRIBUTES.get(name) or _ALIASES.get(name)
    if name.startswith(b"X-GM-"):
        cursor.need_labels(name)
    if item is None:
        raise Refusal(f"There is no FETCH item {name[:40].decode()}.")
    return item


def parse_section(cursor: Cursor, *, sets_seen: bool) -> Section:
    """`1.HEADER.FIELDS (From)]<0.100>` behind BODY[."""
    found = cursor.match(_SECTION)
    if found is None:
        raise Refusal("The section in BODY[] is malformed.")
    path = tuple(int(number) for number in found[1].split(b".") if number)
    text = Text(found[3].decode().upper())
    if bool(found[2]) != bool(path and found[3]) or (text is Text.MIME and not path) or len(path) > MAX_PATH:
        raise Refusal("The section in BODY[] is malformed.")
    fields: tuple[bytes, ...] = ()
    label = b"BODY[" + found[0].upper()
    if text in {Text.FIELDS, Text.FIELDS_NOT}:
        cursor.space()
        fields, rendered = _parse_fields(cursor)
        label += b" (" + rendered + b")"
    cursor.expect(b"]")
    label += b"]"
    partial = _parse_partial(cursor)
    if partial is not None:
        label += b"<%d>" % partial.start
    return Section(path, text, fields, partial, sets_seen, label)


def _parse_binary(cursor: Cursor, name: bytes) -> Binary:
    """`1.2]<0.100>` behind BINARY[ (RFC 3516 §4.2, §4.3)."""
    found = cursor.match(_PART)
    if found is None or found[1].count(b".") >= MAX_PATH:
        raise Refusal("The part in BINARY[] is malformed.")
    is_size = name == b"BINARY.SIZE"
    path = tuple(int(number) for number in found[1].split(b".") if number)
    label = (name if is_size else b"BINARY") + b"[" + found[0]
    partial = None if is_size else _parse_partial(cursor)
    if partial is not None:
        label += b"<%d>" % partial.start
    return Binary(path, partial, name == b"BINARY", label, is_size)


def _parse_partial(cursor: Cursor) -> Partial | None:
    """`<0.2048>`, where it stands: the first octet and how many, at least one (RFC 9051 §9 partial)."""
    found = cursor.match(_PARTIAL)
    if found is None:
        return None
    start, length = int(found[1]), int(found[2])
    if not length:
        raise Refusal("A part of a section is at least one octet long: <0.1>.")
    return Partial(start, length)


def _parse_fields(cursor: Cursor) -> tuple[tuple[bytes, ...], bytes]:
    """The header field names and how the answer repeats them."""
    cursor.expect(b"(")
    names: list[bytes] = []
    while not cursor.skip(b")"):
        if len(names) >= MAX_FIELDS:
            raise Refusal(f"FETCH takes at most {MAX_FIELDS} names of header fields.")
        if names:
            cursor.space()
        name = cursor.astring()
        if _FIELD_NAME.fullmatch(name) is None:
            raise Refusal("A header field name is malformed.")
        names.append(name)
    shown = b" ".join(
        name.upper()
        if _PLAIN_FIELD.fullmatch(name)
        else b'"' + name.upper().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        for name in names
    )
    return tuple(name.lower() for name in names), shown
