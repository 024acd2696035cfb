"""SEARCH keys held against one message, for what its row alone cannot decide (RFC 9051 §6.4.4)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, assert_never

from mailhost.mailstore.answers import TextKey
from mailhost.mailstore.model import SYSTEM_FLAGS
from mailhost.mailstore.ranges import holds
from mailhost.mailstore.resembling import score_of_field, score_of_text
from mailhost.mailstore.search import DAY, Scope, day_number
from mailhost.mailstore.textindex import INDEXED_FIELDS
from mailhost.message.headers import CACHED_FIELDS, unpack_fields
from mailhost.message.text import FieldValues, attached, body_texts, compared, field_values, searched_header
from mailhost.message.tokens import Query, finder, has_words, normalise, parse_words, tokens
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
    Where,
)
from mailhost.storage.database import Row

Verdict = bool | None
"""None: only the content can tell."""

MAX_CONTENT: Final = 32 * 1024 * 1024
"""Octets of one message that are searched; text beyond them is not found."""


class Candidate:
    """One message under the eyes of a search. Text is compared without regard to case.

    `row` has SCAN_COLUMNS, and LABELS where a key asks for one.
    """

    def __init__(self, row: Row, scope: Scope) -> None:
        self.uid, self.modseq, self.flags, saved_at, self.octets, self.arrived, sent_day, self.fields = row[:8]
        self.digest, self.prefix, self.header_octets, self.message_id = row[8:12]
        self.mailboxes = frozenset(map(int, row[12].split(","))) if len(row) > 12 else frozenset()
        self.saved_day = saved_at // DAY
        self.arrival_day = self.arrived // DAY
        self.sent_day = self.arrival_day if sent_day is None else sent_day
        self._scope = scope
        self._content: bytes | None = None
        self._files: tuple[list[str], bool] | None = None
        self._field_values: Mapping[str, Sequence[str]] | None = None
        self._header_values: Mapping[str, Sequence[str]] | None = None
        self._tokens_of_fields: dict[str, list[list[str]]] = {}
        self._body_texts: list[str] = []
        self._more_body: Iterator[str] | None = None
        self._tokens_of_body: list[list[str]] | None = None
        self._header_texts: list[str] | None = None

    def read(self, content: bytes) -> None:
        """From here on every key can be decided."""
        self._content = content

    def matches(self, key: SearchKey) -> Verdict:
        """Whether the key holds; None until `read` when it needs the content."""
        match key:
            case And(keys):
                return _conjunction(self.matches, keys)
            case Or(left, right):
                # Not (not a and not b), so that what is unknown stays unknown.
                return _negation(_conjunction(lambda inner: _negation(self.matches(inner)), (left, right)))
            case Not(inner):
                return _negation(self.matches(inner))
            case HeaderContains() | BodyContains() | TextContains() | HasWords() | Resembles():
                answer = self._scope.answers.get(key)
                verdict = None if answer is None else answer.about(self.message_id)
                return self.text_matches(key) if verdict is None else verdict
            case EmailIs() | ThreadIs() | LabelIs():
                return self._scope.answers[key].about(self.message_id)
            case HasAttachment():
                return None if self._content is None else self._attached(self._content)[1]
            case _:
                return row_test(key, self._scope)(self)

    def score(self, key: Resembles) -> int | None:
        """How well the message matches, 0 for not at all; None until `read` when it needs the content."""
        answer = self._scope.answers.get(key)
        if answer is not None and self.message_id <= answer.up_to:
            return answer.scores.of(self.message_id)
        if isinstance(key.key, HeaderContains):
            return score_of_field(self._fields().get(key.key.name, ()), key.key.text)
        if self._content is None:
            return None
        texts = self._body_tokens(self._content)
        if isinstance(key.key, BodyContains):
            return score_of_text(texts, (), key.key.text)
        shown = [found for name in INDEXED_FIELDS for found in self._field_tokens(name)]
        return score_of_text(shown, [*texts, *map(tokens, self._header(self._content))], key.key.text)

    def text_matches(self, key: TextKey) -> Verdict:
        """The same of a key that asks for text, whatever the index says."""
        match key:
            case HeaderContains(name, text):
                return self._header_contains(name, compared(text))
            case BodyContains(text):
                return self._any_matches(text, self._body)
            case TextContains(text):
                return self._any_matches(text, self._header, self._body)
            case HasWords(where, text):
                return self._has_words(where, parse_words(text))
            case Resembles():
                found = self.score(key)
                return None if found is None else found > 0
            case _:
                assert_never(key)

    def _header_contains(self, name: str, text: str) -> Verdict:
        if name.encode() in CACHED_FIELDS:
            return any(text in value for value in self._fields().get(name, ()))
        if self._content is None:
            return None
        return any(text in value for value in self._whole_header(self._content).get(name, ()))

    def _has_words(self, where: Where, query: Query) -> Verdict:
        if not query.tokens:
            return True
        if where is Where.FILE_NAME:
            if self._content is None:
                return None
            return any(has_words(tokens(normalise(name)), query) for name in self._attached(self._content)[0])
        names = INDEXED_FIELDS if where is Where.ANYWHERE else (where.value,)
        if any(has_words(found, query) for name in names for found in self._field_tokens(name)):
            return True
        if where is not Where.ANYWHERE:
            return False
        if self._content is None:
            return None
        return any(has_words(found, query) for found in self._body_tokens(self._content))

    def _attached(self, content: bytes) -> tuple[list[str], bool]:
        if self._files is None:
            self._files = attached(content)
        return self._files

    def _fields(self) -> Mapping[str, Sequence[str]]:
        if self._field_values is None:
            self._field_values = _by_name(field_values(unpack_fields(self.fields)))
        return self._field_values

    def _field_tokens(self, name: str) -> list[list[str]]:
        if name not in self._tokens_of_fields:
            self._tokens_of_fields[name] = [tokens(normalise(value)) for value in self._fields().get(name, ())]
        return self._tokens_of_fields[name]

    def _any_matches(self, text: str, *texts: Callable[[bytes], Iterable[str]]) -> Verdict:
        matches = finder(text)
        if matches(""):
            return True  # the text is empty, or but blanks
        content = self._content
        if content is None:
            return None
        return any(matches(candidate) for some in texts for candidate in some(content))

    def _whole_header(self, content: bytes) -> Mapping[str, Sequence[str]]:
        if self._header_values is None:
            self._header_values = _by_name(field_values(self.prefix + content[: self.header_octets]))
        return self._header_values

    def _header(self, content: bytes) -> list[str]:
        if self._header_texts is None:
            lines = searched_header(self.prefix + content[: self.header_octets])
            self._header_texts = [normalise(line) for line in lines]
        return self._header_texts

    def _body(self, content: bytes) -> Iterator[str]:
        """One text after the other, read when it is first asked for: most who find a text find it in the first.

        They are kept, for a search may ask for hundreds of words, and to decode costs more than to look.
        """
        if self._more_body is None:
            self._more_body = map(normalise, body_texts(content))
        yield from self._body_texts
        for text in self._more_body:
            self._body_texts.append(text)
            yield text

    def _body_tokens(self, content: bytes) -> list[list[str]]:
        if self._tokens_of_body is None:
            self._tokens_of_body = [tokens(text) for text in self._body(content)]
        return self._tokens_of_body


def row_test(key: SearchKey, scope: Scope) -> Callable[[Candidate], bool]:
    """What tells of a row whether a key holds that its row alone decides; to be made once for many."""
    match key:
        case HasFlag(flag):
            mask = SYSTEM_FLAGS[flag]
            return lambda row: row.flags & mask != 0
        case HasKeyword(keyword):
            bit = scope.mask_of(keyword)
            return lambda row: row.flags & bit != 0
        case HasLabel(name):
            mailbox = scope.mailbox_of(name)
            return lambda row: mailbox in row.mailboxes
        case ModseqSince(modseq):
            return lambda row: row.modseq >= modseq
        case Larger(size):
            return lambda row: row.octets > size
        case Smaller(size):
            return lambda row: row.octets < size
        case ArrivalDay(relation, day):
            number = day_number(day)
            return lambda row: _lies(row.arrival_day, relation, number)
        case SentDay(relation, day):
            number = day_number(day)
            return lambda row: _lies(row.sent_day, relation, number)
        case SavedDay(relation, day):
            number = day_number(day)
            return lambda row: _lies(row.saved_day, relation, number)
        case ArrivedWithin(seconds):
            return lambda row: row.arrived >= scope.now - seconds
        case ArrivedBefore(seconds):
            return lambda row: row.arrived <= scope.now - seconds
        case UidIn() | NumberIn():
            ranges = scope.ranges_of(key)
            return lambda row: holds(ranges, row.uid)
        case _:
            assert isinstance(key, All), key
            return lambda _: True


def _by_name(values: FieldValues) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for name, value in values:
        found.setdefault(name, []).append(value)
    return found


def _conjunction(matches: Callable[[SearchKey], Verdict], keys: Iterable[SearchKey]) -> Verdict:
    verdict: Verdict = True
    for key in keys:
        found = matches(key)
        if found is False:
            return False
        if found is None:
            verdict = None
    return verdict


def _negation(verdict: Verdict) -> Verdict:
    return None if verdict is None else not verdict


def _lies(day: int, relation: Relation, wanted: int) -> bool:
    if relation is Relation.BEFORE:
        return day < wanted
    if relation is Relation.SINCE:
        return day >= wanted
    return day == wanted
