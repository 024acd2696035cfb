"""Waits for those who try different wrong passwords. In memory, bounded, and every wait ends by itself.

A right app password is never asked for a wait (75 bits cannot be guessed), so that no owner is locked out by others,
be it behind one gateway with them. What is slowed down is guessing at passwords that people chose.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from mailhost.login.model import Limits

_MARKS = 128
"""Wrong passwords remembered of one source, so that a device that repeats one is not counted again."""
_MOST_DOUBLINGS = 30
_EVERYBODY = "*"
"""Stands for the user name where a network is counted as a whole; no address is spelt like this."""


@dataclass(slots=True)
class _Source:
    """What one source got wrong: a network as a whole, or a network for one user name."""

    marks: dict[bytes, None] = field(default_factory=dict)
    wrong: int = 0
    last: float = 0.0
    until: float = 0.0


class Throttle:
    """Counts different wrong passwords of (user name, network) and of whole networks, and says who has to wait."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sources: OrderedDict[tuple[str, str], _Source] = OrderedDict()
        self._known: OrderedDict[str, dict[str, float]] = OrderedDict()  # network -> address -> until when

    def welcome(self, address: str, network: str, now: float) -> None:
        """Somebody signed in: the network is known to the account from now on.

        As many accounts are remembered of a network as make it a gateway; more would not change what follows.
        """
        known = self._known.get(network)
        if known is None:
            if len(self._known) >= self._limits.tracked:
                self._known.popitem(last=False)
            known = self._known[network] = {}
        elif address not in known and len(known) >= self._limits.gateway_accounts:
            del known[min(known, key=known.__getitem__)]
        known[address] = now + self._limits.known_seconds
        self._known.move_to_end(network)

    def admit(self, address: str, network: str, mark: bytes, now: float) -> float | None:
        """Whether a wrong password may be looked at: None, or the time at which its wait ends.

        `mark` stands for the pair of user name and password; a mark seen before is not counted again, and nothing is
        counted while a wait lasts, so that a client that keeps asking does not prolong it.
        """
        limits = self._limits
        sources = [(self._source(address, network, now), limits.wrong_per_account)]
        if not self._is_trusted(address, network, now):
            sources.append((self._source(_EVERYBODY, network, now), limits.wrong_per_network))
        until = max(source.until for source, _ in sources)
        if until > now:
            return until
        for source, free in sources:
            self._count(source, free, mark, now)
        return None

    def _count(self, source: _Source, free: int, mark: bytes, now: float) -> None:
        if mark in source.marks:
            return
        if len(source.marks) >= _MARKS:
            del source.marks[next(iter(source.marks))]
        source.marks[mark] = None
        source.wrong += 1
        source.last = now
        excess = source.wrong - free
        if excess > 0:
            wait = self._limits.first_wait_seconds * 2.0 ** min(excess - 1, _MOST_DOUBLINGS)
            source.until = now + min(wait, self._limits.longest_wait_seconds)

    def _source(self, address: str, network: str, now: float) -> _Source:
        key = (address, network)
        source = self._sources.get(key)
        if source is None or (source.until <= now and source.last + self._limits.forget_seconds <= now):
            if source is None and len(self._sources) >= self._limits.tracked:
                self._sources.popitem(last=False)
            source = self._sources[key] = _Source()
        self._sources.move_to_end(key)
        return source

    def _is_trusted(self, address: str, network: str, now: float) -> bool:
        """Known to this account, or a gateway in front of many: such a network does not wait as a whole."""
        known = self._known.get(network)
        if known is None:
            return False
        if known.get(address, 0.0) > now:
            return True
        return sum(until > now for until in known.values()) >= self._limits.gateway_accounts
