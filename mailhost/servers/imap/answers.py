"""How a command ends, and the one table from what happened to IMAP's words for it (RFC 9051 §7.1, RFC 5530)."""

from dataclasses import dataclass
from typing import Final

from mailhost.errors import MailhostError
from mailhost.mailstore.annotations import MAX_VALUE, AnnotationTooLarge, TooManyAnnotations
from mailhost.mailstore.binary import NulInText
from mailhost.mailstore.intake import MessageTooLarge, NulInMessage
from mailhost.mailstore.labelling import NoLabels
from mailhost.mailstore.model import (
    BadMailboxName,
    HasChildren,
    MailboxExists,
    MailboxFull,
    NoSuchAccount,
    NoSuchMailbox,
    NoSuchMessage,
    NotSelectable,
    OverQuota,
    SpecialUseRefused,
    TooManyKeywords,
    TooManyMailboxes,
    TooManyPlacements,
)
from mailhost.mailstore.sharing import TooManyGrants
from mailhost.protocols.imap.responses import Status
from mailhost.servers.imap.binary import UnknownEncoding
from mailhost.servers.imap.content import ContentsDamaged
from mailhost.servers.imap.view import NoSuchNumber, ReadOnlyView
from mailhost.storage.errors import StorageError, StorageFull


@dataclass(frozen=True, slots=True)
class Answer:
    """The tagged answer to a command: status, response code without brackets or None, and a sentence."""

    status: Status
    code: str | None
    text: str


UID_REQUIRED: Final = Answer("BAD", "UIDREQUIRED", "UIDONLY is enabled: name messages by UID.")
"""To a command with sequence numbers (RFC 9586 §3)."""


class NoPermission(MailhostError):
    """The account has not the right that this command needs (RFC 4314, RFC 5530); the message may say which."""


ANSWERS: Final[dict[type[MailhostError], Answer]] = {
    NoSuchMailbox: Answer("NO", "NONEXISTENT", "There is no such mailbox."),
    NoSuchMessage: Answer("NO", "EXPUNGEISSUED", "There is no such message, or not any more."),
    NotSelectable: Answer("NO", "NONEXISTENT", "This name only holds other mailboxes."),
    MailboxExists: Answer("NO", "ALREADYEXISTS", "There is already a mailbox of this name."),
    BadMailboxName: Answer("NO", "CANNOT", "This cannot be the name of a mailbox."),
    HasChildren: Answer("NO", "HASCHILDREN", "This name holds other mailboxes, which must be deleted first."),
    SpecialUseRefused: Answer("NO", "USEATTR", "No mailbox can have this special use."),
    TooManyMailboxes: Answer("NO", "LIMIT", "The account has too many mailboxes or subscriptions. Delete some first."),
    TooManyGrants: Answer("NO", "LIMIT", "The mailbox is shared with too many accounts; share it with anyone instead."),
    AnnotationTooLarge: Answer("NO", f"METADATA MAXSIZE {MAX_VALUE}", f"A value has at most {MAX_VALUE} octets."),
    TooManyAnnotations: Answer("NO", "METADATA TOOMANY", "There is no room for so many entries; remove some first."),
    TooManyKeywords: Answer(
        "NO", "LIMIT", "The account has too many different keywords. Take one away from all messages."
    ),
    TooManyPlacements: Answer("NO", "LIMIT", "The account has too many copies of messages. Delete some first."),
    OverQuota: Answer("NO", "OVERQUOTA", "The account is full. Delete mail or ask for more space."),
    MailboxFull: Answer("NO", "LIMIT", "The mailbox has given out its last UID. Use another mailbox."),
    MessageTooLarge: Answer("NO", "TOOBIG", "The message is too large."),
    NoLabels: Answer(
        "BAD", None, "Labels are known in mailboxes of one's own account that shows labels; this mailbox has none."
    ),
    NulInMessage: Answer("NO", "CANNOT", "The message holds a NUL octet."),
    NulInText: Answer("NO", "UNKNOWN-CTE", "The message holds a NUL octet that no transfer encoding can carry."),
    NoSuchAccount: Answer("NO", "UNAVAILABLE", "The account is being removed."),
    NoSuchNumber: Answer("BAD", None, "There is no message of this number."),
    ReadOnlyView: Answer("NO", "NOPERM", "The mailbox was opened with EXAMINE and cannot be changed."),
    NoPermission: Answer("NO", "NOPERM", "You do not have the right to do this."),
    ContentsDamaged: Answer("NO", "CORRUPTION", "Some contents are damaged on the server. Tell its administrator."),
    UnknownEncoding: Answer("NO", "UNKNOWN-CTE", "A part has a transfer encoding that is not known here."),
    StorageFull: Answer("NO", "UNAVAILABLE", "The server is out of storage space. Try again later. (Failure)"),
    StorageError: Answer("NO", "UNAVAILABLE", "Temporary System Problem. Try again later. (Failure)"),
}

MAY_ONLY_READ: Final = Answer("NO", "NOPERM", "This password may only read; nothing was changed.")
"""What a credential that is limited to reading is told."""

_SELF_EXPLAINING: Final = (
    BadMailboxName,
    MessageTooLarge,
    NoPermission,
    NoSuchNumber,
    NulInMessage,
    SpecialUseRefused,
)


def answer_for(error: MailhostError) -> Answer | None:
    """The answer to a command that ended in this error; None when no command may end in it."""
    for kind in type(error).__mro__:
        answer = ANSWERS.get(kind)
        if answer is not None:
            break
    else:
        return None
    if isinstance(error, _SELF_EXPLAINING) and error.args:
        return Answer(answer.status, answer.code, str(error))
    return answer


def completed(command: str) -> Answer:
    """`OK FETCH completed.`"""
    return Answer("OK", None, f"{command} completed.")
