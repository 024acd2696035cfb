"""What servers answer and programs show → the likeliest leaves; the patterns stand in messages.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct

_MAX_TEXT: Final = 4096  # characters of a message that are looked at


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    pattern: str
    leaves: tuple[str, ...]
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a message stands for: leaves, the likeliest first, and the words that told."""

    leaves: tuple[str, ...]
    words: str


@cache
def _entries() -> list[tuple[re.Pattern[str], _Entry]]:
    text = files(__package__).joinpath("messages.toml").read_text(encoding="utf-8")
    entries = msgspec.convert(tomllib.loads(text)["message"], list[_Entry])
    return [(re.compile(entry.pattern, re.IGNORECASE | re.DOTALL), entry) for entry in entries]


def meaning_of(text: str, provider: str = "", stages: str = "") -> Meaning | None:
    """The first pattern that fits, or None; `stages` leaves only leaves of these letters."""
    text = text[:_MAX_TEXT]
    for pattern, entry in _entries():
        if entry.provider and entry.provider != provider:
            continue
        leaves = tuple(leaf for leaf in entry.leaves if not stages or leaf[0] in stages)
        if leaves and (match := pattern.search(text)):
            return Meaning(leaves, match[0].strip())
    return None


def decode_reply(data: bytes) -> str:
    """A server's words: UTF-8, or what Chinese providers write (GB18030), or else byte by byte."""
    for charset in ("utf-8", "gb18030"):
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
