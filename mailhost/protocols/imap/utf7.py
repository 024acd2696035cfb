"""Modified UTF-7, the encoding of mailbox names before UTF8=ACCEPT (RFC 3501 §5.1.3)."""

import re
from base64 import b64decode, b64encode
from typing import Final

_SHIFTED: Final = re.compile("[^ -~]+|&")
_ENCODED: Final = re.compile(rb"&([A-Za-z0-9+,]*)-")


class InvalidUtf7(ValueError):
    """The bytes are not a mailbox name in modified UTF-7."""


def encode_utf7(name: str) -> bytes:
    """The name in modified UTF-7. The name must not hold lone surrogates."""
    return _SHIFTED.sub(_shift, name).encode("ascii")


def decode_utf7(data: bytes) -> str:
    """The name that `data` encodes. Raises InvalidUtf7 for anything but the one canonical encoding.

    Two spellings of one name would be two mailboxes to a client and one to us, so only the canonical one is taken.
    """
    pieces: list[str] = []
    place = 0
    for match in _ENCODED.finditer(data):
        pieces.append(_plain(data[place : match.start()]))
        pieces.append(_unshift(match[1]))
        place = match.end()
    pieces.append(_plain(data[place:]))
    name = "".join(pieces)
    if encode_utf7(name) != data:
        raise InvalidUtf7
    return name


def _shift(match: re.Match[str]) -> str:
    text = match[0]
    if text == "&":
        return "&-"
    encoded = b64encode(text.encode("utf-16-be"), b"+,").rstrip(b"=")
    return f"&{encoded.decode()}-"


def _plain(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise InvalidUtf7 from error


def _unshift(encoded: bytes) -> str:
    if not encoded:
        return "&"
    try:
        return b64decode(encoded + b"=" * (-len(encoded) % 4), b"+,", validate=True).decode("utf-16-be")
    except ValueError as error:
        raise InvalidUtf7 from error
