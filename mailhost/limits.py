"""How much is too much: rates and counters as small classes that are handed the time and keep no clock of their own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Rate(Generic[K]):
    """At most `burst` at once and `burst` in each `seconds`, for every key by itself (GCRA).

    It keeps one number a key: the moment at which the key has its whole burst again. Keys whose moment has passed are
    as good as new and are forgotten; so are the oldest, beyond `most_keys`.
    """

    __slots__ = ("_burst", "_full_at", "_interval", "_most_keys")

    def __init__(self, burst: int, seconds: float, most_keys: int = 100_000) -> None:
        self._burst = burst
        self._interval = seconds / burst
        self._most_keys = most_keys
        self._full_at: OrderedDict[K, float] = OrderedDict()

    def wait(self, key: K, now: float) -> float:
        """Seconds until the key may act once more; 0 when it may act now. Counts nothing."""
        full_at = self._full_at.get(key, now)
        return max(0.0, full_at - now - self._interval * (self._burst - 1))

    def hit(self, key: K, now: float) -> bool:
        """Count one act of the key; False, and nothing counted, when it is one too many."""
        full_at = max(self._full_at.get(key, now), now)
        if full_at - now > self._interval * (self._burst - 1):
            return False
        self._full_at[key] = full_at + self._interval
        self._full_at.move_to_end(key)
        self._forget(now)
        return True

    def forgive(self, key: K) -> None:
        """Give the key its whole burst again."""
        self._full_at.pop(key, None)

    def _forget(self, now: float) -> None:
        """Drop keys from the old end: two a hit, so that they go faster than they come."""
        for _ in range(2):
            if not self._full_at:
                return
            key, full_at = next(iter(self._full_at.items()))
            if full_at > now and len(self._full_at) <= self._most_keys:
                return
            del self._full_at[key]


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
