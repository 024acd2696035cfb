"""SEARCH keys as SQL: what the rows can decide is decided there; the rest is bounded from above and from below.

A key that needs text becomes `true` where the condition must not miss a message, and `false` where it must not hold
one too many (inside NOT); a message that the condition lets through is then looked at. RFC 9051 §6.4.4.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Final

from mailhost.mailstore.answers import Answer, AnsweredKey
from mailhost.mailstore.flags import Keywords
from mailhost.mailstore.model import SYSTEM_FLAGS, UidRanges
from mailhost.mailstore.rows import LABELS, LABELS_SQL
from mailhost.protocols.imap.search import (
    All,
    And,
    ArrivalDay,
    ArrivedBefore,
    ArrivedWithin,
    BodyContains,
    EmailIs,
    HasAttachment,
    HasFlag,
    HasKeyword,
    HasLabel,
    HasWords,
    HeaderContains,
    LabelIs,
    Larger,
    ModseqSince,
    Not,
    NumberIn,
    Or,
    Relation,
    Resembles,
    SavedDay,
    SearchKey,
    SentDay,
    Smaller,
    TextContains,
    ThreadIs,
    UidIn,
    leaves,
)
from mailhost.storage.database import Engine, Row, Tx

SCAN_COLUMNS = (
    "uid",
    "modseq",
    "flags",
    "saved_at",
    "octets",
    "internal_date",
    "sent_day",
    "fields",
    "blob",
    "prefix",
    "header_octets",
    "message_id",
)
DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)
_COMPARISON: Final = {Relation.BEFORE: "<", Relation.ON: "=", Relation.SINCE: ">="}
_ATTACHMENT: Final = (b'("attachment" (', b'("attachment" NIL)')
_RANGES_IN_KEY = 200
_FEW = 1_000
"""So many messages are looked up one by one; to pick out more, the mailbox is walked through."""
_FEW_KEYS = 10
_IDS = 20_000
"""So many messages of answers are named in a statement, which reads them anew for each page; what more answers say is
held against each message."""
_ALL, _NONE = "1 = 1", "1 = 0"
_PARAMETERS = 20_000  # SQLite takes 32,766


class Scope:
    """What a session's words mean: its keywords, its sets as UID ranges, the time it is, and what the index answered.

    `sets` goes by the identity of the key in the tree, for to hash a long set costs as much as to read it.
    """

    def __init__(
        self,
        keywords: Keywords,
        sets: Mapping[int, UidRanges],
        now: int,
        answers: Mapping[AnsweredKey, Answer] | None = None,
        engine: Engine = "sqlite",
        labels: Mapping[str, int] | None = None,
    ) -> None:
        self._sets = sets
        self.now = now
        self.answers = answers or {}
        self.engine = engine
        self._labels = labels or {}
        self._bits = {name.lower(): 1 << bit for bit, name in keywords}

    def ranges_of(self, key: "UidIn | NumberIn") -> UidRanges:
        """What the session means by a set of the tree."""
        return self._sets[id(key)]

    def mailbox_of(self, label: str) -> int:
        """The mailbox that a label stands for, or 0 when the account has no such label."""
        return self._labels.get(label, 0)

    def mask_of(self, keyword: str) -> int:
        """The keyword's bit, or 0 when no message of the account has it."""
        return self._bits.get(keyword.lower(), 0)


class Condition:
    """A key as SQL: what to select from, and on which condition.

    `is_exact`: a message that passes is found; else it must still be looked at.
    """

    def __init__(self, key: SearchKey, scope: Scope) -> None:
        self.parameters: dict[str, int | str | bytes] = {}
        self.needs_message = False
        self.is_exact = True
        self._scope = scope
        self._ids_named = 0
        self.sql = self._translate(key, above=True)
        self.source = "placement as placed"
        if few := few_answered(key, scope):
            ids = self._ids(few.ids)
            rows = f"json_each({ids}) as few" if scope.engine == "sqlite" else f"unnest({ids}) as few (value)"
            # A cross join is the order SQLite takes: by the ids to their places, not through the mailbox.
            self.source = f"{rows} cross join {self.source}"
            self.sql = f"(placed.message_id = few.value and {self.sql})"

    def _translate(self, key: SearchKey, *, above: bool) -> str:
        match key:
            case All():
                return _ALL
            case And(keys):
                return _joined([self._translate(inner, above=above) for inner in keys], "and")
            case Or(left, right):
                return _joined([self._translate(inner, above=above) for inner in (left, right)], "or")
            case Not(inner):
                term = self._translate(inner, above=not above)
                if term == _ALL:
                    return _NONE
                return _ALL if term == _NONE else f"not {term}"
            case HeaderContains() | BodyContains() | TextContains() | HasWords() | Resembles():
                return self._answered(self._scope.answers.get(key), above=above)
            case EmailIs() | ThreadIs() | LabelIs():
                return self._answered(self._scope.answers.get(key), above=above)
            case UidIn() | NumberIn():
                return self._ranges(self._scope.ranges_of(key), above=above)
            case _:
                return self._from_row(key)

    def _answered(self, answer: Answer | None, *, above: bool) -> str:
        if answer is None or not (answer.is_exact and answer.is_complete):
            self.is_exact = False
        if answer is None or not (above or answer.is_exact):
            return _ALL if above else _NONE
        self._ids_named += len(answer.ids)
        if self._ids_named > _IDS:
            self.is_exact = False
            return _ALL if above else _NONE
        ids = self._ids(answer.ids)
        if self._scope.engine == "sqlite":
            member = f"placed.message_id in (select value from json_each({ids}))"
        else:
            member = f"placed.message_id = any({ids})"
        if answer.is_complete:
            return member
        known = f"placed.message_id <= {self._value(answer.up_to)}"
        return f"({member} or not {known})" if above else f"({member} and {known})"

    def _ids(self, ids: Iterable[int]) -> str:
        """Many numbers as one value."""
        text = ",".join(map(str, ids))
        if self._scope.engine == "sqlite":
            return self._value(f"[{text}]")
        return f"cast({self._value(f'{{{text}}}')} as bigint[])"

    def _from_row(self, key: SearchKey) -> str:
        match key:
            case HasFlag(flag):
                return f"placed.flags & {self._value(SYSTEM_FLAGS[flag])} <> 0"
            case HasKeyword(keyword):
                return f"placed.flags & {self._value(self._scope.mask_of(keyword))} <> 0"
            case HasLabel(name):
                return f"""exists (select 1 from placement as labelled where labelled.account_id = placed.account_id
                    and labelled.message_id = placed.message_id
                    and labelled.mailbox_id = {self._value(self._scope.mailbox_of(name))})"""
            case ModseqSince(modseq):
                return f"placed.modseq >= {self._value(modseq)}"
            case SavedDay(relation, day):
                return self._days(f"placed.saved_at / {DAY}", relation, day)
            case ArrivedWithin(seconds):
                self.needs_message = True
                return f"message.internal_date >= {self._value(self._scope.now - seconds)}"
            case ArrivedBefore(seconds):
                self.needs_message = True
                return f"message.internal_date <= {self._value(self._scope.now - seconds)}"
            case Larger(size):
                self.needs_message = True
                return f"message.octets > {self._value(size)}"
            case Smaller(size):
                self.needs_message = True
                return f"message.octets < {self._value(size)}"
            case HasAttachment():
                self.needs_message = True
                return " or ".join(map(self._structure_holds, _ATTACHMENT)).join("()")
            case ArrivalDay(relation, day):
                self.needs_message = True
                return self._days(f"message.internal_date / {DAY}", relation, day)
            case SentDay(relation, day):
                self.needs_message = True
                # A message without a Date: was sent when it arrived, as far as anybody knows.
                return self._days(f"coalesce(message.sent_day, message.internal_date / {DAY})", relation, day)
            case _:
                raise AssertionError(f"not decided by a row: {key}")

    def _structure_holds(self, octets: bytes) -> str:
        """Strings in a BODYSTRUCTURE have their quotes escaped, so no text of a sender looks like its syntax."""
        if self._scope.engine == "sqlite":
            return f"instr(message.bodystructure, {self._value(octets)}) > 0"
        return f"position({self._value(octets)} in message.bodystructure) > 0"

    def _days(self, column: str, relation: Relation, day: date) -> str:
        return f"{column} {_COMPARISON[relation]} {self._value(day_number(day))}"

    def _ranges(self, ranges: UidRanges, *, above: bool) -> str:
        if len(ranges) > _RANGES_IN_KEY or (ranges and len(self.parameters) > _PARAMETERS):
            # Too many for one statement: the rows pass, and are held against the ranges one by one.
            self.is_exact = False
            return (
                f"placed.uid between {self._value(ranges[0][0])} and {self._value(ranges[-1][1])}" if above else _NONE
            )
        terms = [f"placed.uid between {self._value(first)} and {self._value(last)}" for first, last in ranges]
        return _joined(terms, "or")

    def _value(self, value: int | str | bytes) -> str:
        name = f"k{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"


def _joined(terms: Iterable[str], operator: str) -> str:
    """Without terms that change nothing, in halves of halves: in a plain row each term would nest the next, and SQLite
    takes no more than 1,000 levels."""
    idle = _ALL if operator == "and" else _NONE
    left = [term for term in terms if term != idle]
    if _ALL in left or _NONE in left:
        return _NONE if operator == "and" else _ALL
    return _nested(left, operator) if left else idle


def _nested(terms: Sequence[str], operator: str) -> str:
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return f"({_nested(terms[:half], operator)} {operator} {_nested(terms[half:], operator)})"


def candidates(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    condition: Condition,
    first_uid: int,
    uid_next: int,
    limit: int,
    columns: Sequence[str] = ("uid", "modseq"),
) -> list[Row]:
    """Rows of live messages from `first_uid` on and below `uid_next` that pass the condition, ascending by UID."""
    from_message = set(columns) - {"uid", "modseq", "flags", "saved_at", "message_id", LABELS}
    join = ""
    if from_message or condition.needs_message:
        join = "join message on message.account_id = placed.account_id and message.id = placed.message_id"
    names = ", ".join(
        LABELS_SQL if name == LABELS else ("message." if name in from_message else "placed.") + name for name in columns
    )
    return tx.execute(
        f"""select {names} from {condition.source} {join}
        where placed.account_id = :account_id and placed.mailbox_id = :mailbox_id
            and placed.uid >= :first_uid and placed.uid < :uid_next and {condition.sql}
        order by placed.uid limit :limit""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        first_uid=first_uid,
        uid_next=uid_next,
        limit=limit,
        **condition.parameters,
    )


def is_quickly_thought(key: SearchKey, scope: Scope) -> bool:
    """Whether a Condition of few keys and few answers is made sooner than a thread is found that makes it."""
    few = list(islice(leaves(key), _FEW_KEYS + 1))
    if len(few) > _FEW_KEYS:
        return False
    answers = (scope.answers.get(each) for each in few if isinstance(each, AnsweredKey))
    return sum(len(answer.ids) for answer in answers if answer) <= _FEW


def few_answered(key: SearchKey, scope: Scope) -> Answer | None:
    """An answer that names few messages, where only those it names can pass."""
    keys = key.keys if isinstance(key, And) else (key,)
    answers = [scope.answers.get(each) for each in keys if isinstance(each, AnsweredKey)]
    few = [answer for answer in answers if answer and answer.is_complete and len(answer.ids) <= _FEW]
    return min(few, key=lambda answer: len(answer.ids), default=None)


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - _EPOCH).days


def labels_asked(key: SearchKey) -> set[str]:
    """Every label the tree asks for."""
    match key:
        case HasLabel(name):
            return {name}
        case And(keys):
            return {name for inner in keys for name in labels_asked(inner)}
        case Or(left, right):
            return labels_asked(left) | labels_asked(right)
        case Not(inner):
            return labels_asked(inner)
        case _:
            return set()


def set_keys(key: SearchKey) -> list[UidIn | NumberIn]:
    """Every set in the tree; the session says what each means."""
    return [leaf for leaf in leaves(key) if isinstance(leaf, UidIn | NumberIn)]
