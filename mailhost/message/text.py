"""The text a search looks through: fields and text parts, decoded (RFC 9051 §6.4.4 BODY and TEXT)."""

import re
from collections.abc import Iterator
from typing import Final

from mailhost.message.casemap import casemap
from mailhost.message.encoded import decode_header, decode_text, decode_transfer
from mailhost.message.headers import parse_fields
from mailhost.message.html import html_to_text
from mailhost.message.mime import Params, param, unfold
from mailhost.message.scan import Part, Scanner

MAX_SEARCHED: Final = 8 * 1024 * 1024
"""Octets of text parts, before decoding, that are looked at in one message; attachments do not count."""

FieldValues = list[tuple[str, str]]
"""Names and values of fields, in their order."""

_SIGNATURES: Final = frozenset(("dkim-signature", "arc-seal", "arc-message-signature", "x-google-dkim-signature"))
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


def header_text(header: bytes) -> str:
    """All fields of a raw header block as `name: value` lines, decoded and unfolded, names in lower case."""
    lines = (f"{name.decode('ascii')}: {decode_header(unfold(value))}" for name, value, _ in parse_fields(header))
    return "\n".join(lines)


def field_values(header: bytes) -> FieldValues:
    """All fields of a raw header block: names in lower case, values decoded, unfolded and ready to be compared."""
    return [(name.decode("ascii"), casemap(decode_header(unfold(value)))) for name, value, _ in parse_fields(header)]


def searched_header(header: bytes) -> list[str]:
    """The fields that SEARCH TEXT looks through, a line each: all but signatures, in which no word is one."""
    lines = header_text(header).split("\n")
    return [line for line in lines if line.partition(":")[0] not in _SIGNATURES]


def body_texts(content: bytes) -> Iterator[str]:
    """The texts of a message's body: each text part, markup removed, names of files, and headers of messages inside."""
    scanner = Scanner()
    scanner.feed(content)
    left = MAX_SEARCHED
    for part in _walk(scanner.finish()):
        if part.is_message and part.header_start > 0:
            yield header_text(part.header)
        yield from _file_names(part)
        if left > 0 and _is_text(part):
            body = content[part.body_start : min(part.body_end, part.body_start + left)]
            left -= len(body)
            yield _part_text(part, body)


def attached(content: bytes) -> tuple[list[str], bool]:
    """The names of all files in a message, decoded, and whether a part of it is an attachment."""
    scanner = Scanner()
    scanner.feed(content)
    parts = list(_walk(scanner.finish()))
    names = [name for part in parts for name in _file_names(part)]
    return names, any(part.content.disposition and part.content.disposition[0] == b"attachment" for part in parts)


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


def _is_text(part: Part) -> bool:
    """Whether a part is text to be looked through: calendars are, though many mailers attach them as something else."""
    kind = part.content
    if kind.type == b"text" or (kind.type, kind.subtype) == (b"application", b"ics"):
        return True
    return not part.children and any(name.lower().endswith(".ics") for name in _file_names(part))


def _file_names(part: Part) -> Iterator[str]:
    """The names of a part's file, decoded (RFC 2231, or RFC 2047 as many mailers have it)."""
    disposition = part.content.disposition
    named = {_whole(disposition[1], b"filename") if disposition else "", _whole(part.content.params, b"name")}
    yield from sorted(named - {""})


def _whole(params: Params, name: bytes) -> str:
    """A parameter put together from its pieces (RFC 2231 §3 and §4), or empty."""
    plain = param(params, name)
    if plain is not None:
        return decode_header(unfold(plain))
    encoded = param(params, name + b"*")
    if encoded is not None:
        return _percent_decoded(encoded)
    pieces: list[bytes] = []
    is_encoded = param(params, name + b"*0*") is not None
    while len(pieces) <= len(params):
        number = b"%b*%d" % (name, len(pieces))
        starred = param(params, number + b"*")
        piece = param(params, number) if starred is None else starred
        if piece is None:
            break
        # A piece without a star is taken as it is; escaped, it survives the decoding of the whole.
        pieces.append(piece if starred is not None or not is_encoded else piece.replace(b"%", b"%25"))
    whole = b"".join(pieces)
    return _percent_decoded(whole) if is_encoded else decode_header(unfold(whole))


def _percent_decoded(value: bytes) -> str:
    charset: bytes | None = None
    if value.count(b"'") >= 2:
        charset, _, value = value.split(b"'", 2)
    octets = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), value)
    return decode_text(octets, charset or None)
