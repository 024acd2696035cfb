"""Words as search sees them: Unicode words, and runs of scripts that write no blanks as pairs of characters.

Those are Chinese, Japanese and Korean, called CJK here; Thai, Lao, Burmese and Khmer, and emoji, are treated like them.
A text matches a query when the query stands in it, both normalised, and begins where a word begins: `unti` is found in
`until`, `ntil` is not. Within a run of CJK every character begins a word.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

MAX_TOKEN: Final = 48
"""Characters of a word that are indexed; longer ones (keys, encoded data) are told apart by looking at the text."""

_SOUTH_EAST: Final = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf"  # Thai, Lao
    "\u1000-\u103f\u1050-\u108f\u109a-\u109f\ua9e0-\ua9ef\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17d3\u17d7\u17dc\u17dd"  # Khmer
)
_HAN_AND_KANA: Final = (
    "\u3005-\u3007\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\U0001aff0-\U0001b16f\U00020000-\U000323af"
)
_UNBROKEN: Final = _SOUTH_EAST + _HAN_AND_KANA  # Korean has blanks, though not everybody puts them
_PICTURES: Final = "\u2600-\u27bf\U0001f000-\U0001faff"
_CJK: Final = _UNBROKEN + "\uac00-\ud7af" + _PICTURES
_WRAPPED: Final = re.compile(f"(?<=[{_UNBROKEN}]) ?\r?\n(?=[{_UNBROKEN}])")
# The marks of quoting before a line, for which many readers draw a bar; a query loses them, too.
_QUOTE_MARKS: Final = re.compile(r"(\A|\n)[ \t]*+>[> \t]*+(?=\S)")
# Soft hyphens, zero-width spaces, marks of direction, variants of a character: invisible, so no reader would type them.
# Points of Arabic and Hebrew and the Arabic stroke that makes words longer: hardly ever typed where they are written.
_UNTYPED: Final = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4]+"
)
# What programs make of a mark that was typed; and the dot of i, which Turkish alone sets or leaves out on purpose.
_AS_TYPED: Final = {
    **dict.fromkeys("\u2018\u2019\u201b\u02bc", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
    **dict.fromkeys(("\u0131", "i\u0307"), "i"),
}
_REPLACED: Final = re.compile(f"[{''.join(mark for mark in _AS_TYPED if len(mark) == 1)}]|i\u0307")
_RUN: Final = re.compile(f"[{_CJK}]")
_PIECE: Final = 64 * 1024
_ASCII_WORD: Final = re.compile("[a-z0-9]+")  # the same in a text that has nothing else, in a third of the time
_BLANKS: Final = re.compile(r"\s+")
_LAST_MARK: Final = 0x1E94A  # the highest combining mark but for variation selectors


def normalise(text: str) -> str:
    """Without regard to case, width and composition (NFKC, case folded), every run of blanks one blank.

    Without what nobody types, and with what programs make of a mark as it was typed (a curved apostrophe).
    """
    if ">" in text:
        text = _QUOTE_MARKS.sub(r"\1", text)
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    typed = _REPLACED.sub(lambda found: _AS_TYPED[found[0]], _UNTYPED.sub("", folded))
    return _BLANKS.sub(" ", unwrapped(typed)).strip()


def unwrapped(text: str) -> str:
    """Without line ends inside a run of a script that writes no blanks, where they stand for none."""
    return text if text.isascii() or "\n" not in text else _WRAPPED.sub("", text)


def tokens(text: str) -> list[str]:
    """What a normalised text is indexed under, in its order.

    A run 发票号 gives 发票 票号 号, so that two characters are a token and one is the beginning of some.
    """
    found: list[str] = []
    words_of = (_ASCII_WORD if text.isascii() else _pattern()).findall
    for piece in _pieces(text):
        for word in words_of(piece):
            if word.isascii() or not is_run(word):
                found.append(word[:MAX_TOKEN])
            else:
                found += map("".join, pairwise(word))
                found.append(word[-1])
    return found


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that end at blanks, as an expression at work lets no other thread run."""
    start = 0
    while len(text) - start > _PIECE:
        end = text.rfind(" ", start, start + _PIECE)
        if end <= start:
            end = text.find(" ", start + _PIECE)
        if end < 0:
            break
        yield text[start:end]
        start = end
    yield text[start:]


def words(text: str) -> list[str]:
    """The words and runs of CJK of a normalised text, each whole."""
    return _pattern().findall(text)


def is_run(word: str) -> bool:
    """Whether one of `words` is a run of CJK: it is one all through or not at all."""
    return _RUN.match(word) is not None


@dataclass(frozen=True, slots=True)
class Query:
    """Tokens that stand in a row in every text that matches; the last may be only the beginning of one there.

    `is_exact`: a text that has them so matches; else it may have other blanks or marks between them.
    """

    tokens: tuple[str, ...]
    is_prefix: bool
    is_exact: bool


def parse_query(text: str) -> Query:
    """What to look up for a query; no tokens when it has no words, as `!!!`."""
    wanted = normalise(text)
    found = tokens(wanted)
    *_, last = words(wanted) or [""]
    goes_on = wanted.endswith(last)
    is_prefix = goes_on and len(last) <= MAX_TOKEN
    if goes_on and len(last) > 1 and is_run(last):
        found.pop()  # in the text the run may go on, and then has no such token
        is_prefix = False
    is_long = any(len(word) > MAX_TOKEN and not is_run(word) for word in words(wanted))
    return Query(tuple(found), is_prefix, last == wanted and not is_long)


@lru_cache(maxsize=1024)  # a search has as many keys
def parse_words(text: str) -> Query:
    """What to look up for whole words in a row, whatever stands between them; no tokens when there is no word."""
    wanted = normalise(text)
    found = tokens(wanted)
    whole = words(wanted)
    is_prefix = False
    if whole and is_run(whole[-1]):
        is_prefix = len(whole[-1]) == 1  # in the text the run may go on
        if not is_prefix:
            found.pop()
    return Query(tuple(found), is_prefix, is_exact=len(whole) <= 1)


def has_words(found: Sequence[str], query: Query) -> bool:
    """Whether the tokens of a text have those of `parse_words` in a row."""
    if not query.tokens:
        return True
    row = " ".join(query.tokens)
    return f" {row}{'' if query.is_prefix else ' '}" in f" {' '.join(found)} "


@lru_cache(maxsize=1024)  # a search has as many keys
def finder(text: str) -> Callable[[str], bool]:
    """Whether a normalised text matches the query `text`."""
    wanted = normalise(text)
    letter, mark = f"[^\\W_{_CJK}]", f"[{_marks()}]"
    if not re.match(f"{letter}|{mark}", wanted):
        return lambda candidate: wanted in candidate
    # Looked up by `in` first, which is many times faster than an expression that looks back at each place.
    at_a_beginning = re.compile(f"(?<!{letter})(?<!{mark}){re.escape(wanted)}").search
    return lambda candidate: wanted in candidate and at_a_beginning(candidate) is not None


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """A run of CJK, or a word: letters and digits of any other script with the marks that follow them."""
    word = f"[^\\W_{_CJK}]"
    return re.compile(f"[{_CJK}]+|{word}+(?:[{_marks()}]+{word}*)*")


@lru_cache(maxsize=1)
def _marks() -> str:
    """Combining marks as ranges: in many scripts the vowels, so that a word would fall apart at each."""
    ranges: list[list[int]] = []
    for code in range(0x300, _LAST_MARK + 1):
        if unicodedata.category(chr(code))[0] == "M" and not is_run(chr(code)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
