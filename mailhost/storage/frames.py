"""How a blob's bytes are packed: independent zstd frames with a seek table behind them.

This is zstd's seekable format, so `zstd -d` unpacks a blob's file without us. Each frame holds FRAME_SIZE bytes (the
last one fewer) and a checksum; a range is read by unpacking only the frames it touches. A blob of one frame has no
table.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mailhost.storage.errors import BlobDamaged
from mailhost.storage.zstandard import zstd

FRAME_SIZE = 256 * 1024
"""Unpacked bytes in each frame but the last."""

_LEVEL = 3  # measured: level 1 saves little time on mail, level 6 little room
_SKIPPABLE_MAGIC = 0x184D2A5E
_SEEKABLE_MAGIC = 0x8F92EAB1
_HEADER = struct.Struct("<II")  # of the skippable frame: magic, length of what follows
_ENTRY = struct.Struct("<II")  # packed and unpacked size of one frame
_FOOTER = struct.Struct("<IBI")  # number of frames, descriptor, magic

ReadAt = Callable[[int, int], bytes]
"""Reads packed bytes: (offset, length); shorter answers mean damage."""


class Packer:
    """Packs one frame at a time; the compressor is used again and again, which saves a third of the time."""

    def __init__(self) -> None:
        options: dict[int, int] = {
            zstd.CompressionParameter.compression_level: _LEVEL,
            zstd.CompressionParameter.checksum_flag: 1,
        }
        self._compressor = zstd.ZstdCompressor(options=options)

    def pack(self, data: bytes | bytearray) -> bytes:
        """One frame. What cannot be made smaller grows by less than 20 bytes."""
        self._compressor.set_pledged_input_size(len(data))
        return self._compressor.compress(data, mode=zstd.ZstdCompressor.FLUSH_FRAME)


def seek_table(frames: Sequence[tuple[int, int]]) -> bytes:
    """The table for frames of these (packed, unpacked) sizes, as a frame that decompressors skip."""
    entries = b"".join(_ENTRY.pack(*frame) for frame in frames)
    header = _HEADER.pack(_SKIPPABLE_MAGIC, len(entries) + _FOOTER.size)
    return header + entries + _FOOTER.pack(len(frames), 0, _SEEKABLE_MAGIC)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the frames of one packed blob lie."""

    size: int  # unpacked
    starts: tuple[int, ...]  # packed offset of each frame, and of the end of the last

    def pieces(self, read_at: ReadAt, start: int, length: int) -> Iterator[bytes]:
        """The bytes from `start`, at most `length` and never past the end, one piece for each frame touched."""
        end = min(start + length, self.size)
        while start < end:
            number, skip = divmod(start, FRAME_SIZE)
            whole = min(FRAME_SIZE, self.size - number * FRAME_SIZE)
            frame = unpack(read_at(self.starts[number], self.starts[number + 1] - self.starts[number]), whole)
            piece = frame[skip : skip + end - start]
            start += len(piece)
            yield piece


def read_layout(read_at: ReadAt, size: int, stored: int) -> Layout:
    """The layout of a blob of `size` bytes that takes `stored` bytes packed. Raises BlobDamaged."""
    count = -(-size // FRAME_SIZE)
    if count <= 1:
        return Layout(size, (0, stored))
    length = _HEADER.size + count * _ENTRY.size + _FOOTER.size
    table = read_at(stored - length, length)
    if len(table) != length or _FOOTER.unpack_from(table, length - _FOOTER.size) != (count, 0, _SEEKABLE_MAGIC):
        raise BlobDamaged("the frame table of a blob is not in order")
    starts = [0]
    for packed, _ in _ENTRY.iter_unpack(table[_HEADER.size : -_FOOTER.size]):
        starts.append(starts[-1] + packed)
    if starts[-1] != stored - length:
        raise BlobDamaged("the frame table of a blob does not fit its frames")
    return Layout(size, tuple(starts))


def unpack(frame: bytes, size: int) -> bytes:
    """The `size` bytes of one frame; bounded whatever the frame claims. Raises BlobDamaged."""
    try:
        decompressor = zstd.ZstdDecompressor()
        data = decompressor.decompress(frame, max_length=size + 1)
    except zstd.ZstdError as error:
        raise BlobDamaged(f"a frame of a blob cannot be unpacked: {error}") from error
    if len(data) != size or not decompressor.eof:
        raise BlobDamaged("a frame of a blob is cut short")
    return data
