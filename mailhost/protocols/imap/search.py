"""What SEARCH asks: a tree of keys that the mail store evaluates (RFC 9051 §6.4.4)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto

from mailhost.protocols.imap.objects import ObjectId
from mailhost.protocols.imap.sets import SequenceSet


class Relation(Enum):
    """How a message's day lies to the day asked for; times and zones are disregarded."""

    BEFORE = auto()
    ON = auto()
    SINCE = auto()


class ReturnOption(Enum):
    """What an extended SEARCH wants to hear (RFC 4731, RFC 6203, RFC 9394), or the server to remember as `$`."""

    MIN = "MIN"
    MAX = "MAX"
    ALL = "ALL"
    COUNT = "COUNT"
    SAVE = "SAVE"
    PARTIAL = "PARTIAL"
    RELEVANCY = "RELEVANCY"


@dataclass(frozen=True, slots=True)
class All:
    """Every message. `Not(All())` is what RECENT and NEW ask, for no message is ever recent here."""


@dataclass(frozen=True, slots=True)
class And:
    """Messages for which every key holds; at least one key."""

    keys: tuple["SearchKey", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Messages for which one of two keys holds."""

    left: "SearchKey"
    right: "SearchKey"


@dataclass(frozen=True, slots=True)
class Not:
    """Messages for which the key does not hold."""

    key: "SearchKey"


@dataclass(frozen=True, slots=True)
class HasFlag:
    """A system flag in its canonical case, such as `\\Seen`."""

    flag: str


@dataclass(frozen=True, slots=True)
class HasKeyword:
    """A keyword, compared without regard to case."""

    keyword: str


@dataclass(frozen=True, slots=True)
class HeaderContains:
    """A header field holds the text, once decoded; empty text asks whether the field is there. FROM, SUBJECT … too."""

    name: str  # lower case
    text: str


@dataclass(frozen=True, slots=True)
class BodyContains:
    """The body, decoded, holds the text."""

    text: str


@dataclass(frozen=True, slots=True)
class TextContains:
    """The header or the body holds the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Resembles:
    """The message has something like what the key asks for, which has a word (RFC 6203 FUZZY)."""

    key: HeaderContains | BodyContains | TextContains


@dataclass(frozen=True, slots=True)
class ArrivalDay:
    """The day of INTERNALDATE."""

    relation: Relation
    day: date


@dataclass(frozen=True, slots=True)
class SentDay:
    """The day of the Date: header."""

    relation: Relation
    day: date


@dataclass(frozen=True, slots=True)
class SavedDay:
    """The day the message came into this mailbox (RFC 8514)."""

    relation: Relation
    day: date


@dataclass(frozen=True, slots=True)
class ArrivedWithin:
    """INTERNALDATE lies at most `seconds` back (RFC 5032 YOUNGER)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class ArrivedBefore:
    """INTERNALDATE lies at least `seconds` back (RFC 5032 OLDER)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Larger:
    """RFC822.SIZE is more than `size`."""

    size: int


@dataclass(frozen=True, slots=True)
class Smaller:
    """RFC822.SIZE is less than `size`."""

    size: int


@dataclass(frozen=True, slots=True)
class NumberIn:
    """The message's sequence number is in the set."""

    numbers: SequenceSet


@dataclass(frozen=True, slots=True)
class UidIn:
    """The message's UID is in the set."""

    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class ModseqSince:
    """MODSEQ is at least `modseq` (RFC 7162 §3.1.5)."""

    modseq: int


@dataclass(frozen=True, slots=True)
class EmailIs:
    """The message is this one (RFC 8474 EMAILID)."""

    id: ObjectId


@dataclass(frozen=True, slots=True)
class ThreadIs:
    """The message belongs to this conversation (RFC 8474 THREADID)."""

    id: ObjectId


@dataclass(frozen=True, slots=True)
class HasLabel:
    """The message has the label, as X-GM-LABELS names it."""

    name: str


class Where(Enum):
    """Where the words of a HasWords stand."""

    ANYWHERE = ""
    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    SUBJECT = "subject"
    FILE_NAME = "filename"


@dataclass(frozen=True, slots=True)
class HasWords:
    """The words stand in a row as whole words, in what a reader sees: address fields, subject and body (X-GM-RAW)."""

    where: Where
    text: str


@dataclass(frozen=True, slots=True)
class HasAttachment:
    """A part of the message is an attachment (X-GM-RAW)."""


@dataclass(frozen=True, slots=True)
class LabelIs:
    """The message has the label, in lower case as X-GM-RAW names it (`work-project-x`); empty: any of the owner's."""

    name: str


SearchKey = (
    All
    | And
    | Or
    | Not
    | HasFlag
    | HasKeyword
    | HeaderContains
    | BodyContains
    | TextContains
    | Resembles
    | ArrivalDay
    | SentDay
    | SavedDay
    | ArrivedWithin
    | ArrivedBefore
    | Larger
    | Smaller
    | NumberIn
    | UidIn
    | ModseqSince
    | EmailIs
    | ThreadIs
    | HasLabel
    | HasWords
    | HasAttachment
    | LabelIs
)


def leaves(key: SearchKey) -> Iterator[SearchKey]:
    """Every key of the tree that holds no others, from left to right."""
    match key:
        case And(keys):
            for inner in keys:
                yield from leaves(inner)
        case Or(left, right):
            yield from leaves(left)
            yield from leaves(right)
        case Not(inner):
            yield from leaves(inner)
        case _:
            yield key


def asks_modseq(key: SearchKey) -> bool:
    """Whether MODSEQ stands anywhere in the tree: the answer then names the highest one (RFC 7162 §3.1.5)."""
    return any(isinstance(leaf, ModseqSince) for leaf in leaves(key))


def relevancy(key: SearchKey, score_of: Callable[[Resembles], int]) -> int:
    """1 to 100: how well a message that matches the tree does so (RFC 6203 §4); 100 where nothing in it is fuzzy."""
    found = _relevancy(key, score_of)
    return 100 if found is None else found


def _relevancy(key: SearchKey, score_of: Callable[[Resembles], int]) -> int | None:
    """None where the key says nothing of it."""
    match key:
        case Resembles():
            return score_of(key) or None  # not found: then something else in the tree was
        case And(keys):
            scores = [found for inner in keys if (found := _relevancy(inner, score_of)) is not None]
            return round(sum(scores) / len(scores)) if scores else None
        case Or(left, right):
            return max(
                (found for inner in (left, right) if (found := _relevancy(inner, score_of)) is not None), default=None
            )
        case _:
            return None


def asks_threads(key: SearchKey) -> bool:
    """Whether the tree asks for a conversation."""
    return any(isinstance(leaf, ThreadIs) for leaf in leaves(key))
