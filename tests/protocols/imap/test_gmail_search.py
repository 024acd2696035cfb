"""X-GM-RAW: what people type, as keys; nonsense is refused, and nothing is too deep or too long."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal
from mailhost.protocols.imap.parsing.gmail import MAX_LENGTH, MAX_TERMS, parse_gmail_search
from mailhost.protocols.imap.parsing.searching import MAX_KEYS, read_keys
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
    leaves,
)

DAY = 86_400


def word(text: str, where: Where = Where.ANYWHERE) -> HasWords:
    return HasWords(where, text)


def _day(relation: Relation, day: int) -> ArrivalDay:
    return ArrivalDay(relation, date(2004, 4, day))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("lunch", word("lunch")),
        ('"dinner and movie"', word("dinner and movie")),
        ("+unicorn", word("unicorn")),
        ("a b", And((word("a"), word("b")))),
        ("a AND b", And((word("a"), word("b")))),
        ("a OR b c", And((Or(word("a"), word("b")), word("c")))),
        ("a OR b OR c", Or(Or(word("a"), word("b")), word("c"))),
        ("a | b", Or(word("a"), word("b"))),
        ("{a b c}", Or(Or(word("a"), word("b")), word("c"))),
        ("a or b", And((word("a"), word("or"), word("b")))),
        ("-a", Not(word("a"))),
        ("a -(b c)", And((word("a"), Not(And((word("b"), word("c"))))))),
        ("--a", Not(Not(word("a")))),
        ("well-known", word("well-known")),
        ("from:amy", word("amy", Where.FROM)),
        ("FROM:amy@example.org", word("amy@example.org", Where.FROM)),
        ('subject:"two words"', word("two words", Where.SUBJECT)),
        ("subject:(dinner movie)", And((word("dinner", Where.SUBJECT), word("movie", Where.SUBJECT)))),
        ("from:(amy OR ben) x", And((Or(word("amy", Where.FROM), word("ben", Where.FROM)), word("x")))),
        ("{from:amy from:ben}", Or(word("amy", Where.FROM), word("ben", Where.FROM))),
        ("to:me", Or(word("me", Where.TO), Or(word("me", Where.CC), word("me", Where.BCC)))),
        ("filename:pdf", word("pdf", Where.FILE_NAME)),
        ("has:attachment in:unread", And((HasAttachment(), Not(HasFlag("\\Seen"))))),
        ("is:read is:starred", And((HasFlag("\\Seen"), HasFlag("\\Flagged")))),
        ("in:anywhere x", And((All(), word("x")))),
        ("in:inbox", LabelIs("inbox")),
        ("is:important", LabelIs("important")),
        ("label:Work-Project-X", LabelIs("work-project-x")),
        ("has:nouserlabels", Not(LabelIs(""))),
        ("category:primary", All()),
        ("category:social", Not(All())),
        ("before:2004/04/16", ArrivalDay(Relation.BEFORE, date(2004, 4, 16))),
        ("before:04/16/2004 after:4-6-2004", And((_day(Relation.BEFORE, 16), _day(Relation.SINCE, 6)))),
        ("after:2004-4-6", ArrivalDay(Relation.SINCE, date(2004, 4, 6))),
        ("older_than:1y newer_than:2D", And((ArrivedBefore(365 * DAY), ArrivedWithin(2 * DAY)))),
        ("larger:10M smaller:5k size:1000000", And((Larger(10 << 20), Smaller(5120), Larger(1_000_000)))),
        ("rfc822msgid:200503292@example.com", HeaderContains("message-id", "<200503292@example.com>")),
        ("list:info@example.com", HeaderContains("list-id", "info@example.com")),
        ("https://example.org/a?b", word("https://example.org/a?b")),
        ("from:amy to-do", And((word("amy", Where.FROM), word("to-do")))),
        ("发票 -in:垃圾", And((word("发票"), Not(LabelIs("垃圾"))))),
        ('"open', word("open")),
        ("from: amy x", And((word("amy", Where.FROM), word("x")))),
        ("subject: (a b)", And((word("a", Where.SUBJECT), word("b", Where.SUBJECT)))),
        ("note: a", And((word("note:"), word("a")))),
    ],
)
def test_what_is_asked(text: str, key: SearchKey) -> None:
    assert parse_gmail_search(text) == key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing to search"),
        ("()", "nothing to search"),
        ("(a", "not closed"),
        ("a)", "closed that was not"),
        ("{a)", "closed that was not"),
        ("OR a", "both sides"),
        ("a OR", "both sides"),
        ("a OR OR b", "both sides"),
        ("a AROUND 5 b", "not possible"),
        ("from:", "needs something"),
        ("(from: )", "needs something"),
        ("from: " * (MAX_TERMS + 1) + "amy", "too many"),
        ("before:yesterday", "2026/03/02"),
        ("after:2026/02/30", "no such day"),
        ("after:30/02/2026", "no such day"),
        ("older_than:3w", "3d, 2m or 1y"),
        ("newer_than:0d", "3d, 2m or 1y"),
        ("larger:big", "500000"),
        ("has:wings", "has: knows"),
        ("category:cats", "no such category"),
        ("(" * 30 + "a" + ")" * 30, "too deeply"),
        ("-" * 200 + "a", "too many"),
        ("a " * (MAX_TERMS + 1), "too many"),
        ("a" * (MAX_LENGTH + 1), "at most"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as refused:
        parse_gmail_search(text)
    assert refused.value.status == "BAD"


PIECES = st.sampled_from(
    ["AROUND", "a", "bc", "发票", "from:", "to:x", "subject:", "(", ")", "{", "}", " ", "OR", "AND", "-", "|", ":"]
) | st.sampled_from(['"', "larger:5M", "x:y", "+", "\t", "is:unread"])


@given(st.lists(PIECES, max_size=120).map("".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused_within_bounds(text: str) -> None:
    try:
        key = parse_gmail_search(text)
    except Refusal:
        return
    assert len(list(leaves(key))) <= 3 * MAX_TERMS


TREES = st.recursive(
    st.sampled_from(["x", "from:y", '"x y"', "is:read"]),
    lambda inner: st.one_of(
        inner.map(lambda each: f"-({each})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda them: f"({' '.join(them)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda them: f"({' OR '.join(them)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda them: "{" + " ".join(them) + "}"),
    ),
    max_leaves=12,
)


@given(TREES)
def test_blanks_and_parentheses_around_it_change_nothing(text: str) -> None:
    assert parse_gmail_search(f"  ( {text} )  ") == parse_gmail_search(text)


def test_terms_count_among_the_keys_of_the_whole_search() -> None:
    raw = b' X-GM-RAW "' + b" ".join([b"a"] * MAX_TERMS) + b'"'
    for times, is_fine in ((MAX_KEYS // MAX_TERMS, True), (MAX_KEYS // MAX_TERMS + 1, False)):
        cursor = Cursor((raw * times)[1:], gmail=True)
        if is_fine:
            assert sum(1 for _ in leaves(read_keys(cursor, "utf-8"))) == MAX_KEYS
        else:
            with pytest.raises(Refusal):
                read_keys(cursor, "utf-8")
