"""Waits for those who try different wrong passwords, counted in the store for every process; each ends by itself.

A right app password is never asked for a wait (75 bits cannot be guessed), so that no owner is locked out by others,
be it behind one gateway with them. What is slowed down is guessing at passwords that people chose: from one network, at
the accounts of many, and from many networks at one.
"""

from dataclasses import dataclass
from typing import Final

from mailhost.accounts.audit.model import Cause
from mailhost.accounts.places.sql import accounts_in, knows_network
from mailhost.accounts.waits.sql import Wait, count_secret, count_wrong, find_waits, forget_source, let_wait
from mailhost.login.model import Limits
from mailhost.storage.database import Tx

_MOST_DOUBLINGS: Final = 30
_NETWORKS: Final = 10
"""Different wrong passwords for one account that strangers of all networks together are granted: so many times those
that one network is granted. Guessing from many networks is no faster than from these."""


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
    """The attempt is not looked at before `until`; the cause says who waits."""

    until: float
    cause: Cause


def source_of(network: str, address: str = "*") -> str:
    """The name under which the wrong secrets for an address from a network are counted; "*" for all of either."""
    return f"{address} {network}"


def must_wait(tx: Tx, limits: Limits, attempt: Attempt) -> Waiting | None:
    """Whether the attempt may be looked at. A wait is neither counted nor prolonged by asking."""
    counters = _counters(tx, limits, attempt)
    untils = [wait.until_at if wait else 0.0 for wait in find_waits(tx, [source for _, source, _ in counters])]
    until = max(untils)
    return Waiting(until, counters[untils.index(until)][0]) if until > attempt.now else None


def count(tx: Tx, limits: Limits, attempt: Attempt) -> int:
    """Count what was not right; how many times this same secret has come by now. The same one counts only once."""
    counters = _counters(tx, limits, attempt)
    times, *_ = [count_at(tx, limits, source, free, attempt.mark, attempt.now) for _, source, free in counters]
    return times


def _counters(tx: Tx, limits: Limits, attempt: Attempt) -> list[tuple[Cause, str, int]]:
    """(cause of a wait, source, wrong secrets without a wait) of all that an attempt counts for, its own first.

    For nothing else where the account signed in lately; a gateway in front of many does not wait as a whole.
    """
    network, address = attempt.network, attempt.address
    counters = [(Cause.THROTTLED, source_of(network, address), limits.wrong_per_account)]
    since = int(attempt.now - limits.known_seconds)
    if attempt.account_id is not None and knows_network(tx, attempt.account_id, network, since):
        return counters
    if not address.endswith("@") and address:
        counters.append((Cause.THROTTLED_ACCOUNT, source_of("*", address), _NETWORKS * limits.wrong_per_account))
    if accounts_in(tx, network, since, limits.gateway_accounts) < limits.gateway_accounts:
        counters.append((Cause.THROTTLED_NETWORK, source_of(network), limits.wrong_per_network))
    return counters


def waits_until(tx: Tx, source: str, now: float) -> float | None:
    """When a source is looked at again; None when it need not wait."""
    [wait] = find_waits(tx, [source])
    return wait.until_at if wait is not None and wait.until_at > now else None


def has_just_begun(tx: Tx, source: str, free: int) -> bool:
    """Whether the last wrong secret of a source was the first one that has it wait."""
    [wait] = find_waits(tx, [source])
    return wait is not None and wait.wrong == free + 1


def count_at(tx: Tx, limits: Limits, source: str, free: int, mark: bytes, now: float) -> int:
    """Count a wrong secret of a source; after `free` different ones it has to wait. Returns as `count` does."""
    [wait] = find_waits(tx, [source])
    if wait is not None and _is_over(wait, limits, now):
        forget_source(tx, source)
    times = count_secret(tx, source, mark, now)
    if times > 1:
        return times
    excess = count_wrong(tx, source, now) - free
    if excess > 0:
        seconds = limits.first_wait_seconds * 2.0 ** min(excess - 1, _MOST_DOUBLINGS)
        let_wait(tx, source, now + min(seconds, limits.longest_wait_seconds))
    return times


def _is_over(wait: Wait, limits: Limits, now: float) -> bool:
    return wait.until_at <= now and wait.last_at + limits.forget_seconds <= now
