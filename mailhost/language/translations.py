"""Translations read from `.po` files, which gettext's tools write and check; no compiled file lies beside them.

`Translations` is what Jinja's i18n extension and `gettext` expect. Sentences in the code are marked with `N_`.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from gettext import NullTranslations
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

LANGUAGES: Final = {"en": "English", "zh-CN": "简体中文"}
"""Tag (RFC 5646) → the language's own name. English is the language of the code and needs no file."""

_FOLDERS: Final = {"zh-CN": "zh_CN"}  # each holds one .po file a room, so that a page is translated where it is made
_LINE: Final = re.compile(r'(?:(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d+)\])? )?(".*")')
_RANGE: Final = re.compile(r"([A-Za-z]{1,8})(?:-([A-Za-z0-9-]+))?(?:;q=([01](?:\.\d{0,3})?))?")


def N_(text: str) -> str:  # noqa: N802 - the name by which gettext's tools find sentences (xgettext --keyword=N_)
    """Mark a sentence for translation; it is translated where it is shown."""
    return text


class Translations(NullTranslations):
    """One language's sentences; what is missing stays English. Forms for numbers: one for all, as Chinese has it."""

    def __init__(self, language: str, sentences: dict[tuple[str, str], str]) -> None:
        super().__init__()
        self.language = language
        self._sentences = sentences  # (context, English) -> this language

    def gettext(self, message: str) -> str:
        """The sentence in this language."""
        return self._sentences.get(("", message), message)

    def pgettext(self, context: str, message: str) -> str:
        """The sentence in this language, where one English word has several meanings."""
        return self._sentences.get((context, message), message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The sentence for a number of things."""
        found = self._sentences.get(("", msgid1))
        return found if found is not None else msgid1 if n == 1 else msgid2


@cache
def translations(language: str) -> Translations:
    """The sentences of a language of LANGUAGES; English for any other tag."""
    sentences: dict[tuple[str, str], str] = {}
    for file in po_files(language):
        sentences |= read_po(file.read_text(encoding="utf-8"))
    return Translations(language if language in _FOLDERS else "en", sentences)


def po_files(language: str) -> list[Traversable]:
    """The `.po` files of a language, by name; none for English."""
    if language not in _FOLDERS:
        return []
    folder = files("mailhost.language") / _FOLDERS[language]
    return sorted((file for file in folder.iterdir() if file.name.endswith(".po")), key=lambda file: file.name)


def best_language(accepted: str, chosen: str = "") -> str:
    """The tag to speak: the one somebody chose, else the first of Accept-Language (RFC 9110 §12.5.4) that we have."""
    if chosen in LANGUAGES:
        return chosen
    wishes: list[tuple[float, str]] = []
    for piece in accepted[:500].split(","):
        if (found := _RANGE.fullmatch(piece.strip().replace(" ", ""))) is None:
            continue
        primary, rest, quality = found[1].lower(), (found[2] or "").lower(), float(found[3] or 1)
        is_traditional = primary == "zh" and not {"hant", "tw", "hk", "mo"}.isdisjoint(rest.split("-"))
        tag = {"en": "en", "zh": "" if is_traditional else "zh-CN"}.get(primary, "")
        if tag and quality:
            wishes.append((-quality, tag))
    return min(wishes, key=lambda wish: wish[0])[1] if wishes else "en"


def read_po(text: str) -> Iterator[tuple[tuple[str, str], str]]:
    """((context, msgid), msgstr) of each translated entry; of plural forms the first. Fuzzy entries are left out."""
    for block in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        field = ""
        for line in block.splitlines():
            if line.startswith("#"):
                if line.startswith("#,") and "fuzzy" in line:
                    break
                continue
            found = _LINE.fullmatch(line.strip())
            if found is None:
                raise ValueError(f"no line of a .po file: {line!r}")
            if found[1]:
                field = found[1] + (found[2] or "").replace("0", "")
            fields[field] = fields.get(field, "") + ast.literal_eval(found[3])
        else:
            if fields.get("msgid") and fields.get("msgstr"):
                yield (fields.get("msgctxt", ""), fields["msgid"]), fields["msgstr"]
