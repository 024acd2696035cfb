"""APPEND up to its literal (RFC 9051 §6.3.12, RFC 3502, RFC 6855 §4)."""

from mailhost.protocols.imap.events import AppendMessage
from mailhost.protocols.imap.parsing.cursor import Cursor
from mailhost.protocols.imap.parsing.dates import parse_moment


def parse_append(cursor: Cursor, tag: bytes, size: int) -> AppendMessage:
    """APPEND mailbox [(flags)] ["date"] [UTF8 (] as far as the first literal of `size` octets."""
    cursor.space()
    mailbox = cursor.mailbox()
    return parse_next_message(cursor, tag, mailbox, size)


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
