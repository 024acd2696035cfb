"""Every command and word of the grammar, and every response code the server can give, stands in a transcript."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import mailhost
from mailhost.protocols.imap.commands import StatusItem
from mailhost.protocols.imap.fetch import Attribute
from mailhost.protocols.imap.parsing import searching
from mailhost.protocols.imap.parsing.table import APPEND_STATES, COMMANDS
from mailhost.protocols.imap.search import ReturnOption
from mailhost.protocols.imap.sorting import Algorithm, SortKey
from mailhost.servers.imap.answers import ANSWERS

_ROOT: Final = Path(mailhost.__file__).parent
_SOURCES: Final = (_ROOT / "servers" / "imap", _ROOT / "protocols" / "imap")
_SAID: Final = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "transcripts" / "imap").glob("*.txt"))
)

_PLACE: Final = {"Answer": 1, "untagged": 2, "tagged": 3, "bye": 2}
"""Which argument of these calls is the response code."""
_CODE: Final = re.compile(r"[A-Z][A-Z-]+(?: (?:LONGENTRIES|MAXSIZE|TOOMANY))?")
_ELSEWHERE: Final = {
    "INPROGRESS": "test_progress.py: it takes a command that waits",
    "NOTIFICATIONOVERFLOW": "test_notify.py: it takes 1,000 mailboxes",
}


def _codes(node: ast.expr | None) -> Iterator[str]:
    """The codes that an argument can be."""
    match node:
        case ast.Constant(value=str(text)) | ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            if found := _CODE.match(text):
                yield found[0]
        case ast.IfExp(body=body, orelse=otherwise):
            yield from _codes(body)
            yield from _codes(otherwise)
        case _:
            return


def _codes_in_source() -> set[str]:
    found: set[str] = set()
    for path in (path for folder in _SOURCES for path in sorted(folder.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
                    place = _PLACE.get(name)
                    if place is not None and place < len(args):
                        found.update(_codes(args[place]))
                    found.update(code for word in keywords if word.arg == "code" for code in _codes(word.value))
                case ast.Assign(targets=[ast.Name(id="code")], value=value):
                    found.update(_codes(value))
                case _:
                    pass
    return found


_NAMED: Final = {re.sub(r" \d+$", "", answer.code) for answer in ANSWERS.values() if answer.code}
_COMPOSED: Final = {"APPENDUID", "COPYUID"}  # by functions of their own
CODES: Final = sorted(_codes_in_source() | _NAMED | _COMPOSED)


@pytest.mark.parametrize("command", sorted(name.decode() for name in (*COMMANDS, *APPEND_STATES)))
def test_every_command_is_in_a_transcript(command: str) -> None:
    given = re.findall(rf"^C\d*: (\S+) {command}\b", _SAID, re.MULTILINE | re.IGNORECASE)
    assert given
    done = re.findall(r"^S\d*: (\S+) OK\b", _SAID, re.MULTILINE)
    assert set(given) & set(done) or command == "IDLE"


@pytest.mark.parametrize("code", CODES)
def test_every_response_code_is_in_a_transcript(code: str) -> None:
    assert f"[{code}" in _SAID or code in _ELSEWHERE


_WORDS: Final = (
    *(key.decode() for key in (*searching._FIXED, *searching._KEYS)),
    *(item.value.decode() for item in Attribute),
    *(item.value for item in StatusItem),
    *(option.value for option in ReturnOption),
    *(key.value.decode() for key in SortKey),
    *(algorithm.value.decode() for algorithm in Algorithm),
    *("RFC822.HEADER", "RFC822.TEXT", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "BINARY.PEEK", "BINARY.SIZE"),
    *("ALL", "FAST", "FULL", "CHANGEDSINCE", "UNCHANGEDSINCE", "VANISHED", "PARTIAL", "LAZY", "CONTEXT", "UPDATE"),
    *("SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE", "CHILDREN", "MYRIGHTS", "METADATA", "USE"),
)
"""Search keys, data items, STATUS items, result options, sort keys, modifiers, options of LIST and CREATE."""


@pytest.mark.parametrize("word", sorted(set(_WORDS)))
def test_every_word_of_the_grammar_is_in_a_transcript(word: str) -> None:
    assert re.search(rf"^C\d*: .*(?<![\w-]){re.escape(word)}(?![\w-])", _SAID, re.MULTILINE | re.IGNORECASE)


def test_the_codes_are_found() -> None:
    assert {"ALERT", "BADCHARSET", "METADATA LONGENTRIES", "MODIFIED", "READ-ONLY"} <= _codes_in_source()
