"""What is like a query: typing errors, beginnings of words, pairs of CJK, and how much that is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.resemblance import parse_terms, score, typing_errors
from mailhost.message.tokens import normalise, tokens


def like(query: str, text: str) -> int:
    terms = parse_terms(query)
    found = set(tokens(normalise(text)))
    return score(terms, [term.best(found) for term in terms])


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("break", "BREAK", 100),
        ("break", "breakfast", 75),
        ("break", "braek", 50),
        ("break", "breek", 50),
        ("break", "creak", 0),  # another first letter
        ("tee", "the", 0),  # too short for an error
        ("tee", "teeth", 75),
        ("attachment", "atachmnet", 25),
        ("attachment", "atchmnt", 0),
        ("v1.20", "v1 21", 0),
        ("发票", "请查收发票。", 100),
        ("发票号码", "发票号", 67),  # two of three pairs
        ("发票号码", "号码发", 0),
        ("票", "发票", 100),
        ("imap break", "is IMAP broken?", 0),
        ("imap brokn", "is IMAP broken?", 75),
    ],
)
def test_how_like_a_text_is(query: str, text: str, expected: int) -> None:
    assert like(query, text) == expected


def test_a_query_without_words_has_no_terms() -> None:
    assert parse_terms("!! --") == ()
    assert len(parse_terms(" ".join(f"w{number}" for number in range(99)))) == 32


WORDS = st.text("abcd", max_size=7)


def edits(word: str) -> set[str]:
    """Everything one typing error makes of a word."""
    halves = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    made = {left + right[1:] for left, right in halves}
    made |= {left + right[1] + right[0] + right[2:] for left, right in halves if len(right) > 1}
    made |= {left + letter + right[cut:] for left, right in halves for letter in "abcd" for cut in (0, 1)}
    return made


@given(WORDS, WORDS)
def test_one_error_is_what_one_typing_error_makes(one: str, other: str) -> None:
    assert (typing_errors(one, other, 2) <= 1) == (other == one or other in edits(one))


@given(WORDS, st.data())
def test_two_errors_in_different_places_are_two_at_most(word: str, data: st.DataObject) -> None:
    once = data.draw(st.sampled_from(sorted(edits(word)) or [word]))
    assert typing_errors(word, once, 2) <= 1
    assert typing_errors(word, once + "x", 2) <= 2
    assert typing_errors(word, once, 2) == typing_errors(once, word, 2)
