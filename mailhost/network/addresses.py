"""Addresses of peers, as they are told and as they are counted."""

from __future__ import annotations

import ipaddress
from typing import Final

Address = tuple[str, int]

_CUSTOMER: Final = 64  # bits of IPv6 that tell customers apart; the rest a customer chooses himself


def address_of(name: object) -> Address:
    """Host and port of a socket's name; IPv6 names have two more fields, and IPv4 may come dressed as IPv6."""
    if not isinstance(name, tuple):
        return ("", 0)
    host, port = name[0], name[1]
    return (host.removeprefix("::ffff:") if "." in host else host, port)


def household(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that an IPv6 customer has to himself."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], _CUSTOMER), strict=False))
