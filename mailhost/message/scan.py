"""One pass over a message, in pieces of any size, to the tree of its MIME parts with octet offsets (RFC 2046).

The scanner looks for the few places that matter with `bytes.find` and one small expression, and never walks a body line
by line. It holds back only what may still become a delimiter line, so a message of any size passes in bounded memory.
"""

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mailhost.message.mime import MESSAGE, TEXT, Content, boundary_of, parse_content

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


@dataclass(slots=True)
class Part:
    """One node of the tree: `[header_start, body_start)` is its header, `[body_start, body_end)` its body.

    Offsets count octets of the content. A multipart has its parts as children, a message/rfc822 has one child: the
    message inside. `lines` counts line feeds of the
    bodies that IMAP tells them of: texts and messages.
    """

    header_start: int
    body_start: int = 0
    body_end: int = 0
    lines: int = 0
    content: Content = TEXT
    is_message: bool = False
    header: bytes = b""
    """The raw header block without its empty line, kept only where `is_message`: the root and messages inside."""
    sample: bytes = b""
    """The first octets of the body, kept only for the texts a preview may come from."""
    children: list["Part"] = field(default_factory=list)


class _Delimiter(NamedTuple):
    """A delimiter line, `[place, after)` of the data: from the line feed before it to what it is followed by."""

    place: int
    after: int
    level: int
    closing: bool


class _Open(NamedTuple):
    """A multipart whose parts are being read: its boundary, its place among the open parts, and the needle then."""

    boundary: bytes
    level: int
    needle: bytes


class Scanner:
    """The incremental scanner: `feed` pieces, then `finish`. No input raises; every split gives the same tree."""

    def __init__(self) -> None:
        self.size = 0
        self.has_nul = False
        self.has_8bit = False
        self._root = Part(0, is_message=True)
        self._open = [self._root]
        self._multiparts: list[_Open] = []
        self._levels: dict[bytes, int] = {}  # boundary -> level; of two equal boundaries the inner one counts
        self._needle = b""  # what all lines that may be delimiters begin with; b"" when there are none
        self._in_header = True
        self._tail = b"\n"  # an imagined line end before the content makes its first line like all others
        self._base = -1  # offset in the content of _tail[0]
        self._at = 1  # place in _tail of the first octet not yet accounted for
        self._newlines = 0
        self._counting = True  # off in bodies whose lines nobody asks for
        self._messages_inside = 0
        self._header = b""
        self._room = MAX_HEADER
        self._budget = HEADER_BUDGET
        self._parts = 1
        self._sampling: Part | None = None
        self._sample = b""
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
        while self._step_header(data, last) if self._in_header else self._step_body(data, last):
            pass
        keep = self._at - 1
        self._tail = data[keep:]
        self._base += keep
        self._at = 1

    def _step_header(self, data: bytes, last: bool) -> bool:
        """Go on to the end of the header block; False when more octets are needed."""
        start = self._at - 1
        # Neither is looked for behind the other, or ten thousand short headers would each be a search through all data.
        near = data.find(self._needle, start) if self._needle else -1
        blank = _BLANK_LINE.search(data, start, near + 1 if near >= 0 else len(data))
        if blank is None and near >= 0:
            found = self._next_delimiter(data, near, len(data), last)
            place = found.place if isinstance(found, _Delimiter) else found
            blank = _BLANK_LINE.search(data, near, len(data) if place is None else place + 1)
            if blank is None and isinstance(found, int):
                self._keep_header(data, max(self._at, found))
                return False
            if blank is None and isinstance(found, _Delimiter):
                self._end_header(data, found.place + 1, found.place + 1)
                self._take_delimiter(data, found)
                return True
        if blank:
            self._end_header(data, blank.start() + 1, blank.end())
            return True
        if last:
            self._end_header(data, len(data), len(data))
        else:
            self._keep_header(data, self._settled(data))
        return False

    def _step_body(self, data: bytes, last: bool) -> bool:
        """Go on to the next delimiter line; False when more octets are needed."""
        if not self._needle:
            self._pass_body(data, len(data))
            return False
        found = self._next_delimiter(data, self._at - 1, len(data), last)
        if found is None:
            self._pass_body(data, len(data) if last else self._settled(data))
            return False
        place = found if isinstance(found, int) else found.place
        if data[place - 1] == _CR:
            place -= 1  # the line end before a delimiter line belongs to it (RFC 2046 §5.1.1)
        self._pass_body(data, max(self._at, place))
        if isinstance(found, int):
            return False
        self._take_delimiter(data, found)
        return True

    def _next_delimiter(self, data: bytes, start: int, limit: int, last: bool) -> _Delimiter | int | None:
        """The next delimiter line; the place of a last line that may yet become one; None when there is neither."""
        place = data.find(self._needle, start, limit)
        while place >= 0:
            line_end = data.find(b"\n", place + 1, place + _MAX_DELIMITER)
            if line_end < 0 and len(data) - place < _MAX_DELIMITER:
                if not last:
                    return place
                line_end = len(data)
            if line_end > 0:
                line = data[place + 3 : line_end].rstrip(b" \t\r")
                if (level := self._levels.get(line)) is not None:
                    return _Delimiter(place, min(line_end + 1, len(data)), level, False)
                if line.endswith(b"--") and (level := self._levels.get(line[:-2])) is not None:
                    # The line end after it may belong to the delimiter of an outer multipart.
                    after = line_end - 1 if data[line_end - 1] == _CR else line_end
                    return _Delimiter(place, after, level, True)
            place = data.find(self._needle, place + 1, limit)
        return None

    def _settled(self, data: bytes) -> int:
        """Up to where nothing still to come can change the meaning: all but a line that may become a delimiter."""
        end = len(data)
        newline = data.rfind(b"\n", max(self._at - 1, end - _MAX_DELIMITER))
        if newline >= 0:
            line = data[newline : newline + len(self._needle) + 2]
            if self._needle.startswith(line):
                end = newline
        if end > self._at and data[end - 1] == _CR:
            end -= 1
        return max(self._at, end)

    def _take_delimiter(self, data: bytes, found: _Delimiter) -> None:
        """Close what the delimiter line closes and open what it opens."""
        self._close_above(found.level, self._base + self._at)
        self._newlines += data.count(b"\n", self._at, found.after)
        self._counting = True
        self._at = found.after
        self._in_header = False
        if found.closing:
            self._close_multiparts(found.level)
        elif self._parts >= MAX_PARTS:
            self._close_multiparts(0)
        else:
            self._open_part(self._open[found.level])

    def _open_part(self, parent: Part) -> None:
        here = self._base + self._at
        part = Part(here, here, here, self._newlines, is_message=parent.content.holds_message)
        parent.children.append(part)
        if parent.content.subtype == b"digest" and parent.content.is_multipart:
            part.content = MESSAGE
        self._open.append(part)
        self._parts += 1
        self._room = max(min(MAX_HEADER, self._budget), SMALL_HEADER)
        self._in_header = True

    def _close_above(self, level: int, end: int) -> None:
        """Close the open parts above this level: their bodies end here."""
        self._close_multiparts(level + 1)
        while len(self._open) > level + 1:
            part = self._open.pop()
            part.body_end = max(part.body_start, end)
            part.lines = self._newlines - part.lines
            if part is self._sampling:
                part.sample = self._sample
                self._sampling = None
            if part.content.holds_message:
                self._messages_inside -= 1
            elif part.content.is_multipart and not part.children:
                # A multipart must have a part (RFC 9051 §9 body-type-mpart), and what is there should be readable.
                part.children.append(Part(part.body_start, part.body_start, part.body_end, part.lines))

    def _open_multipart(self, boundary: bytes) -> None:
        """Lines with this boundary are delimiters from here on."""
        if self._multiparts:
            common = self._needle[3:]
            while not boundary.startswith(common):
                common = common[: len(common) // 2]
        else:
            common = boundary
        self._multiparts.append(_Open(boundary, len(self._open) - 1, b"\n--" + common))
        self._needle = self._multiparts[-1].needle
        self._levels[boundary] = len(self._open) - 1

    def _close_multiparts(self, level: int) -> None:
        """Lines with the boundaries of the multiparts from this level on are text from here on."""
        multiparts = self._multiparts
        if multiparts and multiparts[-1].level >= level:
            while multiparts and multiparts[-1].level >= level:
                multiparts.pop()
            self._needle = multiparts[-1].needle if multiparts else b""
            self._levels = {one.boundary: one.level for one in multiparts}

    def _pass_body(self, data: bytes, end: int) -> None:
        """Account for body octets up to `end`."""
        if self._counting:
            self._newlines += data.count(b"\n", self._at, end)
        if self._sampling is not None and len(self._sample) < SAMPLE:
            self._sample += data[self._at : min(end, self._at + SAMPLE - len(self._sample))]
        self._at = end

    def _keep_header(self, data: bytes, end: int) -> None:
        """Account for header octets up to `end`, keeping them while there is room."""
        self._header += data[self._at : min(end, self._at + self._room - len(self._header))]
        self._newlines += data.count(b"\n", self._at, end)
        self._at = end

    def _end_header(self, data: bytes, end: int, body_start: int) -> None:
        """The header block ends at `end`, the body begins at `body_start`: read the one, prepare for the other."""
        self._keep_header(data, end)
        self._newlines += data.count(b"\n", end, body_start)
        self._at = body_start
        block, self._header = self._header, b""
        self._budget -= min(self._budget, len(block))
        self._in_header = False
        part = self._open[-1]
        part.body_start = self._base + body_start
        part.lines = self._newlines
        if part.is_message:
            part.header = block
        part.content = content = parse_content(block, in_digest=part.content is MESSAGE)
        is_limit = len(self._open) >= MAX_DEPTH or self._parts >= MAX_PARTS
        if content.is_multipart:
            if not is_limit and (boundary := boundary_of(content.params)):
                self._open_multipart(boundary)
        elif content.holds_message:
            if is_limit:
                part.content = content._replace(type=b"application", subtype=b"octet-stream")
            else:
                self._messages_inside += 1
                self._open_part(part)
        elif content.type != b"text":
            self._counting = self._messages_inside > 0
        elif content.is_shown_text and content.subtype not in self._sampled:
            self._sampled.add(content.subtype)
            self._sampling = part
            self._sample = b""
