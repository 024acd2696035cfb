"""Waits for those who try different wrong passwords, counted in the store for every process; each ends by itself.

A right app password is never asked for a wait (75 bits cannot be guessed), so that no owner is locked out by others,
be it behind one gateway with them. What is slowed down is guessing at passwords that people chose.
"""

from dataclasses import dataclass

from mailhost.accounts.places.sql import accounts_in, knows_network
from mailhost.accounts.waits.sql import Wait, count_secret, count_wrong, find_waits, forget_source, let_wait
from mailhost.login.model import Limits
from mailhost.storage.database import Tx

_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Attempt:
    """A wrong secret on its way to be counted. `mark` is a keyed digest of user name and secret."""

    address: str
    account_id: int | None
    network: str
    mark: bytes
    now: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """The attempt is not looked at before `until`; `for_network` says that the network waits as a whole."""

    until: float
    for_network: bool


def source_of(network: str, address: str = "*") -> str:
    """The name under which the wrong secrets for an address from a network are counted; "*" for all addresses."""
    return f"{address} {network}"


def must_wait(tx: Tx, limits: Limits, attempt: Attempt) -> Waiting | None:
    """Whether the attempt may be looked at. A wait is neither counted nor prolonged by asking."""
    sources = [source_of(attempt.network, attempt.address)]
    if not _is_trusted(tx, limits, attempt):
        sources.append(source_of(attempt.network))
    untils = [wait.until_at if wait else 0.0 for wait in find_waits(tx, sources)]
    until = max(untils)
    return Waiting(until, untils[0] < until) if until > attempt.now else None


def count(tx: Tx, limits: Limits, attempt: Attempt) -> int:
    """Count what was not right; how many times this same secret has come by now. The same one counts only once."""
    times = _count(tx, limits, source_of(attempt.network, attempt.address), limits.wrong_per_account, attempt)
    if not _is_trusted(tx, limits, attempt):
        _count(tx, limits, source_of(attempt.network), limits.wrong_per_network, attempt)
    return times


def _count(tx: Tx, limits: Limits, source: str, free: int, attempt: Attempt) -> int:
    now = attempt.now
    [wait] = find_waits(tx, [source])
    if wait is not None and _is_over(wait, limits, now):
        forget_source(tx, source)
    times = count_secret(tx, source, attempt.mark, now)
    if times > 1:
        return times
    excess = count_wrong(tx, source, now) - free
    if excess > 0:
        seconds = limits.first_wait_seconds * 2.0 ** min(excess - 1, _MOST_DOUBLINGS)
        let_wait(tx, source, now + min(seconds, limits.longest_wait_seconds))
    return times


def _is_over(wait: Wait, limits: Limits, now: float) -> bool:
    return wait.until_at <= now and wait.last_at + limits.forget_seconds <= now


def _is_trusted(tx: Tx, limits: Limits, attempt: Attempt) -> bool:
    """Known to this account, or a gateway in front of many: such a network does not wait as a whole."""
    since = int(attempt.now - limits.known_seconds)
    if attempt.account_id is not None and knows_network(tx, attempt.account_id, attempt.network, since):
        return True
    return accounts_in(tx, attempt.network, since, limits.gateway_accounts) >= limits.gateway_accounts
