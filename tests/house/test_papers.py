"""Locks, decisions, news, and what must never be committed."""

import re
import tomllib

import pytest

from tests.house.source import ROOT, tracked

LOCKS = ("requirements.txt", "requirements-dev.txt")
KINDS = ("added", "changed", "fixed", "removed", "security")
MAX_DECISION_LINES = 60
# Written apart so that this file does not find itself.
SECRETS = re.compile(
    "-----BEGIN (?:[A-Z]+ )?PRIVATE "
    + "KEY-----"
    + r"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxox[bap]-[0-9A-Za-z-]{20,}"
)
REGISTRIES = re.compile(
    r"files\.python"
    + r"hosted\.org|\bpypi"
    + r"\.org|registry\.npm"
    + r"js\.org|deb\.debian"
    + r"\.org|--(?:extra-)?index-url|--find-links"
)
HOME_PATHS = re.compile(r"(?<![\w.])/(?:home|root|Users|work|workspace)/[a-z][\w.-]*/")


def requirements(name: str) -> dict[str, list[str]]:
    """Requirement line (`h11==0.16.0`, with its marker) → its hashes."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip()):
        first, *rest = block.split(" \\\n")
        found[first.strip()] = [line.strip() for line in rest]
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_every_package_with_hashes_and_names_no_address(name: str) -> None:
    lock = requirements(name)
    assert lock
    for line, hashes in lock.items():
        assert re.match(r"[a-z0-9-]+(\[[\w,]+\])?==[\w.]+( ;|$)", line), line
        assert hashes, line
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", word) for word in hashes), line
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")


def test_locks_agree_with_each_other_and_with_the_project() -> None:
    server, tests = (requirements(name) for name in LOCKS)
    assert server.items() <= tests.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = {re.split(r"[\[=]", line)[0] for line in tests}
    for wanted in project["project"]["dependencies"] + project["dependency-groups"]["dev"]:
        name = re.match(r"[A-Za-z0-9._-]+", wanted)
        assert name, wanted
        assert re.sub(r"[._-]+", "-", name[0]).lower() in pinned, wanted


def test_no_secret_registry_or_path_of_a_machine_is_in_the_tree() -> None:
    for name in tracked():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for pattern in (SECRETS, REGISTRIES, HOME_PATHS):
            found = pattern.search(text)
            assert not found or name == "tests/house/test_papers.py", f"{name}: {found}"


def test_decisions_are_numbered_once_and_short() -> None:
    names = [name for name in tracked() if name.startswith("docs/decisions/") and not name.endswith("README.md")]
    numbers = [re.fullmatch(r"docs/decisions/(\d{4})-[a-z0-9-]+\.md", name) for name in names]
    assert all(numbers), names
    assert len({number[1] for number in numbers if number}) == len(names)
    for name in names:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) <= MAX_DECISION_LINES, name
        assert lines[0].startswith("# "), name


def test_news_fragments_are_named_for_their_kind() -> None:
    names = [name for name in tracked() if name.startswith("changes/") and name != "changes/README.md"]
    for name in names:
        assert re.fullmatch(rf"changes/[a-z0-9-]+\.({'|'.join(KINDS)})\.md", name), name
