"""Commands about who may use a mailbox (RFC 4314)."""

from dataclasses import dataclass
from enum import Enum

from mailhost.protocols.imap.rights import Right


class RightsMode(Enum):
    """What SETACL does with the rights it names."""

    REPLACE = ""
    ADD = "+"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class SetAcl:
    """SETACL. `is_negative`: the rights are taken away again from what others grant (`-anna@example.org`)."""

    tag: bytes
    mailbox: str
    identifier: str
    is_negative: bool
    mode: RightsMode
    rights: Right


@dataclass(frozen=True, slots=True)
class DeleteAcl:
    """DELETEACL."""

    tag: bytes
    mailbox: str
    identifier: str
    is_negative: bool


@dataclass(frozen=True, slots=True)
class GetAcl:
    """GETACL."""

    tag: bytes
    mailbox: str


@dataclass(frozen=True, slots=True)
class ListRights:
    """LISTRIGHTS; the identifier as written, a hyphen before it apart."""

    tag: bytes
    mailbox: str
    identifier: str
    is_negative: bool


@dataclass(frozen=True, slots=True)
class MyRights:
    """MYRIGHTS."""

    tag: bytes
    mailbox: str


AccessCommand = SetAcl | DeleteAcl | GetAcl | ListRights | MyRights
"""A command about who may use a mailbox."""
