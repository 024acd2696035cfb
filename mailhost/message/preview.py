"""The line or two of its own text that a mailbox shows beside a message's subject."""

import re
from collections.abc import Iterator
from typing import Final

from mailhost.message.scan import SAMPLE, Part
from mailhost.message.text import text_of

MAX_PREVIEW: Final = 200
_LOOKED_AT: Final = 4096  # characters; a quotation above the author's own words may be long
_LINE_LOOKED_AT: Final = 4 * MAX_PREVIEW  # characters; some programs write a paragraph, or all, as one line

# Control characters, and what newsletters fill the line with so that nothing else shows there.
_INVISIBLE: Final = re.compile(r"[\x00-\x1f\x7f\u00ad\u034f\u180e\u200b-\u200f\u2028-\u202f\u2060\ufeff]+")
_SEPARATOR: Final = re.compile(r"(?:-{3,}|_{8,}|={8,}|\*{8,})[^-_=*]{0,60}(?:-{3,}|_*|=*|\**)")
_FORWARD: Final = re.compile(r"-{4,}\s*(?:original|forwarded|ursprüngliche|message|原始邮件|转发)", re.IGNORECASE)


def preview_of(root: Part) -> str:
    """At most 200 characters of the message's own text, without quoted text, markup and line breaks."""
    samples = list(_samples(root))
    samples.sort(key=lambda part: part.content.subtype != b"plain")
    for part in samples:
        text = text_of(part.content, part.sample, is_cut=len(part.sample) >= SAMPLE)[:_LOOKED_AT]
        own = _one_line(_own_lines(text)) or _one_line(text.splitlines())
        if own:
            return own
    return ""


def _samples(part: Part) -> Iterator[Part]:
    if part.sample:
        yield part
    for child in part.children:
        yield from _samples(child)


def _own_lines(text: str) -> Iterator[str]:
    """The lines the author wrote: no quotation, no line that introduces one, no signature, no older message."""
    held: str | None = None  # a line that ends in ":" introduces a quotation, or not
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(">"):
            held = None
            continue
        if not stripped:
            continue
        if held is not None:
            yield held
            held = None
        if line.rstrip("\r\n") == "-- " or _FORWARD.match(stripped):
            return
        if _SEPARATOR.fullmatch(stripped):
            continue
        if stripped.endswith((":", "：")):
            held = stripped
        else:
            yield stripped
    if held is not None:
        yield held


def _one_line(lines: Iterator[str] | list[str]) -> str:
    pieces: list[str] = []
    length = 0
    for line in lines:
        raw = line[:_LINE_LOOKED_AT]
        is_plain = raw.isascii() and raw.isprintable()
        piece = " ".join((raw if is_plain else _INVISIBLE.sub(" ", raw)).split())
        if piece:
            pieces.append(piece)
            length += len(piece) + 1
            if length > MAX_PREVIEW:
                break
    return " ".join(pieces)[:MAX_PREVIEW].rstrip()
