"""Which commands there are, who reads their arguments, and in which states they may come."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mailhost.protocols.imap.commands import Command
from mailhost.protocols.imap.parsing import (
    access,
    mailboxes,
    messages,
    metadata,
    multisearch,
    notifying,
    searching,
    session,
    sorting,
)
from mailhost.protocols.imap.parsing.cursor import Cursor


class State(Enum):
    """How far a conversation has come (RFC 9051 §3)."""

    NOT_AUTHENTICATED = "before signing in"
    AUTHENTICATED = "while no mailbox is selected"
    SELECTED = "while a mailbox is selected"
    LOGOUT = "after LOGOUT"


@dataclass(frozen=True, slots=True)
class CommandRule:
    """How a command is read: `parse` continues behind its name; `states` are those in which it may come."""

    parse: Callable[[Cursor, bytes], Command]
    states: frozenset[State]


_BEFORE: Final = frozenset({State.NOT_AUTHENTICATED})
_SIGNED_IN: Final = frozenset({State.AUTHENTICATED, State.SELECTED})
_SELECTED: Final = frozenset({State.SELECTED})
_ANY: Final = _BEFORE | _SIGNED_IN

COMMANDS: Final[dict[bytes, CommandRule]] = {
    b"CAPABILITY": CommandRule(session.parse_capability, _ANY),
    b"NOOP": CommandRule(session.parse_noop, _ANY),
    b"LOGOUT": CommandRule(session.parse_logout, _ANY),
    b"ID": CommandRule(session.parse_id, _ANY),
    b"STARTTLS": CommandRule(session.parse_starttls, _BEFORE),
    b"LOGIN": CommandRule(session.parse_login, _BEFORE),
    b"AUTHENTICATE": CommandRule(session.parse_authenticate, _BEFORE),
    b"ENABLE": CommandRule(session.parse_enable, _SIGNED_IN),
    b"UNAUTHENTICATE": CommandRule(session.parse_unauthenticate, _SIGNED_IN),
    b"COMPRESS": CommandRule(session.parse_compress, _SIGNED_IN),
    b"NAMESPACE": CommandRule(session.parse_namespace, _SIGNED_IN),
    b"NOTIFY": CommandRule(notifying.parse_notify, _SIGNED_IN),
    b"IDLE": CommandRule(session.parse_idle, _SIGNED_IN),
    b"SELECT": CommandRule(mailboxes.parse_select, _SIGNED_IN),
    b"EXAMINE": CommandRule(mailboxes.parse_examine, _SIGNED_IN),
    b"CREATE": CommandRule(mailboxes.parse_create, _SIGNED_IN),
    b"DELETE": CommandRule(mailboxes.parse_delete, _SIGNED_IN),
    b"RENAME": CommandRule(mailboxes.parse_rename, _SIGNED_IN),
    b"SUBSCRIBE": CommandRule(mailboxes.parse_subscribe, _SIGNED_IN),
    b"UNSUBSCRIBE": CommandRule(mailboxes.parse_unsubscribe, _SIGNED_IN),
    b"LIST": CommandRule(mailboxes.parse_list, _SIGNED_IN),
    b"LSUB": CommandRule(mailboxes.parse_lsub, _SIGNED_IN),
    b"STATUS": CommandRule(mailboxes.parse_status, _SIGNED_IN),
    b"GETQUOTA": CommandRule(mailboxes.parse_get_quota, _SIGNED_IN),
    b"GETMETADATA": CommandRule(metadata.parse_get_metadata, _SIGNED_IN),
    b"SETMETADATA": CommandRule(metadata.parse_set_metadata, _SIGNED_IN),
    b"SETACL": CommandRule(access.parse_set_acl, _SIGNED_IN),
    b"DELETEACL": CommandRule(access.parse_delete_acl, _SIGNED_IN),
    b"GETACL": CommandRule(access.parse_get_acl, _SIGNED_IN),
    b"LISTRIGHTS": CommandRule(access.parse_list_rights, _SIGNED_IN),
    b"MYRIGHTS": CommandRule(access.parse_my_rights, _SIGNED_IN),
    b"SETQUOTA": CommandRule(mailboxes.parse_set_quota, _SIGNED_IN),
    b"GETQUOTAROOT": CommandRule(mailboxes.parse_get_quota_root, _SIGNED_IN),
    b"CHECK": CommandRule(messages.parse_check, _SELECTED),
    b"CLOSE": CommandRule(messages.parse_close, _SELECTED),
    b"UNSELECT": CommandRule(messages.parse_unselect, _SELECTED),
    b"EXPUNGE": CommandRule(messages.parse_expunge, _SELECTED),
    b"UID EXPUNGE": CommandRule(messages.parse_uid_expunge, _SELECTED),
    b"ESEARCH": CommandRule(multisearch.parse_multi_search, _SIGNED_IN),
    b"SEARCH": CommandRule(searching.parse_search, _SELECTED),
    b"UID SEARCH": CommandRule(searching.parse_uid_search, _SELECTED),
    b"CANCELUPDATE": CommandRule(searching.parse_cancel_update, _SELECTED),
    b"SORT": CommandRule(sorting.parse_sort, _SELECTED),
    b"UID SORT": CommandRule(sorting.parse_uid_sort, _SELECTED),
    b"THREAD": CommandRule(sorting.parse_thread, _SELECTED),
    b"UID THREAD": CommandRule(sorting.parse_uid_thread, _SELECTED),
    b"FETCH": CommandRule(messages.parse_fetch, _SELECTED),
    b"UID FETCH": CommandRule(messages.parse_uid_fetch, _SELECTED),
    b"STORE": CommandRule(messages.parse_store, _SELECTED),
    b"UID STORE": CommandRule(messages.parse_uid_store, _SELECTED),
    b"COPY": CommandRule(messages.parse_copy, _SELECTED),
    b"UID COPY": CommandRule(messages.parse_uid_copy, _SELECTED),
    b"MOVE": CommandRule(messages.parse_move, _SELECTED),
    b"UID MOVE": CommandRule(messages.parse_uid_move, _SELECTED),
}
"""Every command but those of APPEND_STATES, whose literals are streamed: the connection reads them piece by piece."""

APPEND_STATES: Final = {b"APPEND": _SIGNED_IN, b"REPLACE": _SELECTED, b"UID REPLACE": _SELECTED}
