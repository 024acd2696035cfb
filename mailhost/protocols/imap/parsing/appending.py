"""APPEND and REPLACE up to their literal (RFC 9051 §6.3.12, RFC 3502, RFC 6855 §4, RFC 8508)."""

from dataclasses import replace

from mailhost.protocols.imap.events import AppendMessage, Replaced
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal
from mailhost.protocols.imap.parsing.dates import parse_moment


def parse_append(cursor: Cursor, tag: bytes, size: int) -> AppendMessage:
    """APPEND mailbox [(flags)] ["date"] [UTF8 (] as far as the first literal of `size` octets."""
    cursor.space()
    mailbox = cursor.mailbox()
    return parse_next_message(cursor, tag, mailbox, size)


def parse_replace(cursor: Cursor, tag: bytes, size: int, *, by_uid: bool) -> AppendMessage:
    """REPLACE number mailbox [(flags)] ["date"] as far as the literal of `size` octets."""
    cursor.space()
    number = 0 if not by_uid and cursor.skip(b"*") else cursor.number()
    if not number and cursor.text[cursor.place - 1 : cursor.place] != b"*":
        raise Refusal("REPLACE needs the number of one message.")
    return replace(parse_append(cursor, tag, size), replaces=Replaced(number, by_uid))


def parse_next_message(cursor: Cursor, tag: bytes, mailbox: str, size: int) -> AppendMessage:
    """The same for a further message of the command: [(flags)] ["date"] [UTF8 (]."""
    cursor.space()
    flags: tuple[str, ...] = ()
    moment = None
    if cursor.text.startswith(b"(", cursor.place):
        flags = cursor.flag_list()
        cursor.space()
    if cursor.text.startswith(b'"', cursor.place):
        moment = parse_moment(cursor)
        cursor.space()
    utf8 = cursor.peek_word() == b"UTF8"
    if utf8:
        cursor.word()
        cursor.space()
        cursor.expect(b"(")
    cursor.end()
    return AppendMessage(tag, mailbox, flags, moment, size, utf8)
