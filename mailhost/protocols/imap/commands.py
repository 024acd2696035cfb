"""What a client asks, one type per command; `tag` is what the answer begins with (RFC 9051 §6)."""

from dataclasses import dataclass, field
from enum import Enum

from mailhost.protocols.imap.fetch import FetchItem, Window
from mailhost.protocols.imap.search import ReturnOption, SearchKey
from mailhost.protocols.imap.sets import SequenceSet
from mailhost.protocols.imap.sorting import Algorithm, Criterion


class StatusItem(Enum):
    """What STATUS tells of a mailbox (RFC 9051 §6.3.11, RFC 7162, RFC 7889, RFC 8438)."""

    MESSAGES = "MESSAGES"
    RECENT = "RECENT"
    UIDNEXT = "UIDNEXT"
    UIDVALIDITY = "UIDVALIDITY"
    UNSEEN = "UNSEEN"
    HIGHESTMODSEQ = "HIGHESTMODSEQ"
    SIZE = "SIZE"
    DELETED = "DELETED"
    APPENDLIMIT = "APPENDLIMIT"


class StoreMode(Enum):
    """What STORE does with the flags it names."""

    REPLACE = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


@dataclass(frozen=True, slots=True)
class Capability:
    """CAPABILITY."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Logout:
    """LOGOUT."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Id:
    """ID: what the client calls itself (RFC 2971); empty for NIL."""

    tag: bytes
    fields: tuple[tuple[str, str | None], ...]  # names in lower case


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS. Nothing more is parsed until `tls_started` or `tls_refused`."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN. Bytes, for neither word need be text."""

    tag: bytes
    user: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE: the mechanism in upper case; the initial response as base64, `=` when empty (RFC 4959)."""

    tag: bytes
    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE: words in upper case."""

    tag: bytes
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """UNAUTHENTICATE (RFC 8437)."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Compress:
    """COMPRESS: the mechanism in upper case (RFC 4978)."""

    tag: bytes
    mechanism: str


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
    return_children: bool = False
    return_status: tuple[StatusItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Lsub:
    """LSUB (RFC 3501 §6.3.9)."""

    tag: bytes
    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """NAMESPACE."""

    tag: bytes


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
class Idle:
    """IDLE. The next event is IdleDone or a Mistake."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Check:
    """CHECK (RFC 3501 §6.4.1)."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """CLOSE, or UNSELECT when not `expunges`."""

    tag: bytes
    expunges: bool


@dataclass(frozen=True, slots=True)
class Expunge:
    """EXPUNGE, or UID EXPUNGE of these UIDs (RFC 4315)."""

    tag: bytes
    uids: SequenceSet | None


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH or UID SEARCH. `returns` is None for the plain answer; `RETURN ()` arrives as {ALL}."""

    tag: bytes
    by_uid: bool
    key: SearchKey
    returns: frozenset[ReturnOption] | None
    window: Window | None = None  # of PARTIAL


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT or UID SORT: a search whose answer is in the order of the criteria (RFC 5256, RFC 5267)."""

    tag: bytes
    by_uid: bool
    criteria: tuple[Criterion, ...]  # each key at most once
    key: SearchKey
    returns: frozenset[ReturnOption] | None
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """THREAD or UID THREAD (RFC 5256)."""

    tag: bytes
    by_uid: bool
    algorithm: Algorithm
    key: SearchKey


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH or UID FETCH. Macros are resolved; UID and MODSEQ stand in `items` where they are implied."""

    tag: bytes
    numbers: SequenceSet
    by_uid: bool
    items: tuple[FetchItem, ...]  # each at most once
    changed_since: int | None
    vanished: bool = False  # tell what was expunged since then, too (RFC 7162 §3.2.6)
    window: Window | None = None  # of PARTIAL, over the messages in `numbers` (RFC 9394 §3.3)


@dataclass(frozen=True, slots=True)
class Store:
    """STORE or UID STORE. System flags in canonical case, keywords as written, each at most once."""

    tag: bytes
    numbers: SequenceSet
    by_uid: bool
    mode: StoreMode
    silent: bool
    flags: tuple[str, ...]
    unchanged_since: int | None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY or UID COPY, MOVE or UID MOVE when `moves`."""

    tag: bytes
    numbers: SequenceSet
    by_uid: bool
    mailbox: str
    moves: bool


Command = (
    Capability
    | Noop
    | Logout
    | Id
    | StartTls
    | Login
    | Authenticate
    | Enable
    | Unauthenticate
    | Compress
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | List
    | Lsub
    | Namespace
    | Status
    | GetQuota
    | GetQuotaRoot
    | Idle
    | Check
    | Close
    | Expunge
    | Search
    | Sort
    | Thread
    | Fetch
    | Store
    | Copy
)
"""A command that arrived whole."""
