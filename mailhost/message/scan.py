"""One pass over a message, in pieces of any size, to the tree of its MIME parts with octet offsets (RFC 2046).

The scanner looks for the few places that matter with `bytes.find` and one small expression, and never walks a body line
by line. It holds back only what may still become a delimiter line, so a message of any size passes in bounded memory.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mailhost.message.mime import (
    Params,
    boundary_of,
    param,
    parse_disposition,
    parse_media_type,
    parse_token,
    parse_tokens,
    unfold,
)

MAX_DEPTH: Final = 100
MAX_PARTS: Final = 10_000
MAX_HEADER: Final = 256 * 1024
"""Octets of one header block that are kept; the rest is counted only."""
HEADER_BUDGET: Final = 1024 * 1024
"""Octets of header blocks kept for a whole message; when they are spent, `SMALL_HEADER` of each further one."""
SMALL_HEADER: Final = 1024
SAMPLE: Final = 16 * 1024
"""Octets of the first plain and the first HTML text kept for the preview."""

_STRIDE: Final = 64 * 1024
_MAX_DELIMITER: Final = 512
_CR: Final = 13
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_CONTENT_FIELD: Final = re.compile(
    rb"\n(?i:content-(type|transfer-encoding|id|description|disposition|language|location|md5))[ \t]*:"
    rb"([^\n]*(?:\n[ \t][^\n]*)*)"
)
_US_ASCII: Final[Params] = ((b"charset", b"us-ascii"),)


@dataclass(slots=True)
class Part:
    """One node of the tree: `[header_start, body_start)` is its header, `[body_start, body_end)` its body.

    Offsets count octets of the content. A multipart has its parts as children, a message/rfc822 has one child: the
    message inside. `lines` counts line feeds of the body.
    """

    header_start: int
    body_start: int = 0
    body_end: int = 0
    lines: int = 0
    type: bytes = b"text"
    subtype: bytes = b"plain"
    params: Params = _US_ASCII
    content_id: bytes | None = None
    description: bytes | None = None
    encoding: bytes = b"7bit"
    disposition: tuple[bytes, Params] | None = None
    language: tuple[bytes, ...] = ()
    location: bytes | None = None
    md5: bytes | None = None
    is_message: bool = False
    header: bytes = b""
    """The raw header block without its empty line, kept only where `is_message`: the root and messages inside."""
    sample: bytes = b""
    """The first octets of the body, kept only for the texts a preview may come from."""
    children: list["Part"] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        """Whether the children are the parts of a multipart."""
        return self.type == b"multipart"

    @property
    def is_shown_text(self) -> bool:
        """Whether readers show this part as (some of) the message's own text."""
        is_attached = self.disposition is not None and self.disposition[0] == b"attachment"
        return self.type == b"text" and self.subtype in (b"plain", b"html") and not is_attached

    @property
    def holds_message(self) -> bool:
        """Whether the one child is the message inside (message/rfc822)."""
        return self.type == b"message" and self.subtype == b"rfc822"


class _State(Enum):
    HEADER = 1
    BODY = 2


class Scanner:
    """The incremental scanner: `feed` pieces, then `finish`. No input raises; every split gives the same tree."""

    def __init__(self) -> None:
        self.size = 0
        self.has_nul = False
        self.has_8bit = False
        self._root = Part(0, is_message=True)
        self._open = [self._root]
        self._boundaries: dict[bytes, int] = {}  # boundary -> place of its multipart in _open
        self._ended: set[int] = set()  # places in _open of multiparts whose closing delimiter was seen
        self._needle = b""  # what all lines that may be delimiters begin with; b"" when there are none
        self._state = _State.HEADER
        self._tail = b"\n"  # an imagined line end before the content makes its first line like all others
        self._base = -1  # offset in the content of _tail[0]
        self._at = 1  # place in _tail of the first octet not yet accounted for
        self._newlines = 0
        self._header = bytearray()
        self._room = MAX_HEADER
        self._budget = HEADER_BUDGET
        self._parts = 1
        self._sampling: Part | None = None
        self._sample = bytearray()
        self._sampled: set[bytes] = set()

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the message."""
        if len(chunk) <= _STRIDE:
            self._feed(chunk)
        else:
            for start in range(0, len(chunk), _STRIDE):
                self._feed(chunk[start : start + _STRIDE])

    def finish(self) -> Part:
        """The root, once all octets were fed. Call it once."""
        self._run(self._tail, last=True)
        self._close_above(-1, self.size)
        return self._root

    def _feed(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if not self.has_8bit and not chunk.isascii():
            self.has_8bit = True
        if not self.has_nul and b"\0" in chunk:
            self.has_nul = True
        self._run(self._tail + chunk, last=False)

    def _run(self, data: bytes, last: bool) -> None:
        """Account for all of `data` that cannot change its meaning any more; the rest stays in `_tail`."""
        going = True
        while going:
            going = self._step_header(data, last) if self._state is _State.HEADER else self._step_body(data, last)
        keep = max(self._at - 1, 0)
        self._tail = data[keep:]
        self._base += keep
        self._at -= keep

    def _step_header(self, data: bytes, last: bool) -> bool:
        """Go on to the end of the header block; False when more octets are needed."""
        at = self._at
        blank = _BLANK_LINE.search(data, at - 1)
        limit = blank.start() + 1 if blank else len(data)
        place = self._find_delimiter(data, at - 1, limit, last)
        if place >= 0:
            line_end = self._line_end(data, place, last)
            if line_end < 0:
                self._keep_header(data, max(at, place))
                return False
            self._end_header(data, place + 1, place + 1)
            return self._take_delimiter(data, place, line_end)
        if blank:
            self._end_header(data, blank.start() + 1, blank.end())
            return True
        if last:
            self._end_header(data, len(data), len(data))
            return False
        self._keep_header(data, self._settled(data, at))
        return False

    def _step_body(self, data: bytes, last: bool) -> bool:
        """Go on to the next delimiter line; False when more octets are needed."""
        at = self._at
        if not self._needle:
            self._pass_body(data, len(data))
            return False
        place = self._find_delimiter(data, at - 1, len(data), last)
        if place >= 0:
            line_end = self._line_end(data, place, last)
            content_end = place - 1 if data[place - 1] == _CR and place > at else place
            self._pass_body(data, max(at, content_end))
            return line_end >= 0 and self._take_delimiter(data, place, line_end)
        self._pass_body(data, len(data) if last else self._settled(data, at))
        return False

    def _find_delimiter(self, data: bytes, start: int, limit: int, last: bool) -> int:
        """The place of the line feed before the next delimiter line, or before a last line that may become one."""
        if not self._needle:
            return -1
        place = data.find(self._needle, start, limit)
        while place >= 0:
            line_end = self._line_end(data, place, last)
            if line_end == -1 or (line_end >= 0 and self._delimiter(data, place, line_end) is not None):
                return place
            place = data.find(self._needle, place + 1, limit)
        return -1

    def _line_end(self, data: bytes, place: int, last: bool) -> int:
        """Where the line after the line feed at `place` ends; -1 when it is not all here, -2 when it is too long."""
        line_end = data.find(b"\n", place + 1, place + _MAX_DELIMITER)
        if line_end >= 0:
            return line_end
        if len(data) - place >= _MAX_DELIMITER:
            return -2
        return len(data) if last else -1

    def _delimiter(self, data: bytes, place: int, line_end: int) -> tuple[int, bool] | None:
        """The open multipart this line divides, and whether it closes it."""
        line = data[place + 3 : line_end].rstrip(b" \t\r")
        level = self._boundaries.get(line)
        if level is not None:
            return level, False
        if line.endswith(b"--"):
            level = self._boundaries.get(line[:-2])
            if level is not None:
                return level, True
        return None

    def _settled(self, data: bytes, at: int) -> int:
        """Up to where nothing still to come can change the meaning: all but a line that may become a delimiter."""
        end = len(data)
        newline = data.rfind(b"\n", max(at - 1, end - _MAX_DELIMITER))
        if newline >= 0:
            line = data[newline:]
            may_be_delimiter = self._needle.startswith(line) or (self._needle and line.startswith(self._needle))
            if may_be_delimiter or line in (b"\n", b"\n\r"):
                end = newline
        if end > at and data[end - 1] == _CR:
            end -= 1
        return max(at, end)

    def _take_delimiter(self, data: bytes, place: int, line_end: int) -> bool:
        """Close what the delimiter line closes and open what it opens."""
        found = self._delimiter(data, place, line_end)
        if found is None:
            return False
        level, closing = found
        self._close_above(level, self._base + self._at)
        after = min(line_end + 1, len(data))
        self._newlines += data.count(b"\n", self._at, after)
        self._at = after
        if closing:
            self._ended.add(level)
            self._note_boundaries()
        elif self._parts >= MAX_PARTS:
            self._ended.update(range(len(self._open)))
            self._note_boundaries()
        else:
            self._open_part(self._open[level])
            return True
        self._state = _State.BODY
        return True

    def _open_part(self, parent: Part) -> None:
        here = self._base + self._at
        part = Part(here, here, here, self._newlines, is_message=parent.holds_message)
        parent.children.append(part)
        if parent.subtype == b"digest" and parent.is_multipart:
            part.type, part.subtype, part.params = b"message", b"rfc822", ()
        self._open.append(part)
        self._parts += 1
        self._header.clear()
        self._room = max(min(MAX_HEADER, self._budget), SMALL_HEADER)
        self._state = _State.HEADER

    def _close_above(self, level: int, end: int) -> None:
        """Close the open parts above this place in the stack: their bodies end here."""
        had_boundary = False
        while len(self._open) > level + 1:
            part = self._open.pop()
            place = len(self._open)
            part.body_end = max(part.body_start, end)
            part.lines = self._newlines - part.lines
            if part is self._sampling:
                part.sample = bytes(self._sample)
                self._sampling = None
            if part.is_multipart:
                had_boundary = True
                self._ended.discard(place)
                if not part.children:
                    # A multipart must have a part (RFC 3501 §9 body-type-mpart), and what is there should be readable.
                    part.children.append(Part(part.body_start, part.body_start, part.body_end, part.lines))
        if had_boundary:
            self._note_boundaries()

    def _note_boundaries(self) -> None:
        """Work out anew which lines are delimiters; of two equal boundaries the inner one counts."""
        self._boundaries = {}
        for place, part in enumerate(self._open):
            if part.is_multipart and place not in self._ended and (boundary := boundary_of(part.params)):
                self._boundaries[boundary] = place
        self._needle = b"\n--" + _common_prefix(self._boundaries) if self._boundaries else b""

    def _pass_body(self, data: bytes, end: int) -> None:
        """Account for body octets up to `end`."""
        at = self._at
        self._newlines += data.count(b"\n", at, end)
        if self._sampling is not None and len(self._sample) < SAMPLE:
            self._sample += data[at : min(end, at + SAMPLE - len(self._sample))]
        self._at = end

    def _keep_header(self, data: bytes, end: int) -> None:
        """Account for header octets up to `end`, keeping them while there is room."""
        at = self._at
        self._header += data[at : min(end, at + self._room - len(self._header))]
        self._newlines += data.count(b"\n", at, end)
        self._at = end

    def _end_header(self, data: bytes, end: int, body_start: int) -> None:
        """The header block ends at `end`, the body begins at `body_start`: read the one, prepare for the other."""
        self._keep_header(data, end)
        self._newlines += data.count(b"\n", end, body_start)
        self._at = body_start
        block = bytes(self._header)
        self._header.clear()
        self._budget -= min(self._budget, len(block))
        self._state = _State.BODY
        part = self._open[-1]
        part.body_start = self._base + body_start
        part.lines = self._newlines
        if part.is_message:
            part.header = block
        _read_content_fields(part, block)
        if len(self._open) >= MAX_DEPTH or self._parts >= MAX_PARTS:
            if part.holds_message:
                part.type, part.subtype = b"application", b"octet-stream"
            elif part.is_multipart:
                self._ended.add(len(self._open) - 1)
        elif part.holds_message:
            self._open_part(part)
        elif part.is_multipart:
            self._note_boundaries()
        elif part.is_shown_text and part.subtype not in self._sampled:
            self._sampled.add(part.subtype)
            self._sampling = part
            self._sample = bytearray()


def _common_prefix(words: Collection[bytes]) -> bytes:
    first, last = min(words), max(words)
    length = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]


def _read_content_fields(part: Part, block: bytes) -> None:
    """Fill in what the Content- fields say; the first of each name counts."""
    fields: dict[bytes, bytes] = {}
    for name, value in _CONTENT_FIELD.findall(b"\n" + block):
        fields.setdefault(name.lower(), value)
    for name, value in fields.items():
        if name == b"type":
            media_type = parse_media_type(value)
            if media_type is None:
                part.type, part.subtype, part.params = b"text", b"plain", _US_ASCII
                continue
            part.type, part.subtype, part.params = media_type
            if part.type == b"text" and not part.params and param(part.params, b"charset") is None:
                part.params = _US_ASCII
        elif name == b"transfer-encoding":
            part.encoding = parse_token(value) or b"7bit"
        elif name == b"disposition":
            part.disposition = parse_disposition(value)
        elif name == b"id":
            part.content_id = unfold(value)
        elif name == b"description":
            part.description = unfold(value)
        elif name == b"language":
            part.language = parse_tokens(value)
        elif name == b"location":
            part.location = unfold(value)
        else:
            part.md5 = unfold(value)
