"""The text a search looks through: fields and text parts, decoded (RFC 9051 §6.4.4 BODY and TEXT)."""

from collections.abc import Iterator
from typing import Final

from mailhost.message.encoded import decode_header, decode_text, decode_transfer
from mailhost.message.headers import parse_fields
from mailhost.message.html import html_to_text
from mailhost.message.mime import param, unfold
from mailhost.message.scan import Part, Scanner

MAX_SEARCHED: Final = 8 * 1024 * 1024
"""Octets of text parts, before decoding, that are looked at in one message; attachments do not count."""


def header_text(header: bytes) -> str:
    """All fields of a raw header block as `name: value` lines, decoded and unfolded, names in lower case."""
    lines = (f"{name.decode('ascii')}: {decode_header(unfold(value))}" for name, value, _ in parse_fields(header))
    return "\n".join(lines)


def body_texts(content: bytes) -> Iterator[str]:
    """The texts of a message's body: each text part, markup removed, and the headers of messages inside.

    They come one by one, so that a search may stop at the first that matches.
    """
    scanner = Scanner()
    scanner.feed(content)
    left = MAX_SEARCHED
    for part in _walk(scanner.finish()):
        if part.is_message and part.header_start > 0:
            yield header_text(part.header)
        if part.content.type == b"text" and left > 0:
            body = content[part.body_start : min(part.body_end, part.body_start + left)]
            left -= len(body)
            yield _part_text(part, body)


def _walk(part: Part) -> Iterator[Part]:
    yield part
    for child in part.children:
        yield from _walk(child)


def _part_text(part: Part, body: bytes) -> str:
    octets = decode_transfer(body, part.content.encoding)
    text = decode_text(
        octets, param(part.content.params, b"charset"), is_cut=len(body) < part.body_end - part.body_start
    )
    return html_to_text(text) if part.content.subtype == b"html" else text
