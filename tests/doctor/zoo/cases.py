"""One deliberately wrong server, name or message for every leaf; `CASES` lists them with the leaf that is right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailhost.doctor.report import Report
from tests.doctor.zoo.world import Zoo


@dataclass(frozen=True)
class Case:
    """A trouble: the leaf it must be given first, and the story that builds and asks it."""

    name: str
    leaf: str
    story: Callable[[Zoo], Awaitable[Report]]


CASES: list[Case] = []


def case(leaf: str) -> Callable[[Callable[[Zoo], Awaitable[Report]]], Callable[[Zoo], Awaitable[Report]]]:
    """Put a story into the list; its name is the function's, in words."""

    def put(story: Callable[[Zoo], Awaitable[Report]]) -> Callable[[Zoo], Awaitable[Report]]:
        CASES.append(Case(story.__name__.replace("_", " "), leaf, story))
        return story

    return put
