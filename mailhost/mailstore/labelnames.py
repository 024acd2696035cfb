"""What mailboxes are called in each layout, and which names a label cannot have (the gmail layout)."""

import re
from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.model import DELIMITER, INBOX, BadMailboxName

ROOT: Final = "[Gmail]"
"""Holds the system mailboxes and is none itself."""

ALL_MAIL: Final = f"{ROOT}/All Mail"
ELSEWHERE: Final = "[IMAP]"
"""Where a mailbox goes whose name belongs to a system mailbox."""


@dataclass(frozen=True, slots=True)
class SystemBox:
    """A mailbox with a meaning: its special use, and what each layout calls it; '' where a layout has none."""

    special_use: str
    classic: str
    gmail: str
    label: str = ""  # as X-GM-LABELS names it


SYSTEM_BOXES: Final = (
    SystemBox("\\All", "Archive", ALL_MAIL),
    SystemBox("\\Drafts", "Drafts", f"{ROOT}/Drafts", "\\Draft"),
    SystemBox("\\Important", "Important", f"{ROOT}/Important", "\\Important"),
    SystemBox("\\Sent", "Sent", f"{ROOT}/Sent Mail", "\\Sent"),
    SystemBox("\\Junk", "Junk", f"{ROOT}/Spam", "\\Spam"),
    SystemBox("\\Flagged", "", f"{ROOT}/Starred", "\\Starred"),
    SystemBox("\\Trash", "Trash", f"{ROOT}/Trash", "\\Trash"),
)

SYSTEM_LABELS: Final = {box.label.lower(): box.special_use for box in SYSTEM_BOXES if box.label} | {
    "\\drafts": "\\Drafts",
    "\\junk": "\\Junk",
    "\\inbox": "",
}
"""Labels of X-GM-LABELS, in lower case, and the special use of their mailbox; INBOX has none."""

_RESERVED: Final = frozenset({"sent", "trash", "drafts"})
_EXCESS: Final = re.compile(r"^\s|\s$|\s/|/\s|\s\s")


def is_system(name: str) -> bool:
    """Whether the gmail layout gives the name a meaning, so that it can neither be deleted nor renamed."""
    return name in (INBOX, ROOT) or name.startswith(ROOT + DELIMITER)


def displaced(name: str) -> str:
    """Where a name leads that the gmail layout keeps for the system: below [IMAP]; others lead to themselves."""
    return f"{ELSEWHERE}{DELIMITER}{name}" if name.lower() in _RESERVED else name


def refuse_excess_blanks(name: str) -> None:
    """Raise BadMailboxName, in Gmail's words, for blanks before, behind or beside one another."""
    if _EXCESS.search(name):
        raise BadMailboxName("Folder contains excess whitespace (Failure)")


def label_name(name: str) -> str:
    """The name under which a mailbox that a client wants to create becomes a label. Raises BadMailboxName."""
    if name.lower() in _RESERVED:
        return displaced(name)
    refuse_excess_blanks(name)
    if "^" in name:
        raise BadMailboxName("A label name cannot hold ^.")
    if is_system(name) and name != INBOX:
        raise BadMailboxName(f"Names under {ROOT} belong to the system.")
    return name
