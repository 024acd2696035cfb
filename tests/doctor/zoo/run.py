"""Runs the whole zoo at once and tells what the doctor said of each case; as a program it writes the matrix's page."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.doctor.zoo import discovery_cases, network_cases, own_cases, signin_cases
from tests.doctor.zoo.cases import CASES, Case
from tests.doctor.zoo.world import Zoo

_AT_ONCE = 4  # one loop plays doctor and name server for all of them
CHAPTERS = (network_cases, signin_cases, discovery_cases, own_cases)
PAGE = Path(__file__).parents[3] / "docs" / "doctor-matrix.md"
_OPENING = """# What the doctor said of each broken server

The tests keep a zoo of servers, names and messages that are wrong on purpose, each in one way, and ask the doctor about
every one. This is the confusion matrix of the last run: the leaf that is right, the leaf that was named first, and what
else was named below it. A healthy server is in the zoo, too, and gets no leaf. `make docs` does not make this page:
`python -m tests.doctor.zoo.run` does, in about half a minute.
"""


@dataclass(frozen=True)
class Seen:
    """A case and the leaves the doctor named, in its order."""

    case: Case
    leaves: tuple[str, ...]

    @property
    def first(self) -> str:
        return self.leaves[0] if self.leaves else "none"


async def run_all(folder: Path) -> list[Seen]:
    """Every case, in the order of the tree."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def run(number: int, one: Case) -> Seen:
        async with gate:
            place = folder / str(number)
            place.mkdir()
            report = await one.story(Zoo(place))
            return Seen(one, tuple(each.finding.leaf for each in report.findings))

    ordered = sorted(CASES, key=lambda one: (one.leaf[0], int(one.leaf[1:])))
    return await asyncio.gather(*(run(number, one) for number, one in enumerate(ordered)))


def page(seen: Sequence[Seen]) -> str:
    """The matrix: each pair of right and named leaf with its number of cases, then every case."""
    pairs = Counter((each.case.leaf, each.first) for each in seen)
    right = sum(count for (wanted, named), count in pairs.items() if wanted == named)
    wrong = [
        f"{wanted} was called {named} ({count} times)" for (wanted, named), count in pairs.items() if wanted != named
    ]
    known = len({each.case.leaf for each in seen})
    lines = [
        _OPENING,
        f"**{right} of {len(seen)}** cases, of {known} leaves, get the right one first. "
        + (f"Confused: {'; '.join(wrong)}." if wrong else "No two leaves were confused: the matrix is its diagonal."),
        "",
        "| case | right leaf | named first | named below |",
        "|---|---|---|---|",
    ]
    lines += [f"| {each.case.name} | {each.case.leaf} | {each.first} | {' '.join(each.leaves[1:])} |" for each in seen]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(asyncio.run(run_all(Path(folder)))), encoding="utf-8")
