"""Makes pictures of pages small: a page has few colours, and a PNG with a palette says so (PNG, third edition)."""

import struct
import zlib
from collections import Counter

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = 64  # the commonest; what else there is are edges of letters


def smaller(png: bytes) -> bytes:
    """An RGB picture in its commonest colours, and for the others the nearest of these."""
    chunks = _chunks(png)
    width, height, depth, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, kind) == (8, 2), "eight bits of red, green and blue"
    pixels = _unfiltered(zlib.decompress(chunks[b"IDAT"]), width * 3)
    colours = Counter(bytes(row[at : at + 3]) for row in pixels for at in range(0, len(row), 3))
    palette = [colour for colour, _ in colours.most_common(_COLOURS)]
    index = {colour: _nearest(colour, palette) for colour in colours}
    rows = [bytes((0, *(index[bytes(row[at : at + 3])] for at in range(0, len(row), 3)))) for row in pixels]
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    body = zlib.compress(b"".join(rows), 9)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"PLTE", b"".join(palette))
        + _chunk(b"IDAT", body)
        + _chunk(b"IEND", b"")
    )


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    return min(range(len(palette)), key=lambda at: sum((a - b) ** 2 for a, b in zip(colour, palette[at], strict=True)))


def _chunks(png: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    at = len(_SIGNATURE)
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        found[name] = found.get(name, b"") + png[at + 8 : at + 8 + length]
        at += length + 12
    return found


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _unfiltered(data: bytes, length: int) -> list[bytearray]:
    """The rows as they are, without what each byte borrowed from its neighbours (§9)."""
    rows = [bytearray(length)]
    for start in range(0, len(data), length + 1):
        kind, row, above = data[start], bytearray(data[start + 1 : start + 1 + length]), rows[-1]
        for at in range(length):
            left = row[at - 3] if at >= 3 else 0
            if kind == 1:
                row[at] = (row[at] + left) & 255
            elif kind == 2:
                row[at] = (row[at] + above[at]) & 255
            elif kind == 3:
                row[at] = (row[at] + (left + above[at]) // 2) & 255
            elif kind == 4:
                row[at] = (row[at] + _paeth(left, above[at], above[at - 3] if at >= 3 else 0)) & 255
        rows.append(row)
    return rows[1:]


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda each: abs(guess - each))
