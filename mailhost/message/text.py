"""The text a search looks through: fields and text parts, decoded (RFC 9051 §6.4.4 BODY and TEXT)."""

import re
from collections.abc import Collection, Iterator
from typing import Final

from mailhost.message.casemap import casemap
from mailhost.message.encoded import decode_header, decode_text, decode_transfer
from mailhost.message.headers import parse_fields
from mailhost.message.html import declared_charset, html_to_text
from mailhost.message.mime import Content, Params, param, unfold
from mailhost.message.scan import Part, Scanner

MAX_SEARCHED: Final = 8 * 1024 * 1024
"""Octets of text parts, before decoding, that are looked at in one message; attachments do not count."""

FieldValues = list[tuple[str, str]]
"""Names and values of fields, in their order."""

_SIGNATURES: Final = frozenset(("dkim-signature", "arc-seal", "arc-message-signature", "x-google-dkim-signature"))
# A line end that only keeps lines short, and the marks of quoting and the blank before the next line (RFC 3676 §4).
_DELETED_BLANK: Final = re.compile(r"(?<!\n--) \r?\n(?:>+ ?| )?")
# Calendars and visiting cards (RFC 5545 §3.1 and §3.3.11, RFC 6350 §3.2 and §3.4), whatever they are called.
_CARD: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*+BEGIN:V(?:CALENDAR|CARD)\b", re.IGNORECASE)
_FOLD: Final = re.compile(rb"\r?\n[ \t]")
_ESCAPED_IN_CARD: Final = re.compile(r"\\([nN,;\\])")
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


def header_text(header: bytes) -> str:
    """All fields of a raw header block as `name: value` lines, decoded and unfolded, names in lower case."""
    return "\n".join(line for _, line in _lines(header))


def _lines(header: bytes) -> Iterator[tuple[str, str]]:
    """The name of each field, and the field on one line."""
    for name, value, _ in parse_fields(header):
        field = name.decode("ascii")
        yield field, f"{field}: {decode_header(unfold(value))}"


def field_values(header: bytes, names: Collection[bytes] | None = None) -> FieldValues:
    """The fields of a raw header block, or those of these names: values decoded, unfolded and as they are compared.

    Names are in lower case.
    """
    return [
        (name.decode("ascii"), compared(decode_header(unfold(value))))
        for name, value, _ in parse_fields(header)
        if names is None or name in names
    ]


def compared(text: str) -> str:
    """A piece of a field as header keys compare it: where a line is folded at a tab, readers see a blank."""
    return casemap(text.replace("\t", " "))


def searched_header(header: bytes) -> list[str]:
    """The fields that SEARCH TEXT looks through, a line each: all but signatures, in which no word is one."""
    return [line for name, line in _lines(header) if name not in _SIGNATURES]


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
            is_cut = len(body) < part.body_end - part.body_start
            yield text_of(part.content, body, is_cut=is_cut, with_alternatives=True)


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


def _is_text(part: Part) -> bool:
    """Whether a part is text to be looked through: calendars are, though many mailers attach them as something else."""
    kind = part.content
    if kind.type == b"text" or (kind.type, kind.subtype) == (b"application", b"ics"):
        return True
    if kind.type == b"message" and not kind.holds_message:
        return True  # reports of what became of a message
    return not part.children and any(name.lower().endswith(".ics") for name in _file_names(part))


def text_of(kind: Content, body: bytes, *, is_cut: bool, with_alternatives: bool = False) -> str:
    """The body of a text part, or the first octets of it, as a reader sees it.

    `with_alternatives`: a reader without pictures, who sees what stands for them.
    """
    octets = decode_transfer(body, kind.encoding)
    charset = param(kind.params, b"charset")
    if _CARD.match(octets):
        # Lines are folded anywhere, within a character, too; and a line end in a text is written `\n`.
        text = decode_text(_FOLD.sub(b"", octets), charset, is_cut=is_cut)
        return _ESCAPED_IN_CARD.sub(lambda found: "\n" if found[1] in "nN" else found[1], text)
    if kind.subtype == b"html":
        if charset in (None, b"us-ascii"):
            charset = declared_charset(octets) or charset
        return html_to_text(decode_text(octets, charset, is_cut=is_cut), with_alternatives=with_alternatives)
    text = decode_text(octets, charset, is_cut=is_cut)
    if (param(kind.params, b"delsp") or b"").lower() == b"yes":
        return _DELETED_BLANK.sub("", text)
    return text


def _file_names(part: Part) -> Iterator[str]:
    """The names of a part's file, decoded (RFC 2231, or RFC 2047 as many mailers have it)."""
    disposition = part.content.disposition
    named = {*_names(part.content.params, b"name"), *(_names(disposition[1], b"filename") if disposition else ())}
    yield from sorted(named - {""})


def _names(params: Params, name: bytes) -> Iterator[str]:
    """A parameter in each way it is written: plain, encoded, put together from its pieces (RFC 2231 §3 and §4).

    Where it is written in several, readers show one or the other.
    """
    if (plain := param(params, name)) is not None:
        yield decode_header(unfold(plain))
    if (encoded := param(params, name + b"*")) is not None:
        yield _percent_decoded(encoded)
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
    yield _percent_decoded(whole) if is_encoded else decode_header(unfold(whole))


def _percent_decoded(value: bytes) -> str:
    charset: bytes | None = None
    if value.count(b"'") >= 2:
        charset, _, value = value.split(b"'", 2)
    octets = _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), value)
    return decode_text(octets, charset or None)
