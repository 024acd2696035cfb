"""Each row of the table of quirks stands on a recorded session, and withholds what would be announced without it."""

from pathlib import Path

import pytest

from mailhost.servers.imap.capability import _ALWAYS, _SIGNED_IN
from mailhost.servers.imap.quirks import QUIRKS, Quirk, withheld_from

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "tests" / "transcripts" / "imap"
_OF_MANY = {"client-others", "client-thunderbird"}
"""Sessions that show what programs rely on, and no break."""


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.name)
def test_each_row_has_its_recorded_session(quirk: Quirk) -> None:
    said = (RECORDED / f"{quirk.transcript}.txt").read_text(encoding="utf-8")
    assert f'ID ("name" "{quirk.name}"' in said, "the program says who it is"
    for capability in quirk.withheld:
        assert capability in said, "the session shows what happens to each word that is withheld"


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.name)
def test_a_row_withholds_extensions_that_there_are(quirk: Quirk) -> None:
    assert quirk.withheld <= {word.upper() for word in _SIGNED_IN}
    assert not quirk.withheld & set(_ALWAYS.upper().split()), "what a session is built on cannot be taken away"


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.name)
def test_each_row_is_told_to_those_who_look(quirk: Quirk) -> None:
    words = ", ".join(f"`{word}`" for word in sorted(quirk.withheld))
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    assert f"| {quirk.name} | {words} | {quirk.reason} |" in page


def test_each_session_of_a_program_says_what_broke_elsewhere_and_why_it_works_here() -> None:
    for path in RECORDED.glob("client-*.txt"):
        said, here = path.read_text(encoding="utf-8").splitlines()[:2]
        assert path.stem in _OF_MANY or (": " in said and here.startswith("# Here: ")), path


def test_one_row_for_each_program() -> None:
    assert len({quirk.name.lower() for quirk in QUIRKS}) == len(QUIRKS)


@pytest.mark.parametrize("name", ["Thunderbird", "Microsoft Office 365 for Mac", "", None])
def test_a_program_without_a_row_gets_everything(name: str | None) -> None:
    assert not withheld_from(name)
