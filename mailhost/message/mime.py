"""MIME header values: media types and their parameters, tolerant of what mailers write (RFC 2045 §5, RFC 2231)."""

import re
from functools import lru_cache
from typing import Final

Params = tuple[tuple[bytes, bytes], ...]
"""Parameter names in lower case and their values as they stand, quotes removed, in the order of the header."""

MAX_PARAMS: Final = 64
MAX_BOUNDARY: Final = 200
"""Octets of the longest boundary that is honoured; RFC 2046 §5.1.1 permits 70."""

_CACHED_LENGTH: Final = 128
_TYPE: Final = re.compile(rb"\s*([^\s/;,=\"()<>@:\\\[\]?]+)\s*/\s*([^\s/;,=\"()<>@:\\\[\]?]+)")
_PARAM: Final = re.compile(rb';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"?|([^;\s]*))', re.DOTALL)
_TOKEN: Final = re.compile(rb"\s*([^\s;,()\"]+)")
_QUOTED_OR_COMMENT: Final = re.compile(rb'("(?:[^"\\]|\\.)*+"?)|\((?:[^()\\]|\\.)*+\)', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)
_FOLD: Final = re.compile(rb"\r?\n")


def unfold(value: bytes) -> bytes:
    """A header value on one line, outer blanks removed (RFC 5322 §2.2.3); a stray CR or LF becomes a blank."""
    value = value.strip()
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
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


def parse_media_type(value: bytes) -> tuple[bytes, bytes, Params] | None:
    """A Content-Type value as (type, subtype, parameters) in lower case; None when it names no type."""
    return _cached_media_type(value) if len(value) <= _CACHED_LENGTH else _media_type(value)


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


def _media_type(value: bytes) -> tuple[bytes, bytes, Params] | None:
    value = without_comments(unfold(value))
    found = _TYPE.match(value)
    if found is None:
        return None
    return found[1].lower(), found[2].lower(), _params(value, found.end())


# Mailers write the same few dozen values again and again; one with a boundary is longer than the limit or fades soon.
_cached_media_type = lru_cache(maxsize=512)(_media_type)


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
