"""SEARCH: what SQL decides and what one message shows agree, for any tree of keys."""

import sys
from datetime import date
from itertools import compress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost import mailstore
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.mailstore.matching import Candidate
from mailhost.mailstore.pages import Page, _Column
from mailhost.mailstore.ranges import RANGES_IN_STATEMENT, as_ranges, holds, intersection, portions
from mailhost.mailstore.search import SCAN_COLUMNS, Condition, Scope, candidates
from mailhost.mailstore.sift import details_for, sift
from mailhost.protocols.imap.search import (
    All,
    And,
    ArrivalDay,
    ArrivedBefore,
    ArrivedWithin,
    BodyContains,
    HasFlag,
    HasKeyword,
    HeaderContains,
    Larger,
    ModseqSince,
    Not,
    Or,
    Relation,
    SavedDay,
    SearchKey,
    SentDay,
    Smaller,
    TextContains,
    UidIn,
    leaves,
)
from mailhost.protocols.imap.sets import SequenceSet

DAY = 86_400
NOW = 1_700_000_000
CONTENTS = [
    (b"From: %b\r\nSubject: %b\r\nX-Odd: %b\r\nDate: %b\r\n\r\n%b\r\n" % (sender, subject, odd, sent, body))
    for sender, subject, odd, sent, body in (
        (b"ann@a.test", b"Lunch", b"1", b"Tue, 14 Nov 2023 10:00:00 +0000", b"apples"),
        (b"bob@b.test", b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", b"2", b"junk", b"pears and apples"),
        (b"cat@a.test", b"lunch again", b"12", b"Wed, 15 Nov 2023 23:59:59 +0000", b"plums " * 30),
        (b"", b"", b"", b"Mon, 13 Nov 2023 00:00:00 +0000", b""),
    )
]

LEAVES = st.sampled_from(
    [
        All(),
        HasFlag("\\Seen"),
        HasFlag("\\Deleted"),
        HasKeyword("$WORK"),
        HasKeyword("none"),
        HeaderContains("from", "A.test"),
        HeaderContains("subject", "grüße"),
        HeaderContains("x-odd", "2"),
        HeaderContains("x-odd", ""),
        HeaderContains("x-missing", ""),
        BodyContains("APPLES"),
        BodyContains("lunch"),
        TextContains("lunch"),
        ArrivalDay(Relation.ON, date(2023, 11, 14)),
        ArrivalDay(Relation.SINCE, date(2023, 11, 15)),
        SentDay(Relation.BEFORE, date(2023, 11, 15)),
        SentDay(Relation.ON, date(2023, 11, 15)),
        SavedDay(Relation.ON, date(2023, 11, 14)),
        SavedDay(Relation.BEFORE, date(2023, 11, 14)),
        ArrivedWithin(DAY),
        ArrivedBefore(DAY),
        Larger(150),
        Smaller(100),
        ModseqSince(4),
        UidIn(SequenceSet(((2, 3), (7, 7)))),
        UidIn(SequenceSet(tuple((uid, uid) for uid in range(1, 500, 2)))),
    ]
)
KEYS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Or, inner, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def uid_sets(key: SearchKey) -> dict[int, list[tuple[int, int]]]:
    match key:
        case UidIn(uids):
            return {id(key): list(uids.ranges)}
        case And(keys):
            return {found: ranges for inner in keys for found, ranges in uid_sets(inner).items()}
        case Or(left, right):
            return uid_sets(left) | uid_sets(right)
        case Not(inner):
            return uid_sets(inner)
        case _:
            return {}


async def fill(put) -> None:
    for number in range(12):
        await put(
            CONTENTS[number % 4],
            flags=(0, 1, 16, 17, 4)[number % 5],
            keywords=("$Work",) if number % 3 == 0 else (),
            date=NOW + (number % 3) * DAY,
        )


@given(keys=st.lists(KEYS, min_size=5, max_size=15))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_sql_columns_and_the_single_message_agree(database, blobs, account, put, keys) -> None:
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    if not inbox.messages:
        await fill(put)
    keywords = await database.read(mailstore.load_keywords, account)
    rows = await database.read(mailstore.live_rows, account, inbox.id, 1, 99, SCAN_COLUMNS, 99)
    mailboxes = KnownMailboxes(database)
    for key in keys:
        scope = Scope(keywords, uid_sets(key), NOW + 2 * DAY)
        expected = set()
        for row in rows:
            candidate = Candidate(row, scope)
            first = candidate.matches(key)
            candidate.read(await blobs.read(candidate.digest))
            verdict = candidate.matches(key)
            assert verdict is not None
            assert first in (None, verdict)
            if verdict:
                expected.add(row[0])
        page = Page(rows, scope, key)
        for row, verdict in zip(rows, page.verdicts(), strict=True):
            assert verdict in (None, row[0] in expected)
        headers = {place: (await blobs.read(row[8]))[: row[10]] for place, row in enumerate(rows)}
        page.read_headers({place: header for place, header in headers.items() if place % 2})
        page.read_headers({place: header for place, header in headers.items() if not place % 2})
        for row, verdict in zip(rows, page.verdicts(), strict=True):
            assert verdict in (None, row[0] in expected)
            assert verdict is not None or any(isinstance(leaf, BodyContains | TextContains) for leaf in leaves(key))
        condition = Condition(key, scope)
        found = {row[0] for row in await database.read(candidates, account, inbox.id, condition, 1, 99, 99)}
        assert found == expected if condition.is_exact else found >= expected
        if (details := details_for(key, scope)) is not None:
            known = await mailboxes.present(account, inbox.id, tuple(details))
            assert known is not None
            assert set(compress(known.uids, sift(key, known, scope))) == expected
            assert sift(key, known.copy(details), scope) == sift(key, known, scope)


async def test_words_are_found_decoded_and_without_regard_to_case(database, blobs, account, put) -> None:
    await fill(put)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    rows = await database.read(mailstore.live_rows, account, inbox.id, 1, 4, SCAN_COLUMNS, 4)
    shown = [Candidate(row, Scope((), {}, NOW)) for row in rows]
    assert [one.matches(HeaderContains("subject", "GRÜßE")) for one in shown] == [False, True, False, False]
    assert [one.matches(HeaderContains("x-odd", "2")) for one in shown] == [None] * 4
    for one in shown:
        one.read(await blobs.read(one.digest))
    assert [one.matches(HeaderContains("x-odd", "2")) for one in shown] == [False, True, True, False]
    assert [one.matches(BodyContains("pears")) for one in shown] == [False, True, False, False]
    assert [one.matches(TextContains("lunch")) for one in shown] == [True, False, True, False]


async def test_hundreds_of_keys_cost_one_walk(database, blobs, account, put) -> None:
    """Not one of each message for each key: every message is read once, and then all are held against a key at once."""
    await fill(put)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    rows = 20 * await database.read(mailstore.live_rows, account, inbox.id, 1, 99, SCAN_COLUMNS, 99)
    headers = {place: (await blobs.read(row[8]))[: row[10]] for place, row in enumerate(rows)}
    keys = [
        *(Not(HeaderContains(f"x-missing-{number}", "a")) for number in range(100)),
        *(Not(HeaderContains("x-odd", f"3{number}")) for number in range(100)),
        *(Not(HeaderContains("date", f"Nov {number}")) for number in range(2030, 2130)),
        *(Or(BodyContains(f"apples {number}"), HeaderContains("date", "")) for number in range(100)),
    ]
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        page = Page(rows, Scope((), {}, NOW), And(tuple(keys)))
        page.read_headers(headers)
        verdicts = page.verdicts()
    finally:
        sys.setprofile(None)
    assert verdicts == [True] * len(rows)
    assert calls < len(rows) * len(keys) // 2


def test_a_text_is_found_in_one_value_and_not_across_two() -> None:
    column = _Column([(0, "ab"), (3, ""), (3, "b\na"), (7, "ba")])
    for text, places in (("b\na", [3]), ("ab", [0]), ("", [0, 3, 3, 7]), ("ba", [7]), ("b\n", [3]), ("c", [])):
        assert list(column.places_of(text)) == places


async def test_a_thousand_keys_are_one_statement(database, account, put) -> None:
    await fill(put)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    sets = [UidIn(SequenceSet(tuple((uid, uid) for uid in range(1, 399, 2)))) for _ in range(200)]
    for key in (
        And(tuple(Not(HasFlag("\\Seen")) for _ in range(1_000))),
        And((Not(HasFlag("\\Seen")), *(Or(BodyContains("x"), All()) for _ in range(999)))),
        And((Not(HasFlag("\\Seen")), *(Or(asked, All()) for asked in sets))),
    ):
        condition = Condition(key, Scope((), uid_sets(key), NOW))
        assert len(await database.read(candidates, account, inbox.id, condition, 1, 99, 99)) == 7


@given(st.sets(st.integers(1, 900)), st.integers(1, 40))
def test_portions_are_all_and_small(uids: set[int], width: int) -> None:
    found = list(portions(as_ranges(sorted(uids)), width))
    assert [uid for portion in found for first, last in portion for uid in range(first, last + 1)] == sorted(uids)
    assert all(sum(last - first + 1 for first, last in portion) <= width for portion in found)
    assert all(len(portion) <= RANGES_IN_STATEMENT for portion in found)


@given(st.lists(st.sets(st.integers(1, 30)), min_size=2, max_size=2))
def test_ranges_are_sets(sets: list[set[int]]) -> None:
    left, right = (as_ranges(sorted(uids)) for uids in sets)
    assert intersection(left, right) == [
        piece for piece in intersection(right, left) if all(holds(left, uid) and holds(right, uid) for uid in piece)
    ]
    assert {uid for uid in range(40) if holds(intersection(left, right), uid)} == sets[0] & sets[1]
