"""What one may do with a mailbox, as letters on the wire and as bits elsewhere (RFC 4314 §2)."""

from enum import IntFlag
from typing import Final


class Right(IntFlag):
    """The rights of RFC 4314 §2.1, in the order of their letters in `LETTERS`. The bits are stored."""

    LOOKUP = 1
    READ = 2
    SEEN = 4
    WRITE = 8
    INSERT = 16
    POST = 32
    CREATE = 64
    DELETE_MAILBOX = 128
    DELETE_MESSAGES = 256
    EXPUNGE = 512
    ADMINISTER = 1024


LETTERS: Final = "lrswipkxtea"

NO_RIGHTS: Final = Right(0)
ALL_RIGHTS: Final = Right((1 << len(LETTERS)) - 1)

REMOVES: Final = Right.DELETE_MESSAGES | Right.EXPUNGE
"""To take a message out of a mailbox in one step: MOVE and REPLACE are STORE +FLAGS (\\Deleted) and EXPUNGE."""

CHANGES: Final = Right.INSERT | Right.SEEN | Right.WRITE | REMOVES
"""With none of these a mailbox is READ-ONLY (RFC 4314 §5.2, where all flags are shared)."""

_BY_LETTER: Final = dict(zip(LETTERS, Right, strict=True)) | {
    # What RFC 2086 had; RFC 4314 §2.1.1 lets a server choose between two readings.
    "c": Right.CREATE | Right.DELETE_MAILBOX,
    "d": Right.DELETE_MESSAGES | Right.EXPUNGE,
}


class InvalidRights(ValueError):
    """A letter stands for no right; the message names it."""


def parse_rights(text: str) -> Right:
    """Rights from their letters. Raises InvalidRights."""
    rights = NO_RIGHTS
    for letter in text:
        if letter not in _BY_LETTER:
            raise InvalidRights(letter)
        rights |= _BY_LETTER[letter]
    return rights


def rights_text(rights: Right) -> str:
    """The letters of rights; `c` and `d` beside those they are made of, for old clients (RFC 4314 §2.1.1)."""
    return "".join(letter for letter, right in _BY_LETTER.items() if rights & right)


def letters_of(rights: Right) -> str:
    """The letters of rights, each right once."""
    return rights_text(rights).rstrip("cd")
