"""APPEND and REPLACE, line by line around their literals (RFC 9051 §6.3.12, RFC 3502, RFC 4469, RFC 6855, RFC 8508)."""

import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from mailhost.protocols.imap.events import (
    AppendFinished,
    AppendMessage,
    CatenateEnd,
    CatenateText,
    CatenateUrl,
    Replaced,
)
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal
from mailhost.protocols.imap.parsing.dates import parse_moment

CATENATE: Final = re.compile(rb" CATENATE +\(", re.IGNORECASE)
"""Where a message begins that needs no literal."""

AppendEvent = AppendMessage | CatenateText | CatenateUrl | CatenateEnd | AppendFinished


@dataclass(frozen=True, slots=True)
class Announced:
    """The literal that a line ends in; `is_binary` when it is a literal8, which may hold NUL (RFC 3516)."""

    size: int
    is_binary: bool


class Ending(Enum):
    """What a line ended in."""

    MESSAGE = auto()  # the literal of a whole message
    UTF8_MESSAGE = auto()  # the same, and a parenthesis behind it
    TEXT = auto()  # the literal of a part of CATENATE
    UTF8_TEXT = auto()
    URL = auto()  # a URL of CATENATE, written as a literal
    NOTHING = auto()  # the command is over


class AppendReader:
    """Reads one command. Each line gives events; `ending` is what the literal behind the last of them is."""

    __slots__ = ("_mailbox", "_replaced", "ending", "tag")

    def __init__(self, tag: bytes) -> None:
        self.tag = tag
        self.ending = Ending.NOTHING
        self._mailbox = ""
        self._replaced: Replaced | None = None

    def begin(self, cursor: Cursor, name: bytes, literal: Announced | None) -> list[AppendEvent]:
        """The command from behind its name; `literal` is what its text ends in. Raises Refusal."""
        cursor.space()
        if name != b"APPEND":
            self._replaced = _parse_replaced(cursor, by_uid=name == b"UID REPLACE")
            cursor.space()
        self._mailbox = cursor.mailbox()
        first = replace(self._message(cursor, literal), replaces=self._replaced)
        if first.size is not None:
            return [first]
        return [first, *self._read(cursor, literal, is_inside=True, is_first=True)]

    def go_on(self, cursor: Cursor, literal: Announced | None) -> list[AppendEvent]:
        """The line behind a literal. Raises Refusal."""
        if b"\0" in cursor.text:
            raise Refusal("A NUL is not allowed in a command.")
        if self.ending in {Ending.UTF8_MESSAGE, Ending.UTF8_TEXT} and not cursor.skip(b")"):
            raise Refusal("Expected ) behind the UTF8 literal.")
        is_inside = self.ending not in {Ending.MESSAGE, Ending.UTF8_MESSAGE}
        return self._read(cursor, literal, is_inside=is_inside, is_first=False)

    def _read(self, cursor: Cursor, literal: Announced | None, *, is_inside: bool, is_first: bool) -> list[AppendEvent]:
        """Parts while the place `is_inside` a list of CATENATE, then further messages, up to a literal or the end."""
        events: list[AppendEvent] = []
        while True:
            if is_inside:
                urls, self.ending = _parse_parts(cursor, is_first=is_first)
                events += [CatenateUrl(url) for url in urls]
                if self.ending is not Ending.NOTHING:
                    if literal is None:
                        raise Refusal("A part of CATENATE needs a literal.")
                    if self.ending is not Ending.URL:
                        events.append(CatenateText(literal.size, literal.is_binary))
                    return events
                events.append(CatenateEnd())
            if literal is None:
                if not cursor.text[cursor.place :].strip(b" "):
                    self.ending = Ending.NOTHING
                    return [*events, AppendFinished(self.tag)]
                if not CATENATE.search(cursor.text, cursor.place):
                    raise Refusal("Expected a further message or the end of the line.")
            if self._replaced is not None:
                raise Refusal("REPLACE takes one message.")
            message = self._message(cursor, literal)
            events.append(message)
            if message.size is not None:
                return events
            is_inside = is_first = True

    def _message(self, cursor: Cursor, literal: Announced | None) -> AppendMessage:
        """[(flags)] ["date"] [UTF8 (] as far as the literal, or `CATENATE (` behind the date."""
        cursor.space()
        flags: tuple[str, ...] = ()
        moment = None
        if cursor.text.startswith(b"(", cursor.place):
            flags = cursor.flag_list()
            cursor.space()
        if cursor.text.startswith(b'"', cursor.place):
            moment = parse_moment(cursor)
            cursor.space()
        word = cursor.peek_word()
        if word == b"CATENATE":
            cursor.word()
            cursor.space()
            cursor.expect(b"(")
            return AppendMessage(self.tag, self._mailbox, flags, moment, None, utf8=False)
        if word == b"UTF8":
            cursor.word()
            cursor.space()
            cursor.expect(b"(")
        cursor.end()
        if literal is None:
            raise Refusal("A message needs a literal.")
        self.ending = Ending.UTF8_MESSAGE if word else Ending.MESSAGE
        return AppendMessage(
            self.tag, self._mailbox, flags, moment, literal.size, utf8=bool(word), is_binary=literal.is_binary
        )


def _parse_replaced(cursor: Cursor, *, by_uid: bool) -> Replaced:
    """The number of the one message that REPLACE takes away."""
    number = 0 if not by_uid and cursor.skip(b"*") else cursor.number()
    if not number and cursor.text[cursor.place - 1 : cursor.place] != b"*":
        raise Refusal("REPLACE needs the number of one message.")
    return Replaced(number, by_uid)


def _parse_parts(cursor: Cursor, *, is_first: bool) -> tuple[list[bytes], Ending]:
    """Parts up to the end of the text or of the list: the URLs written out, and what literal comes behind them."""
    urls: list[bytes] = []
    while is_first or not cursor.skip(b")"):
        if not is_first:
            cursor.space()
        is_first = False
        kind = cursor.word()
        cursor.space()
        match kind:
            case b"TEXT" if cursor.at_end():
                return urls, Ending.TEXT
            case b"UTF8" if cursor.skip(b"(") and cursor.at_end():
                return urls, Ending.UTF8_TEXT
            case b"URL" if cursor.at_end():
                return urls, Ending.URL
            case b"URL":
                urls.append(cursor.astring())
            case _:
                raise Refusal("CATENATE takes TEXT with a literal, and URL.")
    return urls, Ending.NOTHING
