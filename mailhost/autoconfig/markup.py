"""XML from strangers, read safely, and our own, written."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree
from xml.parsers import expat

from mailhost.errors import MailhostError

MAX_OCTETS: Final = 65_536
_MAX_DEPTH: Final = 64


class BadMarkup(MailhostError):
    """The bytes are no XML, or XML with more in it than settings need; the message says what."""


def parse(data: bytes) -> ElementTree.Element:
    """The document's root, tags as `{namespace}name`.

    A document type is refused in every encoding, and so are entities, which could name files or grow without end; too
    many octets and too deep a nesting as well. Raises BadMarkup.
    """
    if len(data) > MAX_OCTETS:
        raise BadMarkup(f"it has more than {MAX_OCTETS} octets")
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise BadMarkup("it is nested too deeply")
        builder.start(_name(tag), {_name(key): value for key, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_name(tag))

    def refuse(*_: object) -> None:
        raise BadMarkup("it has a document type")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two are of encodings Python does not know
        raise BadMarkup(f"it is no XML: {error}") from error
    return builder.close()


def _name(tag: str) -> str:
    return "{" + tag if "}" in tag else tag


def write(root: ElementTree.Element) -> bytes:
    """The document in UTF-8, indented for people who look at it."""
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"
