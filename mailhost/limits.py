"""How much is too much: counters that know no clock and no network."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Places(Generic[K]):
    """How many of something every key holds at the moment, and at most `most` of them."""

    __slots__ = ("_held", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: dict[K, int] = {}

    def take(self, key: K) -> bool:
        """Hold one more; False, and nothing held, when the key has its most."""
        held = self._held.get(key, 0)
        if held >= self.most:
            return False
        self._held[key] = held + 1
        return True

    def give_back(self, key: K) -> None:
        """Hold one less."""
        held = self._held.get(key, 0) - 1
        if held > 0:
            self._held[key] = held
        else:
            self._held.pop(key, None)

    def held(self, key: K) -> int:
        """How many the key holds."""
        return self._held.get(key, 0)
