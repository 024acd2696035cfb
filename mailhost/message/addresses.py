"""Address lists of header fields, as tolerant as mail is broken (RFC 5322 §3.4, §4.4). Nothing raises."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple


class Address(NamedTuple):
    """One address in octets as they stand; encoded words are left alone.

    A group is a start (only `mailbox`, the group's name), its members, and an end (all None), as IMAP writes it.
    """

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


GROUP_END: Final = Address(None, None, None, None)
MISSING_HOST: Final = b"MISSING_DOMAIN"
MISSING_MAILBOX: Final = b"MISSING_MAILBOX"
"""These stand where an address lacks its host or local part: NIL would mean a group."""

_SIMPLE: Final = re.compile(
    rb'[ \t]*+(?:"([^"\\]*+)"[ \t]*+|([^\x00-\x1f"(),.:;<>@\[\\\]]*+))'
    rb"<([!#-'*+\-/-9=?A-Z^-~.]++)@([A-Za-z0-9.\-]++)>[ \t]*+(?:,|\Z)"
)
_BARE: Final = re.compile(rb"[ \t]*+([!#-'*+\-/-9=?A-Z^-~.]++)@([A-Za-z0-9.\-]++)[ \t]*+(?:,|\Z)")
_TOKEN: Final = re.compile(
    rb'"((?:[^"\\]|\\.)*+)"'  # 1 quoted string
    rb"|(\[(?:[^\[\]\\]|\\.)*+\]?|[^\s\"<>,:;@()\[]++)"  # 2 domain literal or atoms with dots
    rb"|([<>,:;@()])"  # 3 special
    rb"|(\s++)",  # 4 blank
    re.DOTALL,
)
_COMMENT_STEP: Final = re.compile(rb"[^()\\]*+(?:\\.[^()\\]*+)*+([()]|\\?\Z)", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)
_AROUND_DOT: Final = re.compile(rb" ?\. ?")


def parse_addresses(value: bytes) -> list[Address]:
    """The addresses of an unfolded field value, in order."""
    found: list[Address] = []
    place = 0
    while place < len(value):  # the fast road, for as long as addresses are written plainly
        if simple := _BARE.match(value, place):
            found.append(Address(None, None, simple[1], simple[2]))
        elif simple := _SIMPLE.match(value, place):
            name = simple[1] if simple[1] is not None else simple[2].strip()
            found.append(Address(name or None, None, simple[3], simple[4]))
        else:
            break
        place = simple.end()
    if place < len(value):
        found.extend(_Parser(value, place).addresses())
    return found


class _Parser:
    """The slow road: one address at a time from tokens, in time that grows with the length only."""

    def __init__(self, value: bytes, place: int) -> None:
        self._value = value
        self._place = place
        self._in_group = False
        self._start()

    def _start(self) -> None:
        self._phrase: list[bytes] = []  # pieces before "<", or of a bare address; blanks are pieces too
        self._pieces = self._phrase  # what new pieces go to: those before or those inside "<>"
        self._angle: list[bytes] | None = None
        self._at: int | None = None  # place of the last "@" in the pieces
        self._route: bytes | None = None
        self._comment: bytes | None = None

    def addresses(self) -> Iterator[Address]:
        """All addresses from the place on."""
        while self._place < len(self._value):
            token = _TOKEN.match(self._value, self._place)
            if token is None:  # a quote without its end: what follows is read as if it had no quotes
                self._value = self._value[self._place :].replace(b'"', b"")
                self._place = 0
                continue
            self._place = token.end()
            kind = token.lastindex
            if kind == 4:
                if self._pieces:
                    self._pieces.append(b" ")
            elif kind == 3:
                yield from self._special(token[3])
            else:
                self._pieces.append(token[2] if kind == 2 else _ESCAPE.sub(rb"\1", token[1]))
        yield from self._end()
        if self._in_group:
            yield GROUP_END

    def _special(self, char: bytes) -> Iterator[Address]:
        inside = self._pieces is self._angle
        if char == b"(":
            self._comment = self._skip_comment().strip() or self._comment
        elif char == b"<":
            self._angle = self._pieces = []
            self._at = None
        elif char == b">":
            self._pieces = []  # nothing behind it counts
        elif char == b"@":
            self._at = len(self._pieces)
            self._pieces.append(char)
        elif char == b":" and inside:  # the end of an obsolete route
            self._route = b"".join(self._pieces)
            self._angle = self._pieces = []
            self._at = None
        elif char == b"," and inside and self._pieces[:1] == [b"@"]:
            self._pieces.append(char)
        elif char == b":":
            yield Address(None, None, _joined(self._phrase), None)
            self._in_group = True
            self._start()
        elif char in (b",", b";"):
            yield from self._end()
            if char == b";" and self._in_group:
                self._in_group = False
                yield GROUP_END

    def _skip_comment(self) -> bytes:
        """The text of the comment whose "(" was read; comments may be nested."""
        start, depth = self._place, 1
        while depth and (step := _COMMENT_STEP.match(self._value, self._place)):
            self._place = step.end()
            if step[1] == b"(":
                depth += 1
            elif step[1] == b")":
                depth -= 1
            else:
                return self._value[start:]
        return self._value[start : self._place - 1]

    def _end(self) -> Iterator[Address]:
        """The address collected so far, if any."""
        angle, at = self._angle, self._at
        pieces = self._phrase if angle is None else angle
        name = self._comment if angle is None else _joined(self._phrase) or self._comment
        if at is None:
            mailbox, host = _joined(pieces), b""
        else:
            mailbox, host = _joined(pieces[:at]), _joined(pieces[at + 1 :]).replace(b" ", b"")
        if mailbox or host or name:
            mailbox = _AROUND_DOT.sub(b".", mailbox)
            yield Address(name or None, self._route, mailbox or MISSING_MAILBOX, host or MISSING_HOST)
        self._start()


def _joined(pieces: list[bytes]) -> bytes:
    return b"".join(pieces).strip()
