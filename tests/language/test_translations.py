"""Translations from `.po` files, and which language somebody is spoken to in."""

import ast
import re

import pytest
from jinja2 import Environment

from mailhost.language import best_language, translations
from mailhost.language.translations import po_files, read_po
from tests.house.source import ROOT, modules

TEMPLATES = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
TEMPLATES.policies["ext.i18n.trimmed"] = True

PO = """# comment
msgid ""
msgstr "header"

#: somewhere
msgid "One"
"\\ntwo \\"quoted\\""
msgstr "eins"
" zwei"

#, fuzzy
msgid "Doubtful"
msgstr "zweifelhaft"

msgctxt "verb"
msgid "Open"
msgstr "öffnen"

msgid "{n} message"
msgid_plural "{n} messages"
msgstr[0] "{n} Stück"

msgid "Untranslated"
msgstr ""
"""


def test_entries_of_every_kind() -> None:
    assert dict(read_po(PO)) == {
        ("", 'One\ntwo "quoted"'): "eins zwei",
        ("verb", "Open"): "öffnen",
        ("", "{n} message"): "{n} Stück",
    }


def test_what_is_no_po_file_is_told() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        dict(read_po('msgid "x"\nnonsense'))


def test_english_is_the_language_of_the_code() -> None:
    english, chinese = translations("en"), translations("zh-CN")
    assert (english.language, chinese.language) == ("en", "zh-CN")
    assert translations("tlh").language == "en"
    for words in (english, chinese):
        assert words.gettext("nobody translated this") == "nobody translated this"
        assert words.pgettext("verb", "nobody") == "nobody"
    assert [english.ngettext("a mail", "mails", n) for n in (1, 2)] == ["a mail", "mails"]
    assert chinese.gettext("Try again in a minute.") == "请一分钟后重试。"
    assert chinese.ngettext("Try again in a minute.", "x", 2) == "请一分钟后重试。"


def test_every_marked_sentence_is_translated() -> None:
    marked = set()
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_":
                [argument] = node.args
                assert isinstance(argument, ast.Constant), f"{module.path}:{node.lineno}"
                marked.add(argument.value)
    for template in sorted((ROOT / "mailhost/web/templates").rglob("*.html")):
        text = template.read_text(encoding="utf-8")
        for _, _, sentence in TEMPLATES.extract_translations(text):  # type: ignore[attr-defined]  # the extension's
            first = sentence[0] if isinstance(sentence, tuple) else sentence  # None where a variable stands
            marked |= {first} if first is not None else set()
    translated = {message for file in po_files("zh-CN") for (_, message), _ in read_po(file.read_text("utf-8"))}
    assert not marked - translated


def test_what_is_filled_in_is_filled_in_in_every_language() -> None:
    gap = re.compile(r"%\((\w+)\)s|\{(\w*)\}")
    for file in po_files("zh-CN"):
        for (_, message), text in read_po(file.read_text(encoding="utf-8")):
            assert {*gap.findall(text)} == {*gap.findall(message)}, message


def test_no_sentence_is_translated_in_two_ways() -> None:
    seen: dict[tuple[str, str], str] = {}
    for file in po_files("zh-CN"):
        for key, text in read_po(file.read_text(encoding="utf-8")):
            assert seen.setdefault(key, text) == text, key


@pytest.mark.parametrize(
    ("accepted", "chosen", "expected"),
    [
        ("", "", "en"),
        ("de-DE, fr", "", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-CN"),
        ("zh", "", "zh-CN"),
        ("zh-Hans-SG", "", "zh-CN"),
        ("zh-TW, en;q=0.5", "", "en"),
        ("en;q=0.3, zh-CN;q=0.7", "", "zh-CN"),
        ("zh-CN;q=0, en;q=0.1", "", "en"),
        ("zh-CN", "en", "en"),
        ("en", "zh-CN", "zh-CN"),
        ("en", "tlh", "en"),
        ("*;q=x,,;;;" * 1000, "", "en"),
    ],
)
def test_which_language(accepted: str, chosen: str, expected: str) -> None:
    assert best_language(accepted, chosen) == expected
