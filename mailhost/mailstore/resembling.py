"""FUZZY: messages that have something like what is asked for, and how well they do (RFC 6203).

The index tells it by the words that stand in the account's mail: those that are like a word of the query are looked up
in its stead. The same is told by looking at one message.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

from mailhost.mailstore import textindex
from mailhost.mailstore.textindex import BODY, HEADER, SHOWN
from mailhost.message.resemblance import ONE_ERROR, WHOLE, Term, parse_terms, score
from mailhost.message.text import compared
from mailhost.message.tokens import normalise, tokens
from mailhost.protocols.imap.search import BodyContains, HeaderContains, Resembles, TextContains
from mailhost.storage.database import Tx

MAX_SPELLINGS: Final = 200
"""Words that are taken for another spelling of one; those that are nearest to it."""

Zones = Mapping[str, Callable[[int], int]]
"""Where to look, and what a quality is worth there."""

_UNSEEN_PART: Final = 10
"""So much less, a tenth, is a word worth in the body than where every list of messages shows it."""


def score_of_field(values: Sequence[str], text: str) -> int:
    """How well a text stands in a field, whose values are as they are compared; 0 where it does not."""
    wanted = compared(text)
    if any(wanted in value for value in values):
        return WHOLE
    terms = parse_terms(text)
    found = {token for value in values for token in tokens(normalise(value))}
    return score(terms, [term.best(found) for term in terms])


def score_of_text(first: Iterable[Sequence[str]], rest: Iterable[Sequence[str]], text: str) -> int:
    """How well it stands in some tokens; found in `rest` only, it is worth less."""
    terms = parse_terms(text)
    shown, hidden = set(chain.from_iterable(first)), set(chain.from_iterable(rest))
    return score(terms, [max(term.best(shown), _hidden(term.best(hidden))) for term in terms])


def find_resembling(tx: Tx, account_id: int, key: Resembles) -> dict[int, int]:
    """Message → how well it matches, of all in the index that do."""
    match key.key:
        case HeaderContains(name, text):
            return _find_in_field(tx, account_id, name, text)
        case BodyContains(text):
            zones: Zones = {BODY: int}
        case TextContains(text):
            zones = {SHOWN: int, HEADER + BODY: _hidden}
    terms = parse_terms(text)
    return _scored(terms, [_find_term(tx, account_id, term, zones) for term in terms])


def _find_in_field(tx: Tx, account_id: int, name: str, text: str) -> dict[int, int]:
    """Those that have the text in the field as it is written; then those that are like it, by what the index shows."""
    scores = dict.fromkeys(textindex.find_field(tx, account_id, name, compared(text)), WHOLE)
    terms = parse_terms(text)
    shown = _scored(terms, [_find_term(tx, account_id, term, {SHOWN: int}) for term in terms])
    alike: dict[str, int] = {}  # many messages have the same
    for message_id, value in textindex.field_texts(tx, account_id, name, sorted(shown.keys() - scores.keys())):
        if value not in alike:
            alike[value] = score_of_field(value.split("\n"), text)
        if alike[value]:
            scores[message_id] = alike[value]
    return scores


def _find_term(tx: Tx, account_id: int, term: Term, zones: Zones) -> dict[int, int]:
    """Message → how well it has the term."""
    best: dict[int, int] = {}
    levels = [
        (weigh(quality), textindex.find_any(tx, account_id, some, zone, is_prefix=is_prefix))
        for quality, some, is_prefix in _spellings(tx, account_id, term)
        for zone, weigh in zones.items()
    ]
    for quality, ids in sorted(levels, key=lambda level: level[0]):
        best.update(dict.fromkeys(ids, quality))
    return best


def _hidden(quality: int) -> int:
    return quality - quality // _UNSEEN_PART


def _scored(terms: Sequence[Term], found: Sequence[Mapping[int, int]]) -> dict[int, int]:
    if len(terms) == 1:
        return dict(found[0])
    ids = set().union(*found)
    scores = ((each, score(terms, [qualities.get(each, 0) for qualities in found])) for each in ids)
    return {message_id: value for message_id, value in scores if value}


def _spellings(tx: Tx, account_id: int, term: Term) -> list[tuple[int, Sequence[str], bool]]:
    """What to look up for a term: with how much it is worth, and whether longer words that begin so are meant."""
    asked: list[tuple[int, Sequence[str], bool]] = [(WHOLE, [term.token], False)]
    if term.is_prefix:
        asked.append((term.beginning, [term.token], True))
    if term.errors:
        lengths = len(term.token) - term.errors, len(term.token) + term.errors
        words = textindex.vocabulary(tx, account_id, term.token[0], *lengths)
        # Those that begin so are found already.
        alike = sorted(
            ((found, word) for word in words if 0 < (found := term.quality(word)) <= ONE_ERROR), reverse=True
        )
        by_quality: dict[int, list[str]] = defaultdict(list)
        for quality, word in alike[:MAX_SPELLINGS]:
            by_quality[quality].append(word)
        asked += [(quality, some, False) for quality, some in by_quality.items()]
    return asked
