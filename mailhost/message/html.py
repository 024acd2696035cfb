"""HTML to the text a reader sees, well enough for search and previews; a bounded pass with expressions, no parser."""

import html
import re
from typing import Final

from mailhost.message.tokens import unwrapped

# Each alternative is tried once at "<" and never goes back, so hostile markup costs no more than its length. Atomic
# groups, for `(...)*+` loses its place in Python before 3.11.5 where the last turn fails half way. What stands in the
# head and is no title or style is shown, as browsers do: many programs forget to end it.
_MARKUP: Final = re.compile(
    r"<(?:!--(?:-?>|(?>[^-]*(?:-(?!-!?>)[^-]*)*)(?:--!?>)?)"
    r"|(?P<hidden>style|script|title|template)(?![a-z0-9:-])(?>[^<]*(?:<(?!/(?P=hidden)\b)[^<]*)*)(?:</(?P=hidden)\b[^>]*+>?)?"
    r"|/?(?P<name>[a-z][a-z0-9:]*+)(?>[^>=]*(?:=\s*+(?:\"[^\"]*+\"|'[^']*+')?[^>=]*)*)>?"
    r"|[!?/][^>]*+>?)",
    re.IGNORECASE | re.DOTALL,
)
# Any other element, known or not, stands in the line and may stand in a word.
_BLOCKS: Final = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "br", "button", "caption", "center", "col", "dd"),
        *("details", "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form"),
        *("frame", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "iframe", "img", "input"),
        *("legend", "li", "link", "main", "menu", "meta", "nav", "object", "ol", "optgroup", "option", "p", "pre"),
        *("section", "select", "summary", "table", "tbody", "td", "textarea", "tfoot", "th", "thead", "tr", "ul"),
    )
)
# Where a text says nothing of its charset, its markup may.
_META: Final = re.compile(rb"<meta\s[^>]*?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_META_WITHIN: Final = 2_048


_ATTRIBUTE: Final = re.compile(r"([^\s/>=]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]*+)))?")
_PICTURES: Final = frozenset(("area", "img"))


def declared_charset(octets: bytes) -> bytes | None:
    """The charset that the markup names itself."""
    found = _META.search(octets, 0, _META_WITHIN)
    return found[1] if found else None


def html_to_text(markup: str, *, with_alternatives: bool = False) -> str:
    """The visible text, a line for each block; `with_alternatives`: and what stands for pictures not shown (`alt`).

    A `title` is left out: it shows only where somebody points at it.
    """
    replacement = _alternative if with_alternatives else _replacement
    text = _MARKUP.sub(replacement, unwrapped(markup).replace("\n", " "))
    lines = (" ".join(line.split()) for line in html.unescape(text).split("\n"))
    return "\n".join(filter(None, lines))


def _replacement(found: re.Match[str]) -> str:
    name = found["name"]
    if name is None:
        return ""
    return "\n" if name.lower() in _BLOCKS else ""


def _alternative(found: re.Match[str]) -> str:
    name = found["name"]
    if name is None or name.lower() not in _PICTURES:
        return _replacement(found)
    for attribute in _ATTRIBUTE.finditer(found.string, found.end("name"), found.end()):
        if attribute[1].lower() == "alt":
            return f"\n{attribute[2] or attribute[3] or attribute[4] or ''}\n"
    return "\n"
