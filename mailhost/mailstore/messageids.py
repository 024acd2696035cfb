"""Sets of message ids, small enough that a search may ask for a thousand words that every message has."""

from collections.abc import Collection, Iterator, Mapping, Set
from itertools import compress
from typing import Final

_BITS_OF_ONE: Final = 500
"""So much room an id takes in a set, about; where it is one of many, a bit for each below it takes less."""
_OCTETS_OF_ONE: Final = 100
_DIGITS: Final = bytes.maketrans(b"\0\1", b"01")
_VALUES: Final = bytes.maketrans(b"01", b"\0\1")


class MessageIds(Set[int]):
    """Ids of messages: a bit for each as far as the highest, or a plain set where they are few."""

    __slots__ = ("_bits", "_count", "_few")

    def __init__(self, ids: Collection[int] = ()) -> None:
        self._bits = b""
        self._few: frozenset[int] = frozenset()
        highest = max(ids, default=0)
        if len(ids) * _BITS_OF_ONE <= highest:
            self._few = frozenset(ids)
            self._count = len(self._few)
            return
        chosen = bytearray(highest + 1)
        for message_id in ids:
            chosen[message_id] = 1
        self._count = chosen.count(1)
        self._bits = int(chosen.translate(_DIGITS)[::-1], 2).to_bytes(len(chosen) // 8 + 1, "little")

    def __contains__(self, message_id: object) -> bool:
        if not self._bits or not isinstance(message_id, int):
            return message_id in self._few
        place = message_id >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (message_id & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        return (
            compress(range(len(self._bits) * 8), self.flags(0, len(self._bits) * 8)) if self._bits else iter(self._few)
        )

    def __len__(self) -> int:
        return self._count

    def flags(self, first: int, count: int) -> bytes:
        """For each of `count` ids from `first` on an octet: 1 if it is in the set, else 0."""
        if self._bits:
            start = first >> 3
            bits = int.from_bytes(self._bits[start : (first + count >> 3) + 1], "little") >> (first & 7)
            digits = f"{bits & (1 << count) - 1:0{count}b}" if count else ""
            return digits.encode()[::-1].translate(_VALUES)
        chosen = bytearray(count)
        for message_id in self._few:
            if 0 <= message_id - first < count:
                chosen[message_id - first] = 1
        return bytes(chosen)


class Scores:
    """How well each of some messages matches, 1 to 100; 0 for all others."""

    __slots__ = ("_few", "_octets")

    def __init__(self, scores: Mapping[int, int]) -> None:
        self._octets = bytearray()
        self._few: Mapping[int, int] = {}
        highest = max(scores, default=0)
        if len(scores) * _OCTETS_OF_ONE <= highest:
            self._few = scores
            return
        self._octets = bytearray(highest + 1)
        for message_id, score in scores.items():
            self._octets[message_id] = score

    def of(self, message_id: int) -> int:
        """The score of a message."""
        if self._octets:
            return self._octets[message_id] if message_id < len(self._octets) else 0
        return self._few.get(message_id, 0)


NO_SCORES: Final = Scores({})
