"""Sign-ins with a right credential that look like somebody else's: weighed without asking anybody outside.

Nothing is unusual about the first use of a credential, nor where it was right before. Beyond that each sign counts, and
what they come to is let in, let in with word to the owner, or held until the owner says that it was them.
"""

import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from mailhost import oauth
from mailhost.accounts.audit.sql import count_failures
from mailhost.accounts.credentials.sql import does_roam, let_roam, revoke_app_password
from mailhost.accounts.held.sql import Held, State, refuse_all, settle
from mailhost.accounts.model import Ended, NoSuchAppPassword
from mailhost.accounts.places.sql import Place, places_of, record_places
from mailhost.accounts.waits.sql import names_tried
from mailhost.login.names import network_of
from mailhost.login.throttle import source_of
from mailhost.login.tokens import revoke_program
from mailhost.network.atlas import NOWHERE, Atlas, kilometres
from mailhost.storage.database import Tx

ALERT_FROM: Final = 3
HOLD_FROM: Final = 4
_HOUR: Final = 3_600
_FAILURES: Final = 10
_NAMES: Final = 5
_HOPS: Final = 4
_PLANE: Final = 1_000
"""Kilometres that somebody travels in an hour at most."""
_DOUBT: Final = 500
"""Kilometres by which files of places are often wrong, beyond what they own up to."""
_FARTHEST: Final = 20_038
"""Kilometres to the other side of the earth."""

_HERE: Final = network_of("::1")
_HEAVY: Final = frozenset({"failures", "stranger", "hopping", "impossible"})


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks against a sign-in, keys of `catalogue.SIGNS`; the heavy ones count two."""

    found: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """How much it comes to."""
        return sum(2 if sign in _HEAVY else 1 for sign in self.found)

    @property
    def why(self) -> str:
        """As the diary keeps it."""
        return ",".join(self.found)


def weigh(
    tx: Tx, account_id: int, credential_id: int, network: str, program: str, now: int, atlas: Atlas = NOWHERE
) -> Signs:
    """What is unusual about a credential's use in a network with a program."""
    places = places_of(tx, account_id, credential_id)
    if not places or any(_is_same(place.network, network) for place in places):
        return Signs()
    if does_roam(tx, account_id, credential_id):
        return Signs()
    found = ["network"]
    wide = _wide(network)
    if all(_wide(place.network) != wide for place in places):
        found.append("far")
    if program and all(place.client != program for place in places):
        found.append("program")
    since = now - _HOUR
    if count_failures(tx, account_id, since) >= _FAILURES:
        found.append("failures")
    if names_tried(tx, source_of(network), since) >= _NAMES:
        found.append("stranger")
    if _hops(places, since) >= _HOPS:
        found.append("hopping")
    if _is_impossible(atlas, network, places, now):
        found.append("impossible")
    return Signs(tuple(found))


def _is_impossible(atlas: Atlas, network: str, places: list[Place], now: int) -> bool:
    """Whether no plane could have brought the credential here from a place where it was lately."""
    here = atlas.spot_of(network)
    if here is None:
        return False
    for place in places:  # the newest first
        within_reach = _DOUBT + _PLANE * (now - place.last_at) / _HOUR
        if within_reach >= _FARTHEST:
            return False
        there = atlas.spot_of(place.network)
        if there is not None and kilometres(here, there) > within_reach:
            return True
    return False


def _is_same(one: str, other: str) -> bool:
    """Whether two networks are one place; this machine is, whether programs come by ::1 or 127.0.0.1."""
    return one == other or (_is_here(one) and _is_here(other))


def _is_here(network: str) -> bool:
    return network == _HERE or network.startswith("127.")


def _hops(places: list[Place], since: int) -> int:
    return len({place.network for place in places if place.last_at > since})


def _wide(network: str) -> str:
    """The neighbourhood of a network, /16 or /32: a telephone moves within it all day."""
    try:
        found = ipaddress.ip_network(network)
    except ValueError:
        return network
    return str(found.supernet(new_prefix=16 if found.version == 4 else 32))


def approve(tx: Tx, account_id: int, held_id: int, now: int, *, everywhere: bool = False) -> Held:
    """It was me: the credential is at home there from now on; `everywhere` for programs that come through a provider's
    cloud, whose network changes all the time. Raises NoSuchHeld, NoSuchAppPassword."""
    held = settle(tx, account_id, held_id, State.APPROVED)
    record_places(tx, [(account_id, held.credential_id, held.network, held.client, now)])
    if everywhere:
        let_roam(tx, account_id, held.credential_id)
    return held


def deny(tx: Tx, account_id: int, held_id: int, now: int) -> Held:
    """It was not me: the credential ends, and its sessions. The owner should choose a new account password as well.
    Raises NoSuchHeld."""
    held = settle(tx, account_id, held_id, State.REFUSED)
    with suppress(NoSuchAppPassword):  # then it was revoked already
        disown(tx, account_id, held.credential_id, now)
    return held


def disown(tx: Tx, account_id: int, credential_id: int, now: int) -> None:
    """End an app password, or what a program was allowed, as somebody else uses it. Raises NoSuchAppPassword."""
    refuse_all(tx, account_id, credential_id)
    try:
        revoke_app_password(tx, account_id, credential_id, now, Ended.NOT_ME)
    except NoSuchAppPassword as error:
        try:
            revoke_program(tx, account_id, credential_id, now)
        except oauth.NoSuchGrant:
            raise error from None
