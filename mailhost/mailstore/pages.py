"""Many messages under the eyes of a search at once: each key is held against all of them, and each field read once.

So hundreds of keys cost one walk over a mailbox. A set of messages is one large number, an octet of 1 or 0 for each,
and what is known of a key is two of them: who matches for sure, and who may. RFC 9051 §6.4.4.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from mailhost.mailstore.answers import Answer, AnsweredKey, TextKey
from mailhost.mailstore.matching import Candidate, Verdict, row_test
from mailhost.mailstore.messageids import MessageIds
from mailhost.mailstore.search import Scope
from mailhost.message.headers import CACHED_FIELDS, unpack_fields
from mailhost.message.text import compared, field_values
from mailhost.message.tokens import normalise
from mailhost.protocols.imap.search import (
    And,
    BodyContains,
    HasAttachment,
    HeaderContains,
    Not,
    Or,
    SearchKey,
    TextContains,
    leaves,
)
from mailhost.storage.database import Row

Bounds = tuple[int, int]
"""Who matches for sure, and who may; the second holds the first."""

_WIDEST: Final = 100
"""Ids from the oldest to the newest, for each message of a page, that are looked up at once."""
_VERDICTS: Final[tuple[Verdict, ...]] = (False, None, True)


class Page:
    """Some messages and the key that they are held against; contents are not looked at, headers where they were read.

    `rows` have SCAN_COLUMNS, and LABELS where the key asks for one.
    """

    def __init__(self, rows: Sequence[Row], scope: Scope, key: SearchKey) -> None:
        self.candidates = [Candidate(row, scope) for row in rows]
        self._scope = scope
        self._key = key
        self._all = self._set(b"\1" * len(rows))
        self._with_header = 0
        self._ids = [candidate.message_id for candidate in self.candidates]
        self._oldest, self._newest = min(self._ids, default=0), max(self._ids, default=0)
        names = {leaf.name for leaf in leaves(key) if isinstance(leaf, HeaderContains) and not self._is_told(leaf)}
        asked = frozenset(name.encode() for name in names)
        self._cached_names, self._other_names = asked & CACHED_FIELDS, asked - CACHED_FIELDS
        self._values: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self._columns: dict[str, _Column] = {}
        if self._cached_names:
            for place, candidate in enumerate(self.candidates):
                self._read(place, unpack_fields(candidate.fields), self._cached_names)

    @property
    def wants_headers(self) -> bool:
        """Whether a field is asked for that is not kept beside each message."""
        return bool(self._other_names)

    def read_headers(self, headers: Mapping[int, bytes]) -> None:
        """Learn the headers of some, as they are stored, by their places here."""
        for place, header in headers.items():
            self._read(place, self.candidates[place].prefix + header, self._other_names)
        self._with_header |= self._set_of(headers)

    def verdicts(self) -> list[Verdict]:
        """Of each message whether it matches, None where what was read of it does not tell."""
        self._columns = {name: _Column(values) for name, values in self._values.items()}
        bounds = self._bounds(self._key)
        return [_VERDICTS[sure + maybe] for sure, maybe in zip(*map(self._octets, bounds), strict=True)]

    def _read(self, place: int, header: bytes, names: frozenset[bytes]) -> None:
        for name, value in field_values(header, names):
            self._values[name].append((place, value))

    def _is_told(self, key: AnsweredKey) -> bool:
        answer = self._scope.answers.get(key)
        return answer is not None and answer.is_exact and self._newest <= answer.up_to

    def _set(self, octets: Iterable[int]) -> int:
        return int.from_bytes(bytes(octets), "little")

    def _octets(self, chosen: int) -> bytes:
        return chosen.to_bytes(len(self.candidates), "little")

    def _bounds(self, key: SearchKey) -> Bounds:
        match key:
            case And(keys):
                sure = maybe = self._all
                for inner in keys:
                    if not maybe:
                        break
                    narrower = self._bounds(inner)
                    sure, maybe = sure & narrower[0], maybe & narrower[1]
                return sure, maybe
            case Or(left, right):
                one, other = self._bounds(left), self._bounds(right)
                return one[0] | other[0], one[1] | other[1]
            case Not(inner):
                sure, maybe = self._bounds(inner)
                return self._all ^ maybe, self._all ^ sure
            case HasAttachment():
                return 0, self._all
            case _ if isinstance(key, AnsweredKey):
                return self._answered(key)
            case _:
                found = self._set(map(row_test(key, self._scope), self.candidates))
                return found, found

    def _answered(self, key: AnsweredKey) -> Bounds:
        answer = self._scope.answers.get(key)
        sure, maybe = (0, self._all) if answer is None else self._told(answer)
        if (undecided := sure ^ maybe) and isinstance(key, TextKey):
            seen, seeming = self._seen(key, undecided)
            sure, maybe = sure | undecided & seen, sure | undecided & seeming
        return sure, maybe

    def _told(self, answer: Answer) -> Bounds:
        unknown = 0 if self._newest <= answer.up_to else self._set(map(answer.up_to.__lt__, self._ids))
        named = self._named(answer.ids) & (self._all ^ unknown)
        return named if answer.is_exact else 0, named | unknown

    def _named(self, ids: MessageIds) -> int:
        span = self._newest - self._oldest + 1
        if span > _WIDEST * len(self._ids):
            return self._set(map(ids.__contains__, self._ids))
        flags = ids.flags(self._oldest, span)
        return self._set(flags[message_id - self._oldest] for message_id in self._ids)

    def _seen(self, key: TextKey, asked: int) -> Bounds:
        """What rows and headers tell of a key; it is true of those asked for alone."""
        match key:
            case HeaderContains(name, text):
                column = self._columns.get(name)
                found = 0 if column is None else self._set_of(column.places_of(compared(text)))
                unread = 0 if name.encode() in CACHED_FIELDS else self._all ^ self._with_header
                return found, found | unread
            case BodyContains(text) | TextContains(text):
                return 0 if normalise(text) else self._all, self._all
            case _:
                verdicts = [
                    candidate.text_matches(key) if is_asked else False
                    for is_asked, candidate in zip(self._octets(asked), self.candidates, strict=True)
                ]
                return self._set(each is True for each in verdicts), self._set(each is not False for each in verdicts)

    def _set_of(self, places: Iterable[int]) -> int:
        chosen = bytearray(len(self.candidates))
        for place in places:
            chosen[place] = 1
        return self._set(chosen)


class _Column:
    """The values of one header field in all messages of a page, in one text."""

    def __init__(self, values: Sequence[tuple[int, str]]) -> None:
        self._places = [place for place, _ in values]
        self._starts = list(accumulate((len(value) + 1 for _, value in values), initial=0))
        self._text = "\n".join(value for _, value in values)

    def places_of(self, text: str) -> Iterator[int]:
        """Where the messages stand that have the text in a value; one that has it in several may come again."""
        start = 0
        while (start := self._text.find(text, start)) >= 0:
            value = bisect_right(self._starts, start) - 1
            end = self._starts[value + 1]
            if start + len(text) < end:
                yield self._places[value]
                start = end
            else:
                start += 1  # it goes on into the next value
