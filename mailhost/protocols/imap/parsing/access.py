"""Commands about who may use a mailbox (RFC 4314 §3)."""

from typing import Final

from mailhost.protocols.imap.commands import DeleteAcl, GetAcl, ListRights, MyRights, RightsMode, SetAcl
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal
from mailhost.protocols.imap.rights import InvalidRights, parse_rights

_MODES: Final = {mode.value: mode for mode in RightsMode if mode.value}


def parse_set_acl(cursor: Cursor, tag: bytes) -> SetAcl:
    """SETACL mailbox identifier [+-]rights. A letter that is no right is an error (RFC 4314 §3.1)."""
    cursor.space()
    mailbox = cursor.mailbox()
    identifier, is_negative = _identifier(cursor)
    cursor.space()
    text = cursor.astring().decode("ascii", "replace")
    cursor.end()
    mode = _MODES.get(text[:1], RightsMode.REPLACE)
    try:
        rights = parse_rights(text.removeprefix(mode.value))
    except InvalidRights as error:
        raise Refusal(f"There is no right {error}.") from error
    return SetAcl(tag, mailbox, identifier, is_negative, mode, rights)


def parse_delete_acl(cursor: Cursor, tag: bytes) -> DeleteAcl:
    """DELETEACL mailbox identifier."""
    cursor.space()
    mailbox = cursor.mailbox()
    identifier, is_negative = _identifier(cursor)
    cursor.end()
    return DeleteAcl(tag, mailbox, identifier, is_negative)


def parse_get_acl(cursor: Cursor, tag: bytes) -> GetAcl:
    """GETACL mailbox."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.end()
    return GetAcl(tag, mailbox)


def parse_list_rights(cursor: Cursor, tag: bytes) -> ListRights:
    """LISTRIGHTS mailbox identifier."""
    cursor.space()
    mailbox = cursor.mailbox()
    identifier, is_negative = _identifier(cursor)
    cursor.end()
    return ListRights(tag, mailbox, identifier, is_negative)


def parse_my_rights(cursor: Cursor, tag: bytes) -> MyRights:
    """MYRIGHTS mailbox."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.end()
    return MyRights(tag, mailbox)


def _identifier(cursor: Cursor) -> tuple[str, bool]:
    """Who is meant, and whether a hyphen before it takes rights away (RFC 4314 §2)."""
    cursor.space()
    try:
        text = cursor.astring().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal("The identifier is not UTF-8.") from error
    identifier = text.removeprefix("-")
    if not identifier:
        raise Refusal("An identifier is an address, or anyone.")
    return identifier, text != identifier
