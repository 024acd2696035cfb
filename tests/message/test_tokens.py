"""Words for search: what a text is indexed under, what a query looks for, and what matches."""

import pytest

from mailhost.message.tokens import MAX_TOKEN, finder, normalise, parse_query, tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't PANIC, it's 1:30_pm", ["don", "t", "panic", "it", "s", "1", "30", "pm"]),
        ("Straße ＡＢＣ ﬁn caf\u0065\u0301 soft\u00adhyphen", ["strasse", "abc", "fin", "café", "softhyphen"]),
        ("हिन्दी العَرَبِيَّة", ["हिन्दी", "العربية"]),
        ("发票号 票", ["发票", "票号", "号", "票"]),
        ("ABC票x人々", ["abc", "票", "x", "人々", "々"]),
        ("ｶﾞｽ 한국어", ["ガス", "ス", "한국", "국어", "어"]),
        ("x" * 100, ["x" * MAX_TOKEN]),
        ("!!! … ©", []),
        ("ok🎉🎊", ["ok", "🎉🎊", "🎊"]),
    ],
)
def test_tokens(text: str, found: list[str]) -> None:
    assert tokens(normalise(text)) == found


@pytest.mark.parametrize(
    ("text", "looked_up", "is_prefix", "is_exact"),
    [
        ("Unti", ("unti",), True, True),
        ("fig. 3", ("fig", "3"), True, False),
        ("done.", ("done",), False, False),
        ("票", ("票",), True, True),
        ("发票", ("发票",), False, True),
        ("发票号", ("发票", "票号"), False, True),
        ("发票a", ("发票", "票", "a"), True, False),
        ("a发票", ("a", "发票"), False, False),
        ("发票!", ("发票", "票"), False, False),
        ("x" * 60, ("x" * MAX_TOKEN,), False, False),
        ("?", (), True, False),
    ],
)
def test_query(text: str, looked_up: tuple[str, ...], is_prefix: bool, is_exact: bool) -> None:
    query = parse_query(text)
    assert query.tokens == looked_up
    assert not query.tokens or (query.is_prefix, query.is_exact) == (is_prefix, is_exact)


@pytest.mark.parametrize(
    ("query", "text", "matches"),
    [
        ("unti", "not until", True),
        ("ntil", "not until", False),
        ("until next", "until\r\n  next week", True),
        ("a.test", "ann@a.test", True),
        ("@a", "ann@a.test", True),
        ("票", "发票", True),
        ("票a", "发票abc", True),
        ("abc", "发票abc", True),
        ("abc", "_abc", True),
        ("न", "हिन्दी", False),
        ("...", "wait...what", True),
        ("istanbul", "İSTANBUL", True),
        ("İstanbul", "istanbul", True),
        ("ığdır", "IĞDIR", True),
        ("محمد", "مُحَمَّد", True),
        ("مُحَمَّد", "محمد", True),
        ("كتاب", "كتـــاب", True),
        ("שלום", "שָׁלוֹם", True),
        ("it's", "it’s", True),
        ("don’t", "don't", True),
        ('say "no"', "say “no”", True),
        ("non-breaking 2024-2025", "non‑breaking 2024–2025", True),
        ("葛城", "葛\U000e0100城", True),
        ("c:\\x", "\u202ac:\\x", True),
        ("the words that go on", "> the words that\r\n> go on", True),
        (">>> import", ">>> import os", True),
        ("> b", "a > b", True),
        (">", "a b", False),
        (">", "\n>\n", True),
        ("发票", "> 发\r\n> 票", True),
        ("发票", "发 \r\n票", True),
        ("发票", "发 票", False),
    ],
)
def test_what_matches(query: str, text: str, matches: bool) -> None:
    assert finder(query)(normalise(text)) is matches


@pytest.mark.parametrize("unit", [">", "\n>", "> ", "\n ", ">\t", "\n> >", "发 \n"])
def test_marks_of_quoting_without_end_come_to_an_end(unit: str) -> None:
    assert normalise(unit * 100_000) == normalise(unit * 100_000 + "\n")


def test_a_long_text_is_taken_in_pieces_that_cut_no_word() -> None:
    words = [f"word{number}" for number in range(30_000)]
    assert tokens(" ".join(words)) == words
    assert tokens("é " + " ".join(words)) == ["é", *words]
    assert tokens("é" * 200_000 + " end") == ["é" * MAX_TOKEN, "end"]
