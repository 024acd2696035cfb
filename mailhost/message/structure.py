"""IMAP's BODYSTRUCTURE of a part tree, and BODY, its short form (RFC 9051 §7.5.2, §9 body)."""

import re
from functools import lru_cache
from typing import Final

from mailhost.message.envelope import ENVELOPE_FIELDS, render_envelope
from mailhost.message.headers import first_values, parse_fields
from mailhost.message.mime import Content, Params
from mailhost.message.render import nstring, string
from mailhost.message.scan import Part

_ATOM_OR_STRING: Final = re.compile(rb'[ ]*(?:(\()|(\))|"(?:[^"\\]|\\.)*+"|\{([0-9]+)\}\r\n|[^\s()"{]++)')


def render_structure(part: Part) -> bytes:
    """The BODYSTRUCTURE of this part with all extension data, ready to be sent."""
    content = part.content
    head, tail = _constant(content)
    if content.is_multipart:
        return b"(%b%b%b" % (b"".join(map(render_structure, part.children)), head, tail)
    inner = b""
    if content.holds_message:
        [message] = part.children
        values = first_values(parse_fields(message.header), ENVELOPE_FIELDS)
        inner = b" %b %b %d" % (render_envelope(values), render_structure(message), part.lines)
    elif content.type == b"text":
        inner = b" %d" % part.lines
    return b"(%b %d%b%b" % (head, part.body_end - part.body_start, inner, tail)


def body_of(bodystructure: bytes) -> bytes:
    """The BODY form of a rendered BODYSTRUCTURE: the same without extension data."""
    short, _ = _shorten(bodystructure, 0)
    return short


def _shorten(text: bytes, start: int) -> tuple[bytes, int]:
    """The short form of the body whose "(" is at `start`, and the place behind its ")"."""
    place = start + 1
    if text[place : place + 1] == b"(":
        pieces = []
        while text[place : place + 1] == b"(":
            piece, place = _shorten(text, place)
            pieces.append(piece)
        subtype_end = _skip(text, place)
        short = b"(%b%b)" % (b"".join(pieces), text[place:subtype_end])
        return short, _skip_to_end(text, subtype_end)
    kind_end = _skip(text, _skip(text, place))
    kind = text[place:kind_end].lower()
    place = kind_end
    for _ in range(5):  # parameters id description encoding octets
        place = _skip(text, place)
    if kind == b'"message" "rfc822"':
        envelope_end = _skip(text, place)
        body, body_end = _shorten(text, envelope_end + 1)
        lines_end = _skip(text, body_end)
        short = b"%b %b%b)" % (text[start:envelope_end], body, text[body_end:lines_end])
        return short, _skip_to_end(text, lines_end)
    if kind.startswith(b'"text" '):
        place = _skip(text, place)
    return text[start:place] + b")", _skip_to_end(text, place)


def _skip(text: bytes, place: int) -> int:
    """The place behind the next item, a list or a string, and the blank before it."""
    depth = 0
    while found := _ATOM_OR_STRING.match(text, place):
        place = found.end()
        if found[1]:
            depth += 1
        elif found[2]:
            depth -= 1
        elif found[3]:
            place += int(found[3])
        if depth <= 0:
            break
    return place


def _skip_to_end(text: bytes, place: int) -> int:
    """The place behind the ")" of the list `place` is in."""
    while text[place : place + 1] != b")":
        place = _skip(text, place)
    return place + 1


@lru_cache(maxsize=256)
def _constant(content: Content) -> tuple[bytes, bytes]:
    """What the Content- fields alone decide, before and behind what depends on the part."""
    extension = b" %b %b %b)" % (_disposition(content), _language(content.language), nstring(content.location))
    if content.is_multipart:
        return b" " + string(content.subtype), b" " + _params(content.params) + extension
    head = b"%b %b %b %b %b %b" % (
        string(content.type),
        string(content.subtype),
        _params(content.params),
        nstring(content.content_id),
        nstring(content.description),
        string(content.encoding),
    )
    return head, b" " + nstring(content.md5) + extension


def _params(params: Params) -> bytes:
    if not params:
        return b"NIL"
    return b"(%b)" % b" ".join(b"%b %b" % (string(name), string(value)) for name, value in params)


def _disposition(content: Content) -> bytes:
    if content.disposition is None:
        return b"NIL"
    kind, params = content.disposition
    return b"(%b %b)" % (string(kind), _params(params))


def _language(languages: tuple[bytes, ...]) -> bytes:
    if not languages:
        return b"NIL"
    if len(languages) == 1:
        return string(languages[0])
    return b"(%b)" % b" ".join(map(string, languages))
