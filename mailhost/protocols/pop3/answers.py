"""What a POP3 server says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

END: Final = b".\r\n"
"""Ends an answer of several lines."""


def ok(text: str) -> bytes:
    """A good answer, or the first line of one of several lines."""
    return f"+OK {text}\r\n".encode()


def err(text: str, code: str = "") -> bytes:
    """A refusal; `code` is an extended response code such as `IN-USE` (RFC 2449 §8, RFC 3206)."""
    return f"-ERR [{code}] {text}\r\n".encode() if code else f"-ERR {text}\r\n".encode()


def listing(first: str, lines: Iterable[str]) -> bytes:
    """An answer of several lines, none of which starts with a dot."""
    return "\r\n".join([f"+OK {first}", *lines, ".", ""]).encode()


def challenge(text: bytes) -> bytes:
    """A SASL challenge; `text` is base64."""
    return b"+ " + text + b"\r\n"
