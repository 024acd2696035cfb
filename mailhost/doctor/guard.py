"""A doctor whom strangers may ask looks at the internet only, never at the networks that he stands in.

The guard stands where connections are made, behind every look-up: a name that leads to one address when it is checked
and to another when it is used (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Final

from mailhost.doctor.targets import PORTS
from mailhost.doctor.world import Connect, connect

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_PORTS: Final = frozenset({*PORTS, 80, 443, 2525})


def public_only(through: Connect = connect) -> Connect:
    """A `connect` that refuses what is no public address, and ports that are neither of mail nor of the web."""

    async def guarded(address: str, port: int) -> socket.socket:
        if not is_public(address):
            raise OSError(errno.EHOSTUNREACH, f"{address} is no public address, and this doctor looks at no other")
        if port not in _PORTS:
            raise OSError(errno.EHOSTUNREACH, f"port {port} is not one of mail, and this doctor looks at no other")
        return await through(address, port)

    return guarded


def is_public(text: str) -> bool:
    """Whether an address is one of the internet; IPv4 addresses dressed as IPv6 count as what they are."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast and not address.is_reserved
