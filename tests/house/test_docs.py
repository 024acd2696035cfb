"""The documentation says what the code does, as far as a test can tell."""

import re
from pathlib import Path, PurePosixPath

import pytest

from tests.house.reference import PAGES
from tests.house.source import ROOT, tracked


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
