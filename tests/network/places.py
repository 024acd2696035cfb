"""A writer of small files in MaxMind's format (its specification, version 2.0), for tests of those who read them."""

import ipaddress
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Short(int):
    """An unsigned number of 16 bits."""


class Long(int):
    """An unsigned number of 32 bits; a plain one has 64."""


_TYPES = {str: 2, float: 3, Short: 5, Long: 6, dict: 7, int: 9, list: 11}
_LAST_PLAIN = 7  # later types stand in a second octet


def encoded(value: Any) -> bytes:
    """One field of the data section, with all that is in it."""
    kind = _TYPES[type(value)]
    body = b""
    if isinstance(value, str):
        body = value.encode()
    elif isinstance(value, float):
        body = struct.pack(">d", value)
    elif isinstance(value, int):
        body = value.to_bytes((value.bit_length() + 7) // 8, "big")
    size = len(value) if isinstance(value, dict | list) else len(body)
    if isinstance(value, dict):
        body = b"".join(encoded(key) + encoded(each) for key, each in value.items())
    elif isinstance(value, list):
        body = b"".join(encoded(each) for each in value)
    first, further = (min(size, 29), bytes([size - 29]) if size >= 29 else b"")  # sizes below 285 only
    if kind > _LAST_PLAIN:
        return bytes([first, kind - _LAST_PLAIN]) + further + body
    return bytes([kind << 5 | first]) + further + body


def write_places(file: Path, places: Mapping[str, Mapping[str, Any]]) -> None:
    """A file in which each network has its record; the tree has records of 32 bits, for addresses of both kinds."""
    nodes: list[list[int | None]] = [[None, None]]
    data = b""
    ends: list[tuple[int, int, int]] = []
    for network, record in places.items():
        parsed = ipaddress.ip_network(network)
        length = parsed.prefixlen + (96 if parsed.version == 4 else 0)
        number, node = int(parsed.network_address), 0
        for depth in range(length - 1):
            bit = number >> (127 - depth) & 1
            if nodes[node][bit] is None:
                nodes.append([None, None])
                nodes[node][bit] = len(nodes) - 1
            following = nodes[node][bit]
            assert following is not None
            node = following
        ends.append((node, number >> (128 - length) & 1, len(data)))
        data += encoded(record)
    for node, bit, offset in ends:
        nodes[node][bit] = len(nodes) + 16 + offset
    tree = b"".join(struct.pack(">II", *(len(nodes) if side is None else side for side in node)) for node in nodes)
    about = {
        "node_count": Long(len(nodes)),
        "record_size": Short(32),
        "ip_version": Short(6),
        "database_type": "Test-City",
        "languages": ["en", "zh-CN"],
        "binary_format_major_version": Short(2),
        "binary_format_minor_version": Short(0),
        "build_epoch": 1_800_000_000,
        "description": {"en": "places of a test"},
    }
    file.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encoded(about))


def place(city: str, country: str, latitude: float, longitude: float, *, chinese: tuple[str, str] = ("", "")) -> Any:
    """A record as the files of cities have it."""
    names = [{"en": name} | ({"zh-CN": own} if own else {}) for name, own in zip((city, country), chinese, strict=True)]
    return {
        "city": {"names": names[0]},
        "country": {"iso_code": "XX", "names": names[1]},
        "location": {"latitude": latitude, "longitude": longitude, "accuracy_radius": Short(50)},
    }


BERLIN = place("Berlin", "Germany", 52.52, 13.40, chinese=("柏林", "德国"))
SYDNEY = place("Sydney", "Australia", -33.87, 151.21)
"""16,100 km from Berlin."""
