"""Commands about mailboxes and their lists (RFC 9051 §6.3, RFC 5258, RFC 7162, RFC 9208)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from mailhost.protocols.imap.commands.messages import Search
from mailhost.protocols.imap.sets import SequenceSet


class StatusItem(StrEnum):
    """What STATUS tells of a mailbox (RFC 9051 §6.3.11, RFC 7162, RFC 7889, RFC 8438, RFC 8474)."""

    MESSAGES = "MESSAGES"
    RECENT = "RECENT"
    UIDNEXT = "UIDNEXT"
    UIDVALIDITY = "UIDVALIDITY"
    UNSEEN = "UNSEEN"
    HIGHESTMODSEQ = "HIGHESTMODSEQ"
    SIZE = "SIZE"
    DELETED = "DELETED"
    DELETED_STORAGE = "DELETED-STORAGE"
    APPENDLIMIT = "APPENDLIMIT"
    MAILBOXID = "MAILBOXID"


@dataclass(frozen=True, slots=True)
class Resync:
    """What a client remembers of a mailbox it selects again (RFC 7162 §3.2.5).

    `known_uids` is None when it knows all; `matches` pairs sequence numbers, ascending, with the UIDs they had.
    """

    uid_validity: int
    modseq: int
    known_uids: SequenceSet | None
    matches: tuple[SequenceSet, SequenceSet] | None


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT, or EXAMINE when `read_only`."""

    tag: bytes
    mailbox: str
    read_only: bool
    condstore: bool
    resync: Resync | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE. The trailing delimiter that announces children is already off; `special_uses` as RFC 6154 has them."""

    tag: bytes
    mailbox: str
    special_uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE."""

    tag: bytes
    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME."""

    tag: bytes
    mailbox: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE, or UNSUBSCRIBE when not `subscribed`."""

    tag: bytes
    mailbox: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class List:
    """LIST with everything LIST-EXTENDED, LIST-STATUS and SPECIAL-USE add (RFC 5258, RFC 5819, RFC 6154)."""

    tag: bytes
    reference: str
    patterns: tuple[str, ...]
    only_subscribed: bool = False
    only_special_use: bool = False
    recursive_match: bool = False
    extended: bool = False
    return_subscribed: bool = False
    return_rights: bool = False  # MYRIGHTS (RFC 8440)
    return_metadata: tuple[str, ...] = ()  # entries of METADATA (RFC 9590)
    return_status: tuple[StatusItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Lsub:
    """LSUB (RFC 3501 §6.3.9)."""

    tag: bytes
    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS."""

    tag: bytes
    mailbox: str
    items: tuple[StatusItem, ...]


@dataclass(frozen=True, slots=True)
class GetQuota:
    """GETQUOTA."""

    tag: bytes
    root: str


@dataclass(frozen=True, slots=True)
class GetQuotaRoot:
    """GETQUOTAROOT."""

    tag: bytes
    mailbox: str


@dataclass(frozen=True, slots=True)
class SetQuota:
    """SETQUOTA: all the limits the root has from now on, by resource; STORAGE in units of 1,024 octets."""

    tag: bytes
    root: str
    limits: Mapping[str, int]  # names in upper case


class SourceKind(Enum):
    """Which mailboxes an ESEARCH looks into (RFC 7377 §2.2)."""

    SELECTED = b"SELECTED"
    INBOXES = b"INBOXES"
    PERSONAL = b"PERSONAL"
    SUBSCRIBED = b"SUBSCRIBED"
    SUBTREE = b"SUBTREE"
    SUBTREE_ONE = b"SUBTREE-ONE"
    MAILBOXES = b"MAILBOXES"


@dataclass(frozen=True, slots=True)
class Source:
    """One choice of mailboxes; `names` are those of SUBTREE, SUBTREE-ONE and MAILBOXES."""

    kind: SourceKind
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MultiSearch:
    """ESEARCH: a search in every mailbox that one of the sources names; it is answered by UIDs (RFC 7377)."""

    tag: bytes
    sources: tuple[Source, ...]
    search: Search


MailboxCommand = (
    MultiSearch
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | List
    | Lsub
    | Status
    | GetQuota
    | GetQuotaRoot
    | SetQuota
)
"""A command about mailboxes."""
