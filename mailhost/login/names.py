"""What people type as their user name, read generously; and the network that an address stands in."""

import ipaddress
import re
from functools import lru_cache
from typing import Final

from mailhost.accounts.model import BadLocalPart
from mailhost.accounts.names import normalise_local_part
from mailhost.domains import BadDomainName, find_domain, list_domains, normalise_domain
from mailhost.storage.database import Tx

_MAX_USER_NAME = 320
_MAX_PROGRAM = 60
_SHOWN_LENGTH = 200
_BROWSERS: Final = (  # the first that is found: most pretend to be some of the later ones as well
    (re.compile(r"Edg(?:e|A|iOS)?/(\d+)"), "Edge"),
    (re.compile(r"OPR/(\d+)"), "Opera"),
    (re.compile(r"(?:Firefox|FxiOS)/(\d+)"), "Firefox"),
    (re.compile(r"(?:Chrome|CriOS)/(\d+)"), "Chrome"),
    (re.compile(r"Version/(\d+)\S* (?:Mobile/\S+ )?Safari/"), "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def read_user_name(text: str) -> tuple[str, str | None] | None:
    """(local part, domain or None) of what was typed, or None when it cannot be anybody's name.

    Blanks around it, capitals, a dot at the end and a domain in its own script are no mistakes.
    """
    return _read(text) if len(text) <= _MAX_USER_NAME else None


@lru_cache(maxsize=1_024)
def _read(text: str) -> tuple[str, str | None] | None:
    local_part, at, domain = text.strip().rpartition("@")
    try:
        if not at:
            return normalise_local_part(domain), None
        return normalise_local_part(local_part), normalise_domain(domain)
    except (BadLocalPart, BadDomainName):
        return None


def implied_domain(tx: Tx, server_name: str | None) -> str | None:
    """The domain of a user name without one: that of the server name TLS asked for, or the only one we have."""
    if server_name:
        try:
            name = normalise_domain(server_name)
        except BadDomainName:
            name = ""
        for domain in (name, name.partition(".")[2]):
            if domain and find_domain(tx, domain) is not None:
                return domain
    domains = list_domains(tx, at_most=2)
    return domains[0].name if len(domains) == 1 else None


@lru_cache(maxsize=1_024)
def program_of(client_id: str) -> str:
    """What a program calls itself, without version, build and device: the same after an update."""
    return " ".join(word for word in client_id.lower().split() if word.isalpha())[:_MAX_PROGRAM]


@lru_cache(maxsize=4_096)
def network_of(peer: str) -> str:
    """The network whose members are treated as one: an IPv4 address's /24, an IPv6 address's /48."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 48), strict=False))
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24), strict=False))


@lru_cache(maxsize=1_024)
def printable(text: str) -> str:
    """What a client says of itself, safe to store and to show."""
    return "".join(character if character.isprintable() else "?" for character in text[:_SHOWN_LENGTH])


@lru_cache(maxsize=1_024)
def browser_of(user_agent: str) -> str:
    """A browser as people call it, `Firefox 140 (Linux)`; what no rule knows stays as it is."""
    for pattern, name in _BROWSERS:
        if found := pattern.search(user_agent):
            system = next((system for word, system in _SYSTEMS if word in user_agent), "")
            return f"{name} {found[1]} ({system})" if system else f"{name} {found[1]}"
    return user_agent
