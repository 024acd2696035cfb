"""What an SMTP server says: reply lines (RFC 5321 §4.2) with enhanced status codes (RFC 2034)."""

from __future__ import annotations

from collections.abc import Iterable


def reply(code: int, text: str, status: str = "") -> bytes:
    """One reply, of several lines when `text` has line breaks; `status` (such as `5.1.1`) stands on each line."""
    prefix = f"{status} " if status else ""
    if "\n" not in text:
        return f"{code} {prefix}{text}\r\n".encode()
    lines = text.split("\n")
    head = [f"{code}-{prefix}{line}" for line in lines[:-1]]
    return "\r\n".join([*head, f"{code} {prefix}{lines[-1]}", ""]).encode()


def greeting(host: str, connection_id: str, *, lmtp: bool = False) -> bytes:
    """The first line a client sees; the id is for people to quote."""
    return reply(220, f"{host} {'LMTP' if lmtp else 'ESMTP'} {connection_id} Mailhost")


def hello(host: str, peer: str, keywords: Iterable[str]) -> bytes:
    """The answer to EHLO or LHLO: the host, then one keyword a line."""
    return reply(250, "\n".join([f"{host} at your service, [{peer}]", *keywords]))


def challenge(text: bytes) -> bytes:
    """A SASL challenge; `text` is base64."""
    return b"334 " + text + b"\r\n"
