"""The search index: it answers as a look at every message would, on both engines, and mends itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost import mailstore
from mailhost.mailstore import indexer, textindex
from mailhost.mailstore.answers import TextKey, text_keys
from mailhost.mailstore.fieldtexts import FieldTexts
from mailhost.mailstore.indexer import TextIndex, open_index
from mailhost.mailstore.matching import Candidate
from mailhost.mailstore.pages import Page
from mailhost.mailstore.search import SCAN_COLUMNS, Condition, Scope, candidates
from mailhost.message.resemblance import parse_terms
from mailhost.protocols.imap.search import (
    And,
    BodyContains,
    HasAttachment,
    HasWords,
    HeaderContains,
    Not,
    Or,
    Resembles,
    SearchKey,
    TextContains,
    Where,
    leaves,
)
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx

NOW = 1_700_000_000
PIECES = (
    "ab",
    "abc",
    "b",
    "Ä",
    "ä",
    "ß",
    "ss",
    "发",
    "票",
    "号",
    "発",
    "の",
    "한",
    "한국",
    "हि",
    "x1",
    "1",
    "A",
    "ﬁ",
    "cde",
    "dce",
    "ส",
    "ที่",
    "ខ្ម",
    "🎉",
    "❤\ufe0f",
)
BETWEEN = ("", " ", " ", "-", ".", "\r\n", "_", "\u00ad", "'")
TEXTS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(BETWEEN)), max_size=12).map(
    lambda pairs: "".join(piece + between for piece, between in pairs)
)
QUERIES = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(BETWEEN[:5])), min_size=1, max_size=3).map(
    lambda pairs: "".join(piece + between for piece, between in pairs)
)


def resembling(key: HeaderContains | BodyContains | TextContains) -> SearchKey:
    """The key as FUZZY has it."""
    return Resembles(key) if parse_terms(key.text) else key


KEYS = st.one_of(
    QUERIES.map(BodyContains),
    QUERIES.map(TextContains),
    QUERIES.map(lambda text: HeaderContains("subject", text)),
    QUERIES.map(lambda text: HeaderContains("from", text)),
    QUERIES.map(lambda text: HasWords(Where.ANYWHERE, text)),
    QUERIES.map(lambda text: HasWords(Where.SUBJECT, text)),
    QUERIES.map(lambda text: resembling(BodyContains(text))),
    QUERIES.map(lambda text: resembling(TextContains(text))),
    QUERIES.map(lambda text: resembling(HeaderContains("subject", text))),
)


@pytest.fixture
async def index(database: Database, blobs: Blobs, account: int, tmp_path: Path) -> AsyncIterator[TextIndex]:
    async with open_index(database, blobs, tmp_path) as index:
        yield index


def message(subject: str, body: str, sender: str = "ann@a.test") -> bytes:
    head = f"From: {sender}\r\nSubject: {' '.join(subject.split())}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    return f"{head}{body}\r\n".encode()


Scores = dict[tuple[int, Resembles], int | None]


async def by_index(
    database: Database, blobs: Blobs, index: TextIndex, account: int, key: SearchKey, scores: Scores | None = None
) -> list[int]:
    """UIDs of INBOX, as SEARCH finds them; `scores` takes how well by UID and fuzzy key."""
    return await _search(database, blobs, account, key, await index.answers(account, text_keys(key)), scores)


async def by_looking(
    database: Database, blobs: Blobs, account: int, key: SearchKey, scores: Scores | None = None
) -> list[int]:
    """The same without an index."""
    return await _search(database, blobs, account, key, {}, scores)


async def _search(database, blobs, account, key, answers, scores: Scores | None) -> list[int]:
    scores = {} if scores is None else scores
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    scope = Scope((), {}, NOW, answers, database.engine)
    condition = Condition(key, scope)
    rows = await database.read(candidates, account, inbox.id, condition, 1, inbox.uid_next, 9_999, columns=SCAN_COLUMNS)
    found = []
    at_once = Page(rows, scope, key).verdicts()
    for row, seen_at_once in zip(rows, at_once, strict=True):
        candidate = Candidate(row, scope)
        first = candidate.matches(key)
        if first is None:
            candidate.read(await blobs.read(candidate.digest))
        verdict = candidate.matches(key)
        assert verdict is not None
        assert seen_at_once == first, "a page tells what a row does"
        if condition.is_exact:
            assert verdict, "the condition let one too many through"
        if verdict:
            found.append(candidate.uid)
            candidate.read(await blobs.read(candidate.digest))
            fuzzy = (leaf for leaf in leaves(key) if isinstance(leaf, Resembles))
            scores |= {(candidate.uid, leaf): candidate.score(leaf) for leaf in fuzzy}
    return found


@given(texts=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), keys=st.lists(KEYS, min_size=8, max_size=20))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_index_answers_as_a_look_at_every_message_does(
    database, blobs, account, put, index, texts, keys: Sequence[TextKey]
) -> None:
    for subject, body in texts:
        await put(message(subject, body))
    trees = [*keys, Not(keys[0]), Or(keys[1], Not(keys[2])), And((keys[3], keys[4])), And((Not(keys[5]), keys[6]))]
    for key in trees:
        told: Scores = {}
        seen: Scores = {}
        looked = await by_looking(database, blobs, account, key, seen)
        assert await by_index(database, blobs, index, account, key, told) == looked, key
        assert told == seen, key
        exact = [leaf.key for leaf in leaves(key) if isinstance(leaf, Resembles)]
        if isinstance(key, Resembles):
            assert set(await by_looking(database, blobs, account, exact[0])) <= set(looked), "less than the exact key"


async def test_words_with_typing_errors_are_found(database, blobs, account, put, index) -> None:
    first = await put(message("Invoice for march", "Please find the invoice attached"))
    second = await put(message("Invocie", "Recieved with thanks"))
    third = await put(message("Lunch", "No invoices today, 20231 reasons"))
    await put(message("Voice", "the in box, 20232"))
    scores: Scores = {}

    async def finds(key: HeaderContains | BodyContains | TextContains) -> dict[int, int]:
        scores.clear()
        fuzzy = Resembles(key)
        found = await by_index(database, blobs, index, account, fuzzy, scores)
        assert found == await by_looking(database, blobs, account, fuzzy)
        return {uid: scores[uid, fuzzy] for uid in found}

    assert await finds(TextContains("invoice")) == {first: 100, second: 50, third: 68}
    assert await finds(HeaderContains("subject", "invoice")) == {first: 100, second: 50}
    assert await finds(BodyContains("received")) == {second: 50}
    assert await finds(BodyContains("receveed")) == {second: 25}
    assert await finds(BodyContains("20231")) == {third: 100}  # in numbers each digit counts
    assert await finds(TextContains("march invoise attached")) == {first: 80}
    assert await finds(TextContains("march invoise attached dentist")) == {first: 60}  # one of four may be missing
    assert await finds(TextContains("march dentist")) == {}
    assert await finds(HeaderContains("subject", "voice for")) == {first: 100}  # as the exact key finds it


async def test_an_index_that_is_behind_leaves_the_rest_to_be_looked_at(
    database, blobs, account, put, index, monkeypatch
) -> None:
    for number in range(6):
        await put(message("one" if number % 2 else "two", "apples and pears" if number % 3 else "plums"))
    await index.answers(account, [BodyContains("apples")])
    monkeypatch.setattr(indexer, "CATCH_UP", 2)
    for number in range(6):
        await put(message("one" if number % 2 else "two", "apples and pears" if number % 3 else "plums"))
    asked = [BodyContains("apples")]
    assert [answer.is_complete for answer in (await index.answers(account, asked)).values()] == [False]
    for key in (
        BodyContains("apples"),
        BodyContains("apples and"),
        Not(TextContains("one")),
        And((HeaderContains("subject", "ne"), Not(BodyContains("plum")))),
    ):
        looked = await by_looking(database, blobs, account, key)
        assert looked
        assert await by_index(database, blobs, index, account, key) == looked, key


@pytest.mark.parametrize("word", ["发票", "票", "发", "发票号", "票号", "人工智能", "会議", "ｶﾞ", "한국", "ABC票"])
async def test_chinese_words_of_any_length_are_found(database, blobs, account, put, index, word: str) -> None:
    hit = await put(message("x", "请查收附件中的发票号,人工智能的会議ガの한국어,abc票。"))
    await put(message("x", "发 票 号 人工 智能"))
    found = await by_index(database, blobs, index, account, BodyContains(word))
    assert hit in found
    assert found == await by_looking(database, blobs, account, BodyContains(word))


@pytest.mark.parametrize(
    "word", ["ครับ", "สวัสดี", "ด", "ភាសា", "မြန်မာ", "发票", "ไทย", "票号码", "🎉", "🎊🎉", "👩‍👧", "❤", "❤\ufe0f"]
)
async def test_words_are_found_in_scripts_without_blanks(database, blobs, account, put, index, word: str) -> None:
    hit = await put(message("x", "สวัสดีครับ ภาษาไทย រៀនភាសាខ្មែរ ကမြန်မာစာ party🎊🎉 👨‍👩‍👧❤\ufe0f 请查收发\r\n票号码"))
    await put(message("x", "发\r\n\r\n票"))
    found = await by_index(database, blobs, index, account, BodyContains(word))
    assert found == [hit]
    assert found == await by_looking(database, blobs, account, BodyContains(word))


async def test_a_field_folded_at_a_tab_has_a_blank_there(database, blobs, account, put, index) -> None:
    uid = await put(b"Subject: one\r\n\ttwo\r\nX-Odd: three\r\n\tfour\r\n\r\nx\r\n")
    for key in (
        HeaderContains("subject", "one two"),
        HeaderContains("subject", "one\ttwo"),
        HeaderContains("x-odd", "e f"),
    ):
        assert await by_index(database, blobs, index, account, key) == [uid]
        assert await by_looking(database, blobs, account, key) == [uid]


@pytest.mark.parametrize("charset", ["idna", "punycode", "utf-7", "unicode_escape"])
async def test_a_message_in_no_charset_at_all_is_stored_and_found(
    database, blobs, account, put, index, charset: str
) -> None:
    word = f"=?{charset}?q?needle_=FF+2AA-?="
    uid = await put(
        f"From: {word} <a@b.test>\r\nSubject: {word}\r\nContent-Type: text/plain; charset={charset}\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\nneedle +2AA- =FF\r\n".encode()
    )
    for key in (TextContains("needle"), BodyContains("needle"), HeaderContains("from", "needle")):
        assert await by_index(database, blobs, index, account, key) == [uid]
        assert await by_looking(database, blobs, account, key) == [uid]


async def test_all_that_readers_see_is_indexed(database, blobs, account, put, index) -> None:
    content = (
        b"From: =?utf-8?q?J=C3=BCrgen?= <j@a.test>\r\nSubject: x\r\nX-Odd: curious\r\nDKIM-Signature: b=zzsecret\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<style>hidden{}</style><p>Vis<b>ible</b>\r\n"
        b"--b\r\nContent-Type: text/calendar\r\n\r\nSUMMARY:Dentist\r\n"
        b"--b\r\nContent-Type: application/pdf; name*=utf-8''%e5%8f%91%e7%a5%a8.pdf\r\n\r\nunseen\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Forwarded\r\n\r\ndeep\r\n--b--\r\n"
    )
    uid = await put(content)
    for word in ("visible", "dentist", "发票", "pdf", "forwarded", "deep"):
        assert await by_index(database, blobs, index, account, BodyContains(word)) == [uid], word
    for word in ("JÜRGEN", "curious", "j@a.test", "dentist"):
        assert await by_index(database, blobs, index, account, TextContains(word)) == [uid], word
    for word in ("hidden", "unseen", "curious", "isible"):
        assert await by_index(database, blobs, index, account, BodyContains(word)) == [], word
    assert await by_index(database, blobs, index, account, TextContains("zzsecret")) == []


async def test_fields_in_memory_are_what_the_index_says_within_bounds(database, blobs, account, put, index) -> None:
    fields = FieldTexts(budget=20_000)
    names = ("from", "subject")
    for number in range(30):
        await put(message(f"letter {number}", "x", f"Anna {number % 3} <ann@a.test>"))
        await index.answers(account, [BodyContains("x")])
        for name, text in (("from", "ANNA 1"), ("subject", "R 2"), ("subject", "none"), ("from", "")):
            found = await fields.find(index._index, account, name, text, number + 1)
            assert found == await index._index.read(textindex.find_field, account, name, text)
        assert fields._octets == sum(field.octets for field in fields._fields.values()) <= 20_000
    for each in range(100, 120):
        await fields.find(index._index, each, "from", "ANNA", 0)
    assert fields._octets <= 20_000
    assert not {(account, name) for name in names} & fields._fields.keys()
    assert await FieldTexts(budget=2_000).find(index._index, account, "subject", "LETTER", 30) is None
    index._fields = FieldTexts(budget=2_000)
    assert len(await by_index(database, blobs, index, account, HeaderContains("subject", "letter"))) == 30


async def test_an_index_begun_anew_under_a_search_hides_nothing(database, blobs, account, put, index) -> None:
    for number in range(3):
        await put(message(f"letter {number}", "apples"))
    keys = [BodyContains("apples"), HeaderContains("subject", "letter"), Resembles(BodyContains("aples"))]
    up_to, is_complete = await index._catch_up(account)
    assert (up_to, is_complete) == (3, True)
    await index._index.write(textindex.clear, account)  # by another process, say
    for key in keys:
        answer = await index._index.read(indexer._find, account, key, up_to, is_complete=is_complete)
        assert (answer.up_to, answer.is_complete, answer.about(1)) == (0, False, None)
    assert await index._fields.find(index._index, account, "subject", "LETTER", up_to) is None
    for key in keys:
        assert await by_index(database, blobs, index, account, key) == [1, 2, 3]


async def test_one_account_does_not_see_into_another(database, blobs, account, put, index) -> None:
    await put(message("apples", "apples"))
    await index.answers(account, [BodyContains("apples")])
    for other in (16, 17):  # 0x10 and 0x11 begin as 1 does
        await database.write(mailstore.open_store, other, NOW, 100_000)
        for key in (BodyContains("a"), TextContains("apples"), HeaderContains("subject", "a")):
            assert [set(answer.ids) for answer in (await index.answers(other, [key])).values()] == [set()]


async def test_the_index_follows_by_itself(database, blobs, account, put, index) -> None:
    running = asyncio.create_task(index.run())
    await put(message("one", "apples"))
    for _ in range(200):
        await asyncio.sleep(0.02)
        if await index._index.read(textindex.cursor, account):
            break
    running.cancel()
    await asyncio.wait({running})
    assert await index._index.read(textindex.indexed_ids, account, 0, 10) == [1]


async def test_what_is_erased_leaves_the_index(database, blobs, account, put, index) -> None:
    for number in range(3):
        await put(message(f"letter {number}", "apples"))
    key = BodyContains("apples")
    await index.answers(account, [key])
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    await database.write(mailstore.expunge, account, inbox.id, [(2, 2)], NOW, only_deleted=False)
    assert await by_index(database, blobs, index, account, key) == [1, 3]
    while await database.write(mailstore.erase_expired, blobs, account, NOW, everything=True):
        pass
    await index.tidy()
    assert [set(answer.ids) for answer in (await index.answers(account, [key])).values()] == [{1, 3}]
    assert await index._index.read(textindex.find_field, account, "subject", "LETTER") == {1, 3}
    await database.write(mailstore.close_store, account)
    while await database.write(mailstore.erase_closed, blobs, account):
        pass
    await index.tidy()
    assert await index._index.read(textindex.cursors) == {}
    assert await index._index.read(textindex.indexed_ids, account, 0, 10) == []


async def test_rebuilt_the_index_is_what_it_was(database, blobs, account, put, index) -> None:
    for number in range(70):
        await put(message(f"letter {number}", f"apples{number}"))
    key = BodyContains("apples6")
    before = await by_index(database, blobs, index, account, key)
    assert before == [7, *range(61, 71)]
    await index.rebuild(account)
    assert await index._index.read(textindex.cursor, account) == 70
    assert await by_index(database, blobs, index, account, key) == before


@pytest.mark.parametrize("aged", ["format = 0", "store = 'another'"])
async def test_an_index_of_another_format_or_store_is_begun_anew(
    database, blobs, account, put, index, tmp_path, aged: str
) -> None:
    uid = await put(message("one", "apples"))
    await index.answers(account, [BodyContains("apples")])

    def age(tx: Tx) -> None:
        tx.execute(f"update search_format set {aged}")

    await index._index.write(age)
    async with open_index(database, blobs, tmp_path) as renewed:
        assert await renewed._index.read(textindex.cursors) == {}
        assert await by_index(database, blobs, renewed, account, BodyContains("apples")) == [uid]


async def test_two_that_index_at_once_do_so_once(database, blobs, account, put, tmp_path) -> None:
    for number in range(150):
        await put(message(f"letter {number}", "apples"))
    async with open_index(database, blobs, tmp_path) as one, open_index(database, blobs, tmp_path) as other:
        key = BodyContains("apples")
        both = await asyncio.gather(one.answers(account, [key]), other.answers(account, [key]))
        for answers in both:
            assert answers[key].is_complete
            assert answers[key].ids == set(range(1, 151))
        assert await one._index.read(textindex.find_field, account, "subject", "LETTER") == set(range(1, 151))


async def test_a_store_older_than_its_index_is_indexed_anew(database, blobs, account, put, index) -> None:
    uid = await put(message("one", "apples"))
    await index._index.write(textindex.add, account, [textindex.Document(99, [], [], ["plums"], {})], 0, 99)
    assert await by_index(database, blobs, index, account, BodyContains("plums")) == []
    assert await by_index(database, blobs, index, account, BodyContains("apples")) == [uid]


async def test_whole_words_stand_in_what_a_reader_sees(database, blobs, account, put, index) -> None:
    await put(message("Letter of credit", "The credits, well-known: 发票号 and a.b@c.test", "Anna <ann@a.test>"))

    async def finds(text: str, where: Where = Where.ANYWHERE) -> bool:
        key = HasWords(where, text)
        found = await by_index(database, blobs, index, account, key)
        assert found == await by_looking(database, blobs, account, key), key
        return bool(found)

    for text in (
        "credit",
        "CREDITS",
        "letter of",
        "well known",
        "known: 发票",
        "票",
        "票号",
        "a.b@c.test",
        "!",
        "anna",
    ):
        assert await finds(text), text
    for text in ("cred", "of letter", "known well", "号票", "subject", "content", "utf"):
        assert not await finds(text), text
    assert await finds("ann a.test", Where.FROM)
    assert not await finds("credits", Where.SUBJECT)
    assert not await finds("credit", Where.FILE_NAME)


@pytest.mark.parametrize("words_in_row", [100, 4_000])
async def test_words_in_a_row_are_told_from_words_apart(
    database, blobs, account, put, index, monkeypatch, words_in_row: int
) -> None:
    """Wherever in a long letter they stand; so often as `the` does PostgreSQL keeps no word's places in one row."""
    monkeypatch.setattr(textindex, "_TOKENS_IN_ROW", words_in_row)
    words = [word for number in range(300) for word in ("the", f"w{number}")]
    await put(message("x", " ".join(words)))
    await put(message("x", " ".join(reversed(words))))
    await put(message("x", ""))
    lengths = (2, 64, 65, 200)
    keys = [BodyContains(" ".join(words[at : at + length])) for length in lengths for at in range(601 - length)]
    answers = await index.answers(account, keys)
    for key, length in ((key, len(key.text.split())) for key in keys):
        assert 1 in answers[key].ids, key
        assert length == 2 or 2 not in answers[key].ids, key
    assert await by_index(database, blobs, index, account, BodyContains("w7 the w8")) == [1]
    assert set((await index.answers(account, [BodyContains("w7 w8")]))[BodyContains("w7 w8")].ids) == set()


async def test_several_texts_of_a_letter_are_looked_at_as_one_key_after_the_other_asks(
    database, blobs, account, put, index
) -> None:
    texts = b"".join(
        b"--b\r\nContent-Type: text/plain\r\n\r\n%b pear\r\n" % each for each in (b"one", b"two", b"three")
    )
    await put(b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + texts + b"--b--\r\n")
    for asked, expected in ((("two", "one", "three"), [1]), (("one", "four", "three"), []), (("three", "two"), [1])):
        key = And(tuple(BodyContains(f"{each} pear") for each in asked))
        assert await by_index(database, blobs, index, account, key) == expected
        assert await by_looking(database, blobs, account, key) == expected


async def test_attachments_and_the_names_of_files_are_told_from_text(database, blobs, account, put, index) -> None:
    part = b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: %b\r\n\r\nx\r\n--b--\r\n"
    head = b"Subject: attachment\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    await put(head + part % b"ATTACHMENT; filename=march.pdf")
    await put(head + part % b"inline; filename=march.pdf")
    await put(b'Subject: ("attachment" (\r\n\r\nmarch.pdf\r\n')
    for key, expected in (
        (HasAttachment(), [1]),
        (And((HasAttachment(), HasWords(Where.FILE_NAME, "pdf"))), [1]),
        (HasWords(Where.FILE_NAME, "march.pdf"), [1, 2]),
        (And((Not(HasAttachment()), HasWords(Where.ANYWHERE, "march"))), [2, 3]),
    ):
        assert await by_index(database, blobs, index, account, key) == expected
        assert await by_looking(database, blobs, account, key) == expected
