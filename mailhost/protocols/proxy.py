"""The PROXY header a load balancer puts in front of a connection: versions 1 (text) and 2 (binary).

Only listeners that are told to expect it may parse it: whoever can send it chooses the address we believe.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

Address = tuple[str, int]

_V1_START: Final = b"PROXY "
_V1_LONGEST: Final = 107  # the specification's own bound, line end included
_V1_LINE: Final = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5})")
_V2_START: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD: Final = 16
_V2_LONGEST: Final = 4096  # addresses and type-length-values behind the head; more is no balancer's work
_V2_ADDRESS_SIZES: Final = {0x11: 4, 0x12: 4, 0x21: 16, 0x22: 16}  # family and transport octet -> octets of one address


class ProxyMalformed(Exception):
    """The connection did not start with a proper PROXY header."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What the balancer says. The addresses are None when it speaks for itself (health checks) or does not know."""

    source: Address | None
    destination: Address | None
    length: int  # octets of the header; the conversation starts behind them


def parse_proxy(data: bytes) -> ProxyHeader | None:
    """The header at the start of `data`, which is all that was received so far; None when more is needed.

    Raises ProxyMalformed.
    """
    if data.startswith(_V2_START[: len(data)]) and data[:1] == b"\r":
        return _parse_v2(data)
    if data.startswith(_V1_START[: len(data)]):
        return _parse_v1(data) if data else None
    raise ProxyMalformed("no PROXY header")


def _parse_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_LONGEST)
    if end < 0:
        if len(data) >= _V1_LONGEST:
            raise ProxyMalformed("the PROXY line does not end")
        return None
    line = data[:end]
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return ProxyHeader(None, None, end + 2)
    found = _V1_LINE.fullmatch(line)
    if found is None:
        raise ProxyMalformed("the PROXY line is not understood")
    family, source, destination, source_port, destination_port = (part.decode() for part in found.groups())
    return ProxyHeader(
        _v1_address(family, source, source_port), _v1_address(family, destination, destination_port), end + 2
    )


def _v1_address(family: str, host: str, port: str) -> Address:
    try:
        address = ip_address(host)
    except ValueError:
        raise ProxyMalformed("the PROXY line holds no valid address") from None
    if address.version != int(family) or int(port) > 65535:
        raise ProxyMalformed("the PROXY line holds no valid address")
    return str(address), int(port)


def _parse_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < _V2_HEAD:
        return None
    command, family = data[12], data[13]
    size = int.from_bytes(data[14:16], "big")
    if command not in (0x20, 0x21) or size > _V2_LONGEST:
        raise ProxyMalformed("the PROXY header has an unknown version or length")
    if len(data) < _V2_HEAD + size:
        return None
    octets = _V2_ADDRESS_SIZES.get(family)
    if command == 0x20 or octets is None:  # LOCAL, or a family such as unix sockets: there is no address to believe
        return ProxyHeader(None, None, _V2_HEAD + size)
    if size < 2 * octets + 4:
        raise ProxyMalformed("the PROXY header is shorter than its addresses")
    body = data[_V2_HEAD : _V2_HEAD + size]
    kind = IPv4Address if octets == 4 else IPv6Address
    ports = body[2 * octets : 2 * octets + 4]
    return ProxyHeader(
        (str(kind(body[:octets])), int.from_bytes(ports[:2], "big")),
        (str(kind(body[octets : 2 * octets])), int.from_bytes(ports[2:], "big")),
        _V2_HEAD + size,
    )
