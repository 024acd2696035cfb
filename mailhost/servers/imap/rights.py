"""Which right each command needs: RFC 4314 §4 as one function, which no new command gets past."""

from collections.abc import Iterable
from typing import Final, assert_never

from mailhost.mailstore.flags import Keywords
from mailhost.mailstore.model import SYSTEM_FLAGS, Flag, NoSuchMailbox
from mailhost.mailstore.store import ALL_BITS
from mailhost.protocols.imap import flags
from mailhost.protocols.imap.commands import (
    AccessCommand,
    CancelUpdate,
    Check,
    Close,
    Copy,
    Create,
    Delete,
    DeleteAcl,
    Expunge,
    Fetch,
    GetAcl,
    GetMetadata,
    GetQuota,
    GetQuotaRoot,
    List,
    ListRights,
    Lsub,
    MailboxCommand,
    MessageCommand,
    MetadataCommand,
    MultiSearch,
    MyRights,
    Rename,
    Search,
    Select,
    SetAcl,
    SetMetadata,
    SetQuota,
    Sort,
    Status,
    Store,
    StoreLabels,
    StoreMode,
    Subscribe,
    Thread,
)
from mailhost.protocols.imap.events import AppendMessage
from mailhost.protocols.imap.rights import ALL_RIGHTS, NO_RIGHTS, REMOVES, Right, letters_of
from mailhost.servers.imap.answers import NoPermission

SEES: Final = Right.LOOKUP | Right.READ | Right.INSERT | Right.CREATE | Right.DELETE_MAILBOX | Right.ADMINISTER
"""One of these lets an account ask for its own rights."""

_RIGHT_OF_FLAG: Final = {"\\Seen": Right.SEEN, "\\Deleted": Right.DELETE_MESSAGES}


def right_for(
    command: MailboxCommand | MessageCommand | AccessCommand | MetadataCommand | AppendMessage,
) -> Right:
    """What must be granted on the mailbox a command names, or on the selected one where it names none.

    COPY and MOVE need INSERT on the mailbox they name beside this, RENAME and CREATE the right CREATE above the new
    name; STORE needs the right of one of its flags. LIST, LSUB, ESEARCH and QUOTA look for themselves.
    """
    match command:
        case CancelUpdate() | Check() | Close() | Store():
            return NO_RIGHTS
        case Search() | Sort() | Thread() | Fetch() | Select() | Status() | GetQuotaRoot():
            return Right.READ
        case Copy(moves=moves):
            return Right.READ | REMOVES if moves else Right.READ
        case Expunge():
            return Right.EXPUNGE
        case AppendMessage():
            return Right.INSERT
        case Delete() | Rename():
            return Right.DELETE_MAILBOX
        case Create():
            return Right.CREATE
        case StoreLabels():
            return Right.WRITE
        case SetAcl() | DeleteAcl() | GetAcl() | ListRights():
            return Right.ADMINISTER
        case GetMetadata():
            return Right.LOOKUP | Right.READ
        case SetMetadata(values=values):
            is_shared = any(entry.startswith("/shared/") for entry in values)
            return Right.LOOKUP | Right.READ | (Right.WRITE if is_shared else NO_RIGHTS)
        case MyRights() | MultiSearch() | List() | Lsub() | Subscribe() | GetQuota() | SetQuota():
            return NO_RIGHTS
        case _:
            assert_never(command)


def require(rights: Right, needed: Right) -> None:
    """Raises NoPermission where a right is missing, or NoSuchMailbox to whom may not even look the mailbox up."""
    missing = needed & ~rights
    if missing:
        if not rights & Right.LOOKUP:
            raise NoSuchMailbox
        raise NoPermission(f"You need the right {letters_of(missing)!r} on this mailbox.")


def require_on_selected(rights: Right, command: MessageCommand) -> None:
    """The same for a command about messages of the mailbox that is open. Raises NoPermission."""
    if rights == ALL_RIGHTS:
        return
    missing = right_for(command) & ~rights
    if isinstance(command, Store) and not rights & _rights_of_flags(command):
        missing = _rights_of_flags(command)
    if missing:
        raise NoPermission(f"You need the right {letters_of(missing)!r} on this mailbox.")


def _rights_of_flags(command: Store) -> Right:
    """One of these is enough: flags that may not be changed are left as they are."""
    if command.mode is StoreMode.REPLACE:
        return Right.SEEN | Right.WRITE | Right.DELETE_MESSAGES
    rights = NO_RIGHTS
    for flag in command.flags:
        rights |= _RIGHT_OF_FLAG.get(flag, Right.WRITE)
    return rights


def changeable(rights: Right) -> int:
    """The bits of flags and keywords that may be changed."""
    if rights == ALL_RIGHTS:
        return ALL_BITS
    mask = 0
    if rights & Right.SEEN:
        mask |= Flag.SEEN
    if rights & Right.DELETE_MESSAGES:
        mask |= Flag.DELETED
    if rights & Right.WRITE:
        mask |= ALL_BITS & ~int(Flag.SEEN | Flag.DELETED)
    return mask


def permanent_flags(rights: Right, keywords: Keywords) -> list[str]:
    """What PERMANENTFLAGS names: the flags that may be changed, and `\\*` where new keywords may be made."""
    named: Iterable[str] = flags.SYSTEM_FLAGS
    if rights != ALL_RIGHTS:
        mask = changeable(rights)
        named = [flag for flag in named if SYSTEM_FLAGS[flag] & mask]
    return [*named, *((*(name for _, name in keywords), "\\*") if rights & Right.WRITE else ())]
