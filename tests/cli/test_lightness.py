"""What answers while somebody types loads little: help of the whole and of `up`, and completion in a shell."""

import os
import subprocess
import sys

import pytest

from mailhost import cli
from tests.running import MAILHOST

HEAVY = {
    "apsw",
    "argon2",
    "asyncio",
    "cryptography",
    "h11",
    "jinja2",
    "msgspec",
    "psycopg",
    "rich",
    "starlette",
    "uvloop",
}
DOORS = {"acme", "jinja2", "starlette"}


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
    assert modules & HEAVY == set()
    assert {module for module in modules if module.startswith("mailhost.")} <= {
        "mailhost.__main__",
        "mailhost.cli",
        "mailhost.errors",
    }


@pytest.mark.parametrize(
    ("typed", "completed"), [("do", {"doctor", "domain"}), ("up --do", {"--domain"}), ("--v", {"--version"})]
)
def test_completion_loads_little(typed: str, completed: set[str]) -> None:
    words = f"mailhost {typed}"
    place = str(len(words.split()) - 1)
    said, modules = loaded(_MAILHOST_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=place)
    assert {line.partition(",")[2] for line in said.split()} == completed
    assert modules & HEAVY == set()


def test_help_of_other_commands_does_not_load_the_doors() -> None:
    modules = [f"mailhost.cli.{module}" for name, (module, _) in cli._COMMANDS.items()]
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    found = {module.partition(".")[0] for module in said.split()}
    assert "apsw" in found
    assert found & DOORS == set()
