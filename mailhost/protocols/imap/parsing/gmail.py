"""X-GM-RAW: a search as people type it into Gmail's web page, read into the keys that SEARCH has.

Words stand for whole words; `"…"` for words in a row; blanks for "and", `OR` and `{…}` for "or", `-` for "not",
`(…)` holds together. `from:` and the like take a word, a phrase or a group. What is no operator is a word, so that
addresses of web pages can be looked for.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Final

from mailhost.protocols.imap.parsing.cursor import Refusal
from mailhost.protocols.imap.search import (
    All,
    And,
    ArrivalDay,
    ArrivedBefore,
    ArrivedWithin,
    HasAttachment,
    HasFlag,
    HasWords,
    HeaderContains,
    LabelIs,
    Larger,
    Not,
    Or,
    Relation,
    SearchKey,
    Smaller,
    Where,
)

MAX_LENGTH: Final = 2_000
MAX_TERMS: Final = 100
MAX_DEPTH: Final = 20

_OR: Final = re.compile(r"(?:OR|\|)(?=[\s({]|\Z)")
_AND: Final = re.compile(r"AND(?=\s)")
_TOKEN: Final = re.compile(r'\s*(?:([(){}])|(-)(?=\S)|(?:(\w+):)?(?:"([^"]*)(?:"|\Z)|([^\s(){}"]+)|(?=[({])))')
_DATE: Final = re.compile(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})")
_DATE_MONTH_FIRST: Final = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})")
_AGE: Final = re.compile(r"([1-9]\d{0,4})([dmy])")
_SIZE: Final = re.compile(r"(\d{1,15})([kmg]?)b?")
_DAY: Final = 86_400
_AGES: Final = {"d": _DAY, "m": 30 * _DAY, "y": 365 * _DAY}
_SIZES: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}

_STATES: Final[dict[str, SearchKey]] = {
    "unread": Not(HasFlag("\\Seen")),
    "read": HasFlag("\\Seen"),
    "starred": HasFlag("\\Flagged"),
    "unstarred": Not(HasFlag("\\Flagged")),
    "important": LabelIs("important"),
    "draft": LabelIs("drafts"),
    "sent": LabelIs("sent"),
    "anywhere": All(),
    "all": All(),
}


def parse_gmail_search(text: str) -> SearchKey:
    """What the search asks. Raises Refusal with the reason."""
    if len(text) > MAX_LENGTH:
        raise Refusal(f"A search has at most {MAX_LENGTH} characters.")
    reader = _Reader(text)
    key = reader.group("", _words, 0)
    if reader.place < len(reader.text):
        raise Refusal("A parenthesis in the search is closed that was not opened.")
    return key


class _Reader:
    """Reads from left to right and keeps count of terms."""

    def __init__(self, text: str) -> None:
        self.text = text.rstrip()
        self.place = 0
        self._terms = 0

    def group(self, end: str, make: "_Operator", depth: int) -> SearchKey:
        """Terms up to `end`, which is taken too; bare words in them mean what `make` says."""
        if depth > MAX_DEPTH:
            raise Refusal("The search is nested too deeply.")
        found: list[SearchKey] = []
        is_either = end == "}"
        joins = False
        while not self._at(end):
            if self._skip_or():
                if joins or not found:
                    raise Refusal("OR needs a term on both sides.")
                joins = True
                continue
            term = self._term(make, depth)
            if joins:
                term = Or(found.pop(), term)
                joins = False
            found.append(term)
        if joins:
            raise Refusal("OR needs a term on both sides.")
        if not found:
            raise Refusal("There is nothing to search for.")
        key = found[0]
        if is_either:
            for each in found[1:]:
                key = Or(key, each)
            return key
        return key if len(found) == 1 else And(tuple(found))

    def _at(self, end: str) -> bool:
        while self.text[self.place : self.place + 1].isspace():
            self.place += 1
        here = self.text[self.place : self.place + 1]
        if here and here != end:
            return here in ")}" and not end
        if end and not here:
            raise Refusal("A parenthesis in the search is not closed.")
        self.place += len(here)
        return True

    def _skip_or(self) -> bool:
        found = _OR.match(self.text, self.place)
        if found is not None:
            self.place = found.end()
        return found is not None

    def _term(self, make: "_Operator", depth: int) -> SearchKey:
        self._terms += 1
        if found := _AND.match(self.text, self.place):
            self.place = found.end()
        found = _TOKEN.match(self.text, self.place)
        if found is None or self._terms > MAX_TERMS:
            raise Refusal("The search has too many terms." if found else "The search is malformed.")
        self.place = found.end()
        bracket, minus, operator, quoted, word = found.groups()
        if bracket is not None:
            if bracket in ")}":
                raise Refusal("A parenthesis in the search is closed that was not opened.")
            return self.group(_END[bracket], make, depth + 1)
        if minus is not None:
            return Not(self._term(make, depth))
        if operator is None:
            if word and word.endswith(":") and word[:-1].lower() in _OPERATORS:  # `from: rosa`
                if self.text[self.place :].lstrip()[:1] in ("", ")", "}"):
                    raise Refusal(f"{word} needs something to look for.")
                return self._term(_OPERATORS[word[:-1].lower()], depth)
            if word == "AROUND":
                raise Refusal("AROUND is not possible here; leave it out, and both words are looked for.")
            return make(quoted if quoted is not None else word)
        chosen = _OPERATORS.get(operator.lower())
        if quoted is None and word is None:  # a group follows
            bracket = self.text[self.place]
            self.place += 1
            return self.group(_END[bracket], chosen or make, depth + 1)
        value = quoted if quoted is not None else word
        return make(f"{operator}:{value}") if chosen is None else chosen(value)


_END: Final = {"(": ")", "{": "}"}
_Operator = Callable[[str], SearchKey]


def _words(text: str) -> SearchKey:
    return HasWords(Where.ANYWHERE, text.removeprefix("+"))


def _in(where: Where) -> _Operator:
    return lambda text: HasWords(where, text)


def _recipient(text: str) -> SearchKey:
    return Or(HasWords(Where.TO, text), Or(HasWords(Where.CC, text), HasWords(Where.BCC, text)))


def _header(name: str) -> _Operator:
    return lambda text: HeaderContains(name, text)


def _state(text: str) -> SearchKey:
    """`in:` and `is:`; a name that means no state is a label's."""
    return _STATES.get(text.lower()) or LabelIs(text.lower())


def _has(text: str) -> SearchKey:
    match text.lower():
        case "attachment":
            return HasAttachment()
        case "userlabels":
            return LabelIs("")
        case "nouserlabels":
            return Not(LabelIs(""))
        case _:
            raise Refusal("has: knows attachment, userlabels and nouserlabels here.")


def _category(text: str) -> SearchKey:
    # Mail is not sorted into categories here, so all of it is in the first.
    if text.lower() not in {"primary", "social", "promotions", "updates", "forums", "reservations", "purchases"}:
        raise Refusal("There is no such category.")
    return All() if text.lower() == "primary" else Not(All())


def _day(relation: Relation) -> _Operator:
    def read(text: str) -> SearchKey:
        if found := _DATE.fullmatch(text):
            year, month, day = map(int, found.groups())
        elif found := _DATE_MONTH_FIRST.fullmatch(text):
            month, day, year = map(int, found.groups())
        else:
            raise Refusal("A date in the search looks like 2026/03/02, or 03/02/2026 with the month first.")
        try:
            return ArrivalDay(relation, date(year, month, day))
        except ValueError as error:
            raise Refusal("There is no such day.") from error

    return read


def _age(make: Callable[[int], SearchKey]) -> _Operator:
    def read(text: str) -> SearchKey:
        found = _AGE.fullmatch(text.lower())
        if found is None:
            raise Refusal("An age in the search looks like 3d, 2m or 1y.")
        return make(int(found[1]) * _AGES[found[2]])

    return read


def _size(make: Callable[[int], SearchKey]) -> _Operator:
    def read(text: str) -> SearchKey:
        found = _SIZE.fullmatch(text.lower())
        if found is None:
            raise Refusal("A size in the search looks like 500000, 20K or 5M.")
        return make(int(found[1]) * _SIZES[found[2]])

    return read


def _message_id(text: str) -> SearchKey:
    return HeaderContains("message-id", f"<{text.strip('<>')}>")


_OPERATORS: Final[dict[str, _Operator]] = {
    "from": _in(Where.FROM),
    "to": _recipient,
    "cc": _in(Where.CC),
    "bcc": _in(Where.BCC),
    "subject": _in(Where.SUBJECT),
    "filename": _in(Where.FILE_NAME),
    "list": _header("list-id"),
    "deliveredto": _header("delivered-to"),
    "rfc822msgid": _message_id,
    "label": lambda text: LabelIs(text.lower()),
    "in": _state,
    "is": _state,
    "has": _has,
    "category": _category,
    "before": _day(Relation.BEFORE),
    "older": _day(Relation.BEFORE),
    "after": _day(Relation.SINCE),
    "newer": _day(Relation.SINCE),
    "older_than": _age(ArrivedBefore),
    "newer_than": _age(ArrivedWithin),
    "larger": _size(Larger),
    "smaller": _size(Smaller),
    "size": _size(Larger),
}
