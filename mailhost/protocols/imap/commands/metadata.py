"""Commands about annotations of mailboxes and of the server (RFC 5464)."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GetMetadata:
    """GETMETADATA; the empty mailbox is the server. Entries are in lower case.

    `depth`: 0 for the entries alone, 1 for those right below them too, None for all below.
    """

    tag: bytes
    mailbox: str
    entries: tuple[str, ...]
    max_size: int | None = None
    depth: int | None = 0


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """SETMETADATA: entries in lower case and their values, None for NIL, which removes."""

    tag: bytes
    mailbox: str
    values: Mapping[str, bytes | None]


MetadataCommand = GetMetadata | SetMetadata
"""A command about annotations."""
