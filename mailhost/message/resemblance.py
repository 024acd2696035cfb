"""Whether a text is like what was asked for, and how much: words with a typing error, the beginning of a word.

A word of the query is found whole, as the beginning of a word, or in a word with the same first letter that one or two
typing errors make of it. A run of Chinese, Japanese or Korean is found by its pairs of characters, which may miss some.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mailhost.message.tokens import MAX_TOKEN, is_run, normalise, words

WHOLE, BEGINNING, ONE_ERROR, TWO_ERRORS = 100, 75, 50, 25
"""How well a word of the query stands in a text."""

MAX_TERMS: Final = 32
"""Words and pairs of a query that are looked at."""

_ONE_ERROR_FROM: Final = 4
_TWO_ERRORS_FROM: Final = 8


@dataclass(frozen=True, slots=True)
class Term:
    """A piece of a query: a word, or of a run of CJK a pair of characters, or the character that is all of it.

    `errors`: how many typing errors it may have.
    """

    token: str
    is_cjk: bool
    errors: int

    @property
    def is_prefix(self) -> bool:
        """Whether a longer token that begins with it has it."""
        return not self.is_cjk or len(self.token) == 1

    @property
    def beginning(self) -> int:
        """What it is worth to be the beginning of a longer token."""
        return WHOLE if self.is_cjk else BEGINNING

    def quality(self, token: str) -> int:
        """How well the term stands in a token of a text; 0 where it does not."""
        if token == self.token:
            return WHOLE
        if self.is_prefix and token.startswith(self.token):
            return self.beginning
        if not self.errors or token[:1] != self.token[:1] or abs(len(token) - len(self.token)) > self.errors:
            return 0
        found = typing_errors(self.token, token, self.errors)
        return 0 if found > self.errors else (ONE_ERROR if found == 1 else TWO_ERRORS)

    def best(self, tokens: Collection[str]) -> int:
        """How well it stands in any of some tokens."""
        return WHOLE if self.token in tokens else max(map(self.quality, tokens), default=0)


@lru_cache(maxsize=1024)  # a search has as many keys
def parse_terms(text: str) -> tuple[Term, ...]:
    """The terms of a query, each once; none when it has no words, as `!!!`."""
    terms: dict[Term, None] = {}
    for word in words(normalise(text)):
        if is_run(word):
            pairs = [word[place : place + 2] for place in range(len(word) - 1)]
            terms |= dict.fromkeys(Term(pair, is_cjk=True, errors=0) for pair in pairs or [word])
        else:
            terms[Term(word[:MAX_TOKEN], is_cjk=False, errors=_errors_in(word))] = None
    return tuple(terms)[:MAX_TERMS]


def _errors_in(word: str) -> int:
    """How many typing errors a word may have. In numbers each digit counts, and in short words each letter."""
    if any(map(str.isdigit, word)):
        return 0
    return (len(word) >= _ONE_ERROR_FROM) + (len(word) >= _TWO_ERRORS_FROM)


def score(terms: Sequence[Term], qualities: Sequence[int]) -> int:
    """1 to 100 for a text where the terms stand so well; 0 where too much is missing.

    A quarter of the words may be missing, and half of the pairs.
    """
    missing = [term.is_cjk for term, quality in zip(terms, qualities, strict=True) if not quality]
    pairs = sum(term.is_cjk for term in terms)
    if sum(missing) > pairs // 2 or len(missing) - sum(missing) > (len(terms) - pairs) // 4:
        return 0
    return max(1, round(sum(qualities) / len(terms)))


@lru_cache(maxsize=4096)  # mail says the same words over and over
def typing_errors(wanted: str, found: str, most: int) -> int:
    """How many letters are missing, too many, wrong or swapped with the next; `most` + 1 stands for more."""
    if len({*found}.difference(wanted)) > most or len({*wanted}.difference(found)) > most:
        return (
            most + 1
        )  # an error brings in at most one letter, and takes out one; so most words are told apart at once
    before: list[int] = []
    last = list(range(len(found) + 1))
    for row, letter in enumerate(wanted, 1):
        line = [row]
        for column, other in enumerate(found, 1):
            errors = min(last[column] + 1, line[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 < column and letter == found[column - 2] and wanted[row - 2] == other:
                errors = min(errors, before[column - 2] + 1)
            line.append(errors)
        if min(line) > most:
            return most + 1
        before, last = last, line
    return min(last[-1], most + 1)
