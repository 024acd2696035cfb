"""MIME header values: media types and their parameters, tolerant of what mailers write (RFC 2045 §5, RFC 2231)."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

Params = tuple[tuple[bytes, bytes], ...]
"""Parameter names in lower case and their values as they stand, quotes removed, in the order of the header."""

MAX_PARAMS: Final = 64
MAX_BOUNDARY: Final = 200
"""Octets of the longest boundary that is honoured; RFC 2046 §5.1.1 permits 70."""

_CACHED_LENGTH: Final = 200
_CONTENT_FIELD: Final = re.compile(
    rb"\n(?i:content-(type|transfer-encoding|id|description|disposition|language|location|md5))[ \t]*:"
    rb"([^\n]*(?:\n[ \t][^\n]*)*)"
)
_TYPE: Final = re.compile(rb"\s*([^\s/;,=\"()<>@:\\\[\]?]+)\s*/\s*([^\s/;,=\"()<>@:\\\[\]?]+)")
_PARAM: Final = re.compile(rb';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"?|([^;\s]*))', re.DOTALL)
_TOKEN: Final = re.compile(rb"\s*([^\s;,()\"]+)")
_QUOTED_OR_COMMENT: Final = re.compile(rb'("(?:[^"\\]|\\.)*+"?)|\((?:[^()\\]|\\.)*+\)', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)


class Content(NamedTuple):
    """What the Content- fields of a part say. Types, encodings and names of parameters are in lower case."""

    type: bytes
    subtype: bytes
    params: Params = ()
    content_id: bytes | None = None
    description: bytes | None = None
    encoding: bytes = b"7bit"
    disposition: tuple[bytes, Params] | None = None
    language: tuple[bytes, ...] = ()
    location: bytes | None = None
    md5: bytes | None = None

    @property
    def is_multipart(self) -> bool:
        """Whether the body is divided into parts."""
        return self.type == b"multipart"

    @property
    def holds_message(self) -> bool:
        """Whether the body is a message of its own."""
        return self.subtype == b"rfc822" and self.type == b"message"

    @property
    def is_shown_text(self) -> bool:
        """Whether readers show the part as (some of) the message's own text."""
        is_attached = self.disposition is not None and self.disposition[0] == b"attachment"
        return self.type == b"text" and self.subtype in (b"plain", b"html") and not is_attached


_US_ASCII: Final = ((b"charset", b"us-ascii"),)
TEXT: Final = Content(b"text", b"plain", _US_ASCII)
"""What a part is that says nothing (RFC 2045 §5.2)."""
MESSAGE: Final = Content(b"message", b"rfc822")
"""What a part of a multipart/digest is that says nothing (RFC 2046 §5.1.5)."""


def parse_content(block: bytes, in_digest: bool) -> Content:
    """What this header block says of the body after it; of fields that come twice the first counts."""
    # Mailers write the same few dozen blocks again and again; one with a boundary or a file name soon fades.
    return _cached_content(block, in_digest) if len(block) <= _CACHED_LENGTH else _content(block, in_digest)


def unfold(value: bytes) -> bytes:
    """A header value on one line, outer blanks removed (RFC 5322 §2.2.3); a stray CR or LF becomes a blank."""
    value = value.strip()
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value.replace(b"\r", b" ") if b"\r" in value else value


def without_comments(value: bytes) -> bytes:
    """The value with comments outside quoted strings removed; at most 10 levels of nested ones."""
    for _ in range(10):
        if b"(" not in value:
            break
        shorter = _QUOTED_OR_COMMENT.sub(lambda found: found[1] or b"", value)
        if shorter == value:
            break
        value = shorter
    return value


def parse_disposition(value: bytes) -> tuple[bytes, Params] | None:
    """A Content-Disposition value as (kind, parameters); None when it is empty (RFC 2183)."""
    value = without_comments(unfold(value))
    kind = _TOKEN.match(value)
    return (kind[1].lower(), _params(value, kind.end())) if kind else None


def parse_token(value: bytes) -> bytes:
    """The first token in lower case, b"" when there is none: Content-Transfer-Encoding."""
    found = _TOKEN.match(without_comments(unfold(value)))
    return found[1].lower() if found else b""


def parse_tokens(value: bytes) -> tuple[bytes, ...]:
    """The tokens of a list divided by commas: Content-Language (RFC 3282)."""
    return tuple(_TOKEN.findall(without_comments(unfold(value)))[:MAX_PARAMS])


def boundary_of(params: Params) -> bytes:
    """The boundary parameter, b"" when there is none that can be used; RFC 2231 pieces are joined."""
    pieces = []
    for name, value in params:
        if name == b"boundary":
            pieces = [value]
            break
        if name.startswith(b"boundary*"):
            pieces.append(value)
    boundary = b"".join(pieces).rstrip()
    return boundary if len(boundary) <= MAX_BOUNDARY and b"\n" not in boundary else b""


def param(params: Params, name: bytes) -> bytes | None:
    """The first parameter of this lower-case name."""
    for key, value in params:
        if key == name:
            return value
    return None


def _content(block: bytes, in_digest: bool) -> Content:
    found: dict[bytes, bytes] = {}
    for name, value in _CONTENT_FIELD.findall(b"\n" + block):
        found.setdefault(name.lower(), value)
    default = MESSAGE if in_digest else TEXT
    if not found:
        return default
    kind, subtype, params = _media_type(found[b"type"]) if b"type" in found else default[:3]
    return Content(
        kind,
        subtype,
        params,
        _text(found.get(b"id")),
        _text(found.get(b"description")),
        parse_token(found[b"transfer-encoding"]) or b"7bit" if b"transfer-encoding" in found else b"7bit",
        parse_disposition(found[b"disposition"]) if b"disposition" in found else None,
        parse_tokens(found[b"language"]) if b"language" in found else (),
        _text(found.get(b"location")),
        _text(found.get(b"md5")),
    )


_cached_content = lru_cache(maxsize=256)(_content)


def _text(value: bytes | None) -> bytes | None:
    return None if value is None else unfold(value)


def _media_type(value: bytes) -> tuple[bytes, bytes, Params]:
    """A Content-Type value; what names no type is plain text (RFC 2045 §5.2)."""
    value = without_comments(unfold(value))
    found = _TYPE.match(value)
    if found is None:
        return TEXT[:3]
    kind, subtype = found[1].lower(), found[2].lower()
    params = _params(value, found.end())
    if kind == b"text" and param(params, b"charset") is None:
        params += _US_ASCII
    return kind, subtype, params


def _params(value: bytes, start: int) -> Params:
    params = []
    for found in _PARAM.finditer(value, start):
        quoted = found[2]
        if quoted is not None and b"\\" in quoted:
            quoted = _ESCAPE.sub(rb"\1", quoted)
        params.append((found[1].lower(), found[3] if quoted is None else quoted))
        if len(params) == MAX_PARAMS:
            break
    return tuple(params)
