"""Commands about the conversation itself: sign-in, ID, ENABLE (RFC 9051 §6.1 and §6.2, RFC 2971, RFC 5161)."""

from typing import Final

from mailhost.protocols.imap.commands import (
    Authenticate,
    Capability,
    Compress,
    Enable,
    Id,
    Idle,
    Login,
    Logout,
    Namespace,
    Noop,
    StartTls,
    Unauthenticate,
)
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal

MAX_ID_FIELDS: Final = 30  # RFC 2971 §3.3, as are the two lengths
MAX_ID_NAME: Final = 30
MAX_ID_VALUE: Final = 1024


def parse_capability(cursor: Cursor, tag: bytes) -> Capability:
    """CAPABILITY."""
    cursor.end()
    return Capability(tag)


def parse_noop(cursor: Cursor, tag: bytes) -> Noop:
    """NOOP."""
    cursor.end()
    return Noop(tag)


def parse_logout(cursor: Cursor, tag: bytes) -> Logout:
    """LOGOUT."""
    cursor.end()
    return Logout(tag)


def parse_unauthenticate(cursor: Cursor, tag: bytes) -> Unauthenticate:
    """UNAUTHENTICATE (RFC 8437)."""
    cursor.end()
    return Unauthenticate(tag)


def parse_compress(cursor: Cursor, tag: bytes) -> Compress:
    """COMPRESS mechanism (RFC 4978)."""
    cursor.space()
    mechanism = cursor.atom().decode().upper()
    cursor.end()
    return Compress(tag, mechanism)


def parse_starttls(cursor: Cursor, tag: bytes) -> StartTls:
    """STARTTLS."""
    cursor.end()
    return StartTls(tag)


def parse_idle(cursor: Cursor, tag: bytes) -> Idle:
    """IDLE."""
    cursor.end()
    return Idle(tag)


def parse_namespace(cursor: Cursor, tag: bytes) -> Namespace:
    """NAMESPACE."""
    cursor.end()
    return Namespace(tag)


def parse_id(cursor: Cursor, tag: bytes) -> Id:
    """ID NIL, or ID with a list of names and values."""
    cursor.space()
    if cursor.peek_word() == b"NIL":
        cursor.word()
        cursor.end()
        return Id(tag, ())
    cursor.expect(b"(")
    fields: list[tuple[str, str | None]] = []
    while not cursor.skip(b")"):
        if fields:
            cursor.space()
        name = cursor.string()
        cursor.space()
        value = cursor.nstring()
        fields.append(
            (
                name[:MAX_ID_NAME].decode("utf-8", "replace").lower(),
                None if value is None else value[:MAX_ID_VALUE].decode("utf-8", "replace"),
            )
        )
        if len(fields) > MAX_ID_FIELDS:
            raise Refusal(f"ID takes at most {MAX_ID_FIELDS} fields.")
    cursor.end()
    return Id(tag, tuple(fields))


def parse_login(cursor: Cursor, tag: bytes) -> Login:
    """LOGIN user password."""
    cursor.space()
    user = cursor.astring()
    cursor.space()
    password = cursor.astring()
    cursor.end()
    return Login(tag, user, password)


def parse_authenticate(cursor: Cursor, tag: bytes) -> Authenticate:
    """AUTHENTICATE mechanism [initial response]; base64 itself is read by the mechanism."""
    cursor.space()
    mechanism = cursor.atom().decode().upper()
    initial = None
    if cursor.skip(b" "):
        initial = cursor.astring()
    cursor.end()
    return Authenticate(tag, mechanism, initial)


def parse_enable(cursor: Cursor, tag: bytes) -> Enable:
    """ENABLE words."""
    words: list[str] = []
    while not words or not cursor.at_end():
        cursor.space()
        words.append(cursor.atom().decode().upper())
    return Enable(tag, tuple(words))
