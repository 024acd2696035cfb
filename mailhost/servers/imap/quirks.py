"""What is not announced to mail programs that are known to break over it: a table, and nothing but the table.

RFC 2971 forbids to act on ID, so a row stands here only for a program that cannot read its mail otherwise, only
withholds what is an extension, and names the recorded session that proves it: a file of `tests/transcripts/imap`.

A row helps even where ID comes after capabilities were told: ENABLE passes over what is withheld, CAPABILITY does not
say it any more, and the answer to ID carries the list that holds from then on. Commands of a withheld extension
still work, for a client that went by the older list.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Quirk:
    """One program: its `name` in ID in any case, the capabilities it does not get, why, and the proof."""

    name: str
    withheld: frozenset[str]  # in upper case
    reason: str
    transcript: str


QUIRKS: Final = (
    Quirk(
        "Microsoft Office 365",
        frozenset({"UIDONLY"}),
        "The service that reads for Outlook enables it and then fetches by sequence number: BAD, and no mail comes.",
        "quirk-office365",
    ),
)

_WITHHELD: Final = {quirk.name.lower(): quirk.withheld for quirk in QUIRKS}
_NOTHING: Final[frozenset[str]] = frozenset()


def withheld_from(name: str | None) -> frozenset[str]:
    """The capabilities, in upper case, that a program of this name does not get."""
    return _WITHHELD.get((name or "").lower(), _NOTHING)
