"""Commands about messages of the selected mailbox (RFC 9051 §6.4, RFC 5256, RFC 6851)."""

from dataclasses import dataclass
from enum import Enum

from mailhost.protocols.imap.fetch import FetchItem, Window
from mailhost.protocols.imap.search import ReturnOption, SearchKey
from mailhost.protocols.imap.sets import SequenceSet
from mailhost.protocols.imap.sorting import Algorithm, Criterion


class StoreMode(Enum):
    """What STORE does with the flags, or labels, it names."""

    REPLACE = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


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
    update: tuple[FetchItem, ...] | None = None  # of UPDATE: what is fetched of messages that are new (RFC 5267)


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT or UID SORT: a search whose answer is in the order of the criteria (RFC 5256, RFC 5267)."""

    tag: bytes
    by_uid: bool
    criteria: tuple[Criterion, ...]  # each key at most once
    key: SearchKey
    returns: frozenset[ReturnOption] | None
    window: Window | None = None
    update: tuple[FetchItem, ...] | None = None


@dataclass(frozen=True, slots=True)
class CancelUpdate:
    """CANCELUPDATE: the tags of searches that are to be told of no longer (RFC 5267 §4.3.5)."""

    tag: bytes
    tags: tuple[bytes, ...]


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
class StoreLabels:
    """STORE or UID STORE of X-GM-LABELS; `labels` are decoded names, each at most once."""

    tag: bytes
    numbers: SequenceSet
    by_uid: bool
    mode: StoreMode
    silent: bool
    labels: tuple[str, ...]
    unchanged_since: int | None


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY or UID COPY, MOVE or UID MOVE when `moves`."""

    tag: bytes
    numbers: SequenceSet
    by_uid: bool
    mailbox: str
    moves: bool


MessageCommand = CancelUpdate | Check | Close | Expunge | Search | Sort | Thread | Fetch | Store | StoreLabels | Copy
"""A command about messages."""
