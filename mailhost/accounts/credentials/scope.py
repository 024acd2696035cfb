"""What an app password is called and what it may, checked before it is stored and read when it is used."""

import ipaddress
from dataclasses import replace
from functools import lru_cache

from mailhost.accounts.model import MAX_NAME_LENGTH, BadName, BadScope, Protocols, Scope

_MAX_NETWORKS = 20


def checked_name(name: str) -> str:
    """The name with single blanks. Raises BadName."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadName(f"An app password's name has 1 to {MAX_NAME_LENGTH} characters that can be seen.")
    return name


def checked_scope(scope: Scope, now: int) -> Scope:
    """The scope with its networks in their one spelling. Raises BadScope, also for what would open nothing."""
    if not scope.protocols:
        raise BadScope("An app password opens at least one protocol.")
    if scope.read_only and scope.protocols & Protocols.SMTP:
        raise BadScope("An app password that may only read cannot open SMTP, which is for sending.")
    if scope.expires_at is not None and scope.expires_at <= now:
        raise BadScope("The app password would have expired already.")
    if len(scope.networks) > _MAX_NETWORKS:
        raise BadScope(f"At most {_MAX_NETWORKS} networks can be named.")
    networks = []
    for text in scope.networks:
        try:
            networks.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            raise BadScope(f"{text!r} is no address and no network; write it like 192.0.2.0/24.") from None
    return replace(scope, networks=tuple(networks))


@lru_cache(maxsize=1_024)
def is_within(peer: str, networks: str) -> bool:
    """Whether an address stands in one of the networks of a column, blanks between; in any when there is none."""
    if not networks:
        return True
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in networks.split())
