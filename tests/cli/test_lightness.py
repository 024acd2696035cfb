"""What answers while somebody types loads little: help of every command, and completion in a shell."""

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from mailhost import oauth
from mailhost.cli import main, oauth_client
from mailhost.cli.labels import labels
from mailhost.cli.options import LAYOUTS
from mailhost.mailstore.layout import MAX_FOLDER_LIMIT, Layout, OnExpunge
from tests.running import MAILHOST

HEAVY = {
    "apsw",
    "argon2",
    "authlib",
    "cryptography",
    "dns",
    "fido2",
    "h11",
    "jinja2",
    "msgspec",
    "psycopg",
    "rich",
    "starlette",
    "uvloop",
}


def loaded(*words: str, **environment: str) -> tuple[str, set[str]]:
    """What is said, and the packages and rooms that are loaded for it."""
    command = [MAILHOST[0], "-X", "importtime", *MAILHOST[1:], *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ, **environment}
    )
    modules = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert "click" in modules
    rooms = {".".join(module.split(".")[:2]) for module in modules if module.startswith("mailhost.")}
    return done.stdout, {module.partition(".")[0] for module in modules} | rooms


@pytest.mark.parametrize("words", [["--help"], ["up", "--help"], ["--version"]])
def test_help_loads_little(words: list[str]) -> None:
    said, modules = loaded(*words)
    assert said
    assert modules & {*HEAVY, "asyncio"} == set()
    assert {module for module in modules if module.startswith("mailhost.")} <= {
        "mailhost.__main__",
        "mailhost.cli",
        "mailhost.errors",
    }


def commands(group: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command and group below a group."""
    assert isinstance(group, click.Group)
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from commands(command, *words, name)


def test_help_of_no_command_loads_the_service() -> None:
    every = list(commands(main))
    assert ("account", "list") in every
    calls = "\n".join(f"main({[*words, '--help']}, standalone_mode=False)" for words in every)
    code = f"import sys\nfrom mailhost.cli import main\n{calls}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.count("Usage:") == len(every)
    modules = done.stderr.split()
    assert {module.partition(".")[0] for module in modules} & HEAVY == set()
    rooms = {module.split(".")[1] for module in modules if module.startswith("mailhost.")}
    assert rooms <= {"cli", "durable", "errors", "language", "protocols"}
    assert len([module for module in modules if module.startswith("mailhost.")]) < 50


def test_what_options_offer_without_loading_it_is_what_there_is() -> None:
    assert offered(LAYOUTS) == tuple(each.value for each in Layout)
    assert offered(option(labels, "on_expunge")) == tuple(each.value for each in OnExpunge)
    assert offered(option(oauth_client.add, "kind")) == tuple(each.value for each in oauth.Kind)
    assert offered(option(oauth_client.add, "scopes")) == oauth.SCOPES
    limit = option(labels, "folder_limit")
    assert isinstance(limit, click.IntRange)
    assert limit.max == MAX_FOLDER_LIMIT


def option(command: click.Command, name: str) -> click.ParamType:
    return next(each.type for each in command.params if each.name == name)


def offered(kind: click.ParamType) -> tuple[str, ...]:
    assert isinstance(kind, click.Choice)
    return tuple(kind.choices)


@pytest.mark.parametrize(
    ("typed", "completed"), [("do", {"doctor", "domain"}), ("up --do", {"--domain"}), ("--v", {"--version"})]
)
def test_completion_loads_little(typed: str, completed: set[str]) -> None:
    words = f"mailhost {typed}"
    place = str(len(words.split()) - 1)
    said, modules = loaded(_MAILHOST_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=place)
    assert {line.partition(",")[2] for line in said.split()} == completed
    assert modules & HEAVY == set()
