"""The documentation says what the code does, as far as a test can tell."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import click
import pytest

from mailhost.cli import main
from tests.house.reference import PAGES
from tests.house.source import ROOT, modules, tracked

# In a document a command is written as code; in the program it is a piece of a sentence, and more words follow it.
IN_CODE = re.compile(r"(?m)(?:^|`|\$ )(?:\.venv/bin/)?mailhost ([a-z][^`\n]*)")
IN_WORDS = re.compile(r"\bmailhost ((?:[a-z][a-z-]* ?)+(?:[A-Z]+ ?|--[a-z-]+ ?)*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_made_from_the_code_are_as_it_makes_them(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == PAGES[page](), "make docs writes it anew"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [name for name in tracked() if name.endswith(".md")]
    assert pages
    for page in pages:
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", text):
            assert (ROOT / PurePosixPath(page).parent / target).exists(), f"{page}: {target}"


def test_readme_names_only_goals_that_exist() -> None:
    goals = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    for page in ("README.md", "CONTRIBUTING.md", "docs/quick-start.md", "docs/benchmark.md"):
        used = set(re.findall(r"(?m)(?:^|`)make (?:-s )?([a-z-]+)", (ROOT / page).read_text(encoding="utf-8")))
        assert used <= goals, page


def documented() -> Iterator[tuple[str, str]]:
    """(page, command) of each command in the documentation, without comment, redirection and the name `mailhost`."""
    for page in tracked():
        if page.endswith(".md") and not page.startswith(("changes/", "docs/decisions/")):
            for found in IN_CODE.findall((ROOT / page).read_text(encoding="utf-8")):
                yield page, re.split(r" +#| +[<>|] ", found)[0]


def spoken() -> Iterator[tuple[str, str]]:
    """The same of commands that the program itself names in what people read."""
    names = main.list_commands(click.Context(main))
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for found in IN_WORDS.findall(node.value):
                    if found.split()[0] in names:
                        yield module.path, found


def look_up(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the first words name, and the words behind it."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and words:
        below = command.get_command(context, words[0])
        assert below is not None, words[0]
        command, words = below, words[1:]
        context = click.Context(command, parent=context)
    return command, words


def test_commands_in_the_documentation_are_understood() -> None:
    found = list(documented())
    assert len(found) > 30
    for page, text in found:
        try:
            command, words = look_up(shlex.split(text))
            command.make_parser(click.Context(command)).parse_args(words)
        except (AssertionError, click.UsageError) as error:
            pytest.fail(f"{page}: mailhost {text}: {error}")


def test_commands_that_the_program_names_are_there() -> None:
    found = list(spoken())
    assert len(found) > 30
    for path, text in found:
        try:
            command, words = look_up(text.split())
        except (AssertionError, click.UsageError) as error:
            pytest.fail(f"{path}: mailhost {text}: {error}")
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, f"{path}: mailhost {text}"
