"""Object identifiers: what a mailbox, a message and a conversation are called whatever happens to them (RFC 8474)."""

import re
from dataclasses import dataclass
from typing import Final

_OBJECT_ID: Final = re.compile(r"([FMT])([0-9]{1,18})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class ObjectId:
    """A number within an account; ids of several accounts are told apart, for one may see another's mailboxes.

    `account_id` is None where the number is one of the client's own account (X-GM-MSGID, X-GM-THRID).
    """

    account_id: int | None
    number: int


def mailbox_id(account_id: int, number: int) -> str:
    """MAILBOXID."""
    return f"F{account_id}-{number}"


EMAILID_TEMPLATE: Final = b"EMAILID (M%d-%d)"
"""EMAILID as FETCH tells it, of an account and a message."""

THREADID_TEMPLATE: Final = b"THREADID (T%d-%d)"
"""THREADID, of an account and a thread."""


def parse_object_id(kind: str, text: str) -> ObjectId | None:
    """The object of that kind (`M`, `T`); None for an id that we never gave."""
    found = _OBJECT_ID.fullmatch(text)
    if found is None or found[1] != kind or found[0] != f"{kind}{int(found[2])}-{int(found[3])}":
        return None
    return ObjectId(int(found[2]), int(found[3]))
