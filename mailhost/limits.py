"""How much is too much: counters that the processes of one server share, and the rules that differ between accounts."""

from __future__ import annotations

import mmap
from collections.abc import Hashable
from enum import Enum
from functools import lru_cache
from typing import Annotated, Final, Generic, TypeVar

import msgspec

K = TypeVar("K", bound=Hashable)

_WIDTH: Final = 1 << 14
"""Counters of a board: two keys that share one, one pair in sixteen thousand, are counted together."""


class Board:
    """Counters in memory that forked processes share. Each writes its own and reads all, so that nobody waits."""

    def __init__(self, processes: int = 1, width: int = _WIDTH) -> None:
        self._memory = mmap.mmap(-1, processes * width * 4)
        counters = memoryview(self._memory).cast("I")
        self.rows = [counters[start : start + width] for start in range(0, processes * width, width)]
        self.width = width

    def clear(self, process: int) -> None:
        """A process has died; what it held is free."""
        self.rows[process][:] = memoryview(bytes(self.width * 4)).cast("I")


class Places(Generic[K]):
    """How many of something every key holds at the moment, and at most `most` of them over all processes."""

    __slots__ = ("_mine", "_rows", "_width", "most")

    def __init__(self, most: int, board: Board | None = None, process: int = 0) -> None:
        board = board or Board()
        self.most = most
        self._rows = board.rows
        self._mine = board.rows[process]
        self._width = board.width

    def take(self, key: K) -> bool:
        """Hold one more; False, and nothing held, when the key has its most."""
        column = self._column(key)
        if sum(row[column] for row in self._rows) >= self.most:
            return False
        self._mine[column] += 1
        return True

    def give_back(self, key: K) -> None:
        """Hold one less."""
        column = self._column(key)
        if self._mine[column]:
            self._mine[column] -= 1

    def held(self, key: K) -> int:
        """How many the key holds."""
        column = self._column(key)
        return sum(row[column] for row in self._rows)

    def _column(self, key: K) -> int:
        return hash(key) % self._width


class Unusual(Enum):
    """What happens to a sign-in with a right password that looks like somebody else's."""

    ALLOW = "allow"
    ALERT = "alert"  # let in, and the owner is told
    HOLD = "hold"  # likewise; and the most unusual ones wait for the owner's word


Count = Annotated[int, msgspec.Meta(ge=1)]


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What an account may; None leaves it to the domain's rules, and there to the settings. Octets are a day's."""

    imap: bool | None = None
    pop3: bool | None = None
    smtp: bool | None = None
    imap_connections: Count | None = None
    imap_download: Count | None = None
    imap_upload: Count | None = None
    pop3_download: Count | None = None
    commands_a_minute: Count | None = None
    unusual: Unusual | None = None

    def over(self, other: Rules) -> Rules:
        """These rules, and where they say nothing the other ones."""
        chosen = {name: getattr(self, name) for name in self.__struct_fields__}
        return Rules(**{name: getattr(other, name) if mine is None else mine for name, mine in chosen.items()})

    def to_text(self) -> str:
        """As a column holds them; empty when they say nothing."""
        text = msgspec.json.encode(self).decode()
        return "" if text == "{}" else text


NO_RULES: Final = Rules()


@lru_cache(maxsize=1_024)
def read_rules(text: str) -> Rules:
    """The rules of a column."""
    return msgspec.json.decode(text, type=Rules) if text else NO_RULES


def rules_of(account: str, domain: str, settings: Rules) -> Rules:
    """What holds for an account, from the two columns and the settings, whose every rule is set."""
    return _merged(account, domain, settings) if account or domain else settings


@lru_cache(maxsize=4_096)
def _merged(account: str, domain: str, settings: Rules) -> Rules:
    return read_rules(account).over(read_rules(domain)).over(settings)


def shown_size(octets: int) -> str:
    """How much is stored, or may be, for people: `1.5 GiB`."""
    size, unit = float(octets), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.0f} {unit}" if abs(size) >= 10 or size.is_integer() else f"{size:.1f} {unit}"
