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
"""Stands where an address has no host: NIL would mean a group."""

_SIMPLE: Final = re.compile(
    rb'[ \t]*+(?:"([^"\\]*+)"[ \t]*+|([^\x00-\x1f"(),.:;<>@\[\\\]]*+))'
    rb"<([!#-'*+\-/-9=?A-Z^-~.]++)@([A-Za-z0-9.\-]++)>[ \t]*+(?:,|\Z)"
)
_TOKEN: Final = re.compile(
    rb'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)'  # 1 quoted string
    rb"|(\[(?:[^\[\]\\]|\\.)*+\]?)"  # 2 domain literal
    rb"|([<>,:;@.()])"  # 3 special
    rb'|([^\s"<>,:;@.()\[]++)'  # 4 atom
    rb"|(\s++)",  # 5 blank
    re.DOTALL,
)
_COMMENT_STEP: Final = re.compile(rb"[^()\\]*+(?:\\.[^()\\]*+)*+([()]|\\?\Z)", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)


def parse_addresses(value: bytes) -> list[Address]:
    """The addresses of an unfolded field value, in order."""
    found: list[Address] = []
    place = 0
    while place < len(value) and (simple := _SIMPLE.match(value, place)):
        name = simple[1] if simple[1] is not None else simple[2].strip()
        found.append(Address(name or None, None, simple[3], simple[4]))
        place = simple.end()
    if place < len(value):
        found.extend(_Parser(value, place).addresses())
    return found


class _Parser:
    """The slow road: one address at a time from tokens."""

    def __init__(self, value: bytes, place: int) -> None:
        self._value = value
        self._place = place
        self._in_group = False
        self._start()

    def _start(self) -> None:
        self._words: list[bytes] = []  # words before "<", or a bare address
        self._angle: list[bytes] | None = None  # words inside "<>"
        self._inside = False
        self._at: int | None = None  # how many words of the current list stand before the last "@"
        self._route: bytes | None = None
        self._comment: bytes | None = None
        self._blank = False

    def addresses(self) -> Iterator[Address]:
        value = self._value
        while self._place < len(value):
            token = _TOKEN.match(value, self._place)
            if token is None:  # a lone octet no rule knows
                self._add(value[self._place : self._place + 1])
                self._place += 1
                continue
            self._place = token.end()
            kind = token.lastindex
            if kind == 5:
                self._blank = True
            elif kind == 1:
                self._add(_ESCAPE.sub(rb"\1", token[1]) if b"\\" in token[1] else token[1])
            elif kind != 3:
                self._add(token[0])
            else:
                yield from self._special(token[3])
        yield from self._end()
        if self._in_group:
            yield GROUP_END

    def _special(self, char: bytes) -> Iterator[Address]:
        if char == b"(":
            comment = self._skip_comment()
            self._comment = comment or self._comment
        elif char == b"<":
            self._angle, self._inside, self._at = [], True, None
        elif char == b">":
            self._inside = False
        elif char == b"," and not (self._inside and self._is_route()):
            yield from self._end()
        elif char == b":" and not self._inside:
            yield Address(None, None, _phrase(self._words) or b"", None)
            self._in_group = True
            self._start()
        elif char == b":":  # the end of an obsolete route
            self._route = b"".join(self._current())
            self._angle, self._at = [], None
        elif char == b";":
            yield from self._end()
            if self._in_group:
                yield GROUP_END
                self._in_group = False
        elif char == b"@":
            words = self._current()
            if self._at is not None:  # of two "@" the last one divides
                words[:] = [b"".join(words)]
            self._at = len(words)
            words.append(b"@")
            self._blank = False
        elif char in b".,":
            self._glue(char)

    def _is_route(self) -> bool:
        return self._current()[:1] == [b"@"]

    def _current(self) -> list[bytes]:
        return self._angle if self._inside and self._angle is not None else self._words

    def _add(self, word: bytes) -> None:
        words = self._current()
        if words and not self._blank and words[-1] != b"@":
            words[-1] += word
        else:
            words.append(word)
        self._blank = False

    def _glue(self, char: bytes) -> None:
        words = self._current()
        if words and words[-1] != b"@":
            words[-1] += char
        else:
            words.append(char)
        self._blank = False

    def _skip_comment(self) -> bytes:
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
        angle = self._angle
        words = self._words if angle is None else angle
        if words or angle is not None:
            name = self._comment if angle is None else (_phrase(self._words) or self._comment)
            at = self._at
            if at is None:
                mailbox, host = b" ".join(words), MISSING_HOST
            else:
                mailbox, host = b" ".join(words[:at]), b"".join(words[at + 1 :]) or MISSING_HOST
            if mailbox or at is not None or name:
                yield Address(name, self._route, mailbox or b"MISSING_MAILBOX", host)
        self._start()


def _phrase(words: list[bytes]) -> bytes | None:
    return b" ".join(words) or None
