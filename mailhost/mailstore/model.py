"""The words of the mail model: mailboxes, placements, flags, changes, and what can go wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Final, NamedTuple

from mailhost.errors import MailhostError
from mailhost.mailstore.traced import Traced
from mailhost.message.digest import Digest
from mailhost.storage.blobs import Blob

DELIMITER: Final = "/"
INBOX: Final = "INBOX"
DEFAULT_QUOTA: Final = 15 * 1024**3
RETENTION_SECONDS: Final = 30 * 86_400
MAX_MAILBOXES: Final = 10_000
MAX_PLACEMENTS: Final = 10_000_000
"""For COPY, which costs no quota: to double a mailbox again and again must end somewhere."""
MAX_NAME_OCTETS: Final = 1_024
MAX_DEPTH: Final = 32
MAX_UID: Final = 2**32 - 1

UidRange = tuple[int, int]
"""First and last UID, both inside."""

UidRanges = Sequence[UidRange]
"""Ascending and disjoint."""


class Flag(IntFlag):
    """The system flags as bits of `placement.flags`; bits from `FIRST_KEYWORD_BIT` on are the account's keywords.

    Write `~int(Flag.SEEN)` for all bits but one: `~Flag.SEEN` is the other system flags, without the keywords.
    """

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DRAFT = 8
    DELETED = 16


FIRST_KEYWORD_BIT: Final = 6
LAST_KEYWORD_BIT: Final = 62

SYSTEM_FLAGS: Final[dict[str, Flag]] = {
    "\\Answered": Flag.ANSWERED,
    "\\Flagged": Flag.FLAGGED,
    "\\Deleted": Flag.DELETED,
    "\\Seen": Flag.SEEN,
    "\\Draft": Flag.DRAFT,
}


class NoSuchAccount(MailhostError):
    """The account has no mail store, or is being removed."""


class NoSuchMailbox(MailhostError):
    """No mailbox of this name or id."""


class MailboxExists(MailhostError):
    """The name is taken."""


class BadMailboxName(MailhostError):
    """The name cannot be a mailbox; the message says why."""


class NoSuchMessage(MailhostError):
    """The message is not in the mailbox, or not any more."""


class NotSelectable(MailhostError):
    """The name only holds children."""


class HasChildren(MailhostError):
    """The name holds children and nothing else; they must go first."""


class SleptTooLong(MailhostError):
    """Messages were expunged since that nobody remembers any more; only a look at everything helps."""


class SpecialUseRefused(MailhostError):
    """No mailbox can have this special use, or another has it; the message says which."""


class TooManyMailboxes(MailhostError):
    """The account has `MAX_MAILBOXES` already, or as many subscriptions."""


class TooManyKeywords(MailhostError):
    """Every keyword bit of the account is in use by some message."""


class TooManyPlacements(MailhostError):
    """The account's mailboxes show `MAX_PLACEMENTS` messages already, copies counted each."""


class OverQuota(MailhostError):
    """The account is full."""


class NeverFits(OverQuota):
    """The message alone is larger than all the room the account may have."""


class MailboxFull(MailhostError):
    """The mailbox has given out its last UID."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox's row. `unseen` counts messages without \\Seen, `deleted` those with \\Deleted."""

    id: int
    name: str
    uid_validity: int
    uid_next: int
    highest_modseq: int
    messages: int
    unseen: int
    deleted: int
    octets: int
    special_use: str
    is_selectable: bool


class Incoming(NamedTuple):
    """A message's content, stored and scanned, before it is placed anywhere.

    `open_end`: its last line has no line end. `traced`: it is perhaps a message that we delivered.
    """

    blob: Blob
    digest: Digest
    open_end: bool = False
    traced: Traced | None = None


class NewMessage(NamedTuple):
    """A message to be placed: its content, the trace headers before it, its flags and its INTERNALDATE."""

    incoming: Incoming
    internal_date: int
    prefix: bytes = b""
    flags: int = 0
    keywords: tuple[str, ...] = ()

    @property
    def octets(self) -> int:
        """RFC822.SIZE."""
        return len(self.prefix) + self.incoming.blob.size


class Appended(NamedTuple):
    """Where messages were put: `uids` in the order of the messages."""

    uid_validity: int
    uids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Copied:
    """What COPY and MOVE did: the n-th of `source_uids` is now the n-th of `target_uids`."""

    uid_validity: int
    source_uids: list[int]
    target_uids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Stored:
    """What STORE did, at `modseq`; the mailbox's HIGHESTMODSEQ was `previous_modseq` before.

    `has_echo`: some message stands in this mailbox more than once, and placements nobody named changed with it.

    `changed` are (uid, modseq, flags) after it; `modified` are the UIDs that failed UNCHANGEDSINCE (RFC 7162 §3.1.3).
    """

    modseq: int
    previous_modseq: int
    has_echo: bool
    changed: list[tuple[int, int, int]]
    modified: list[int]


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to a mailbox since a modseq, as one session must hear it.

    `vanished` and `flags` speak of UIDs below the `uid_next` the caller knew; `flags` holds (uid, modseq, flags).
    `arrived` are the UIDs of the live messages from there on.
    """

    highest_modseq: int
    uid_next: int
    arrived: list[int]
    vanished: list[int]
    flags: list[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account stores, in octets of RFC822.SIZE and in messages, against its quota.

    `quota_messages` is None where only the octets are limited.
    """

    used_octets: int
    used_messages: int
    quota_octets: int
    retained_octets: int
    quota_messages: int | None = None

    @property
    def free_octets(self) -> int:
        """How much more there is room for; below 0 where more is stored than may be."""
        return self.quota_octets - self.used_octets

    @property
    def free_messages(self) -> int:
        """How many more messages there is room for, as far as their number is limited."""
        return MAX_UID if self.quota_messages is None else self.quota_messages - self.used_messages
