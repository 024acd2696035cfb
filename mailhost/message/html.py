"""HTML to the text a reader sees, well enough for search and previews; a bounded pass with expressions, no parser."""

import html
import re
from typing import Final

# Each alternative is tried once at "<" and never goes back, so hostile markup costs no more than its length. Atomic
# groups, for `(...)*+` loses its place in Python before 3.11.5 where the last turn fails half way.
_MARKUP: Final = re.compile(
    r"<(?:!--(?>[^-]*(?:-(?!->)[^-]*)*)(?:-->)?"
    r"|(?P<hidden>style|script|head|title|template|svg)\b(?>[^<]*(?:<(?!/(?P=hidden)\b)[^<]*)*)(?:</(?P=hidden)\b[^>]*+>?)?"
    r"|/?(?P<name>[a-z][a-z0-9:]*+)(?>[^>=]*(?:=\s*+(?:\"[^\"]*+\"|'[^']*+')?[^>=]*)*)>?"
    r"|[!?/][^>]*+>?)",
    re.IGNORECASE | re.DOTALL,
)
_INLINE: Final = frozenset(
    (
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "big",
        "cite",
        "code",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "mark",
        "q",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "u",
        "wbr",
    )
)


def html_to_text(markup: str) -> str:
    """The visible text, a line for each block."""
    text = _MARKUP.sub(_replacement, markup.replace("\n", " "))
    lines = (" ".join(line.split()) for line in html.unescape(text).split("\n"))
    return "\n".join(filter(None, lines))


def _replacement(found: re.Match[str]) -> str:
    name = found["name"]
    if name is None:
        return ""
    return "" if name.lower() in _INLINE else "\n"
