"""A diagnosis in one word of our own: what is wrong, how it shows, what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How much a finding matters; compared, so the gravest is the largest."""

    NOTE = 0
    """Worth knowing; nothing needs to be done."""
    WARNING = 1
    """Some programs or some networks fail."""
    ERROR = 2
    """Mail does not work until it is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. Its sentence and its remedy stand in the catalogue under `leaf`, in every language.

    `where` names the server, name or document it was found at; `evidence` is raw, as it was measured or quoted, with
    secrets masked; `help` is a page of the provider's for this very trouble, or empty.
    """

    leaf: str
    severity: Severity
    where: str = ""
    evidence: tuple[str, ...] = ()
    help: str = ""
