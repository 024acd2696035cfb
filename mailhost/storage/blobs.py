"""Blobs: immutable bytes named by their SHA-256. Small ones live in their row, larger ones in a file.

The order that survives a crash: the bytes are durable, or travel in the row itself, before the row is committed; the
row is gone before its file is erased. Each file has a name of its own, so that erasing one copy cannot hit the next.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from typing import NamedTuple

from mailhost.storage import sql
from mailhost.storage.errors import BlobDamaged, BlobMissing
from mailhost.storage.files import BlobFiles, NewFile
from mailhost.storage.frames import FRAME_SIZE, Packer, ReadAt, read_layout, seek_table, unpack
from mailhost.storage.transaction import Database, Tx

INLINE_LIMIT = 64 * 1024
"""Packed bytes up to which a blob lives in its row."""


class Blob(NamedTuple):
    """Finished bytes, ready to be attached: durable in a file, or carried along in `payload`."""

    digest: bytes  # SHA-256 of the unpacked bytes
    size: int  # unpacked
    stored: int  # packed
    place: str | None  # name of the file
    payload: bytes | None


_REMEMBERED = 10_000
"""Damaged blobs that are remembered; beyond, all are forgotten and met again."""


class BlobWriter:
    """Takes the bytes of one blob piece by piece and keeps only a bounded part of them in memory."""

    def __init__(self, files: BlobFiles, packer: Packer) -> None:
        self._files = files
        self._packer = packer
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._frames: list[tuple[int, int]] = []
        self._packed: list[bytes] = []
        self._stored = 0
        self._file: NewFile | None = None
        self.size = 0

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append `chunk`. Never waits for the disk, but may find it full (StorageFull)."""
        self._hash.update(chunk)
        self.size += len(chunk)
        self._buffer += chunk
        while len(self._buffer) >= FRAME_SIZE:
            self._add_frame(self._buffer[:FRAME_SIZE])
            del self._buffer[:FRAME_SIZE]

    def _add_frame(self, frame: bytearray) -> None:
        packed = self._packer.pack(frame)
        self._frames.append((len(packed), len(frame)))
        self._store(packed)

    def _store(self, packed: bytes) -> None:
        self._stored += len(packed)
        if self._file is None:
            self._packed.append(packed)
            if self._stored <= INLINE_LIMIT:
                return
            self._file = self._files.create()
            packed = b"".join(self._packed)
            self._packed.clear()
        self._file.write(packed)

    async def finish(self) -> Blob:
        """The blob, durable when it has a file. The writer is used up."""
        if self._buffer:
            self._add_frame(self._buffer)
            self._buffer = bytearray()
        if len(self._frames) > 1:
            self._store(seek_table(self._frames))
        digest = self._hash.digest()
        if self._file is None:
            return Blob(digest, self.size, self._stored, None, b"".join(self._packed))
        place = f"{digest.hex()}-{secrets.token_hex(4)}"
        file, self._file = self._file, None  # from here on it is the thread's: `discard` must not close it meanwhile
        keeping = asyncio.get_running_loop().run_in_executor(None, file.keep, place)
        try:
            await asyncio.shield(keeping)
        except asyncio.CancelledError:
            keeping.add_done_callback(partial(self._erase, place))
            raise
        return Blob(digest, self.size, self._stored, place, None)

    def _erase(self, place: str, kept: asyncio.Future[None]) -> None:
        """Nobody waited for the file to be kept."""
        if not kept.cancelled():
            with suppress(RuntimeError):  # the loop ends as well, and the sweeper finds it
                kept.get_loop().run_in_executor(None, self._files.erase, place)

    def discard(self) -> None:
        """Throw everything away; harmless at any time."""
        file, self._file = self._file, None
        if file is not None:
            file.discard()


class Blobs:
    """The blobs of one store."""

    def __init__(self, database: Database, files: BlobFiles) -> None:
        self._database = database
        self._files = files
        self._packer = Packer()
        self._damaged: set[bytes] = set()  # met since the start, so that a stream of one fails before its first piece

    def writer(self) -> BlobWriter:
        """Begin a blob."""
        return BlobWriter(self._files, self._packer)

    def attach(self, tx: Tx, blob: Blob) -> None:
        """Make the blob's row, beside the row that refers to it. Repeatable; takes the blob back from the sweeper."""
        sql.insert_blob(tx, blob.digest, blob.size, blob.stored, blob.place, blob.payload)

    def retain(self, tx: Tx, digest: bytes) -> None:
        """Refer once more to a blob that has a row; takes it back from the sweeper. Raises BlobMissing."""
        if not sql.retain_blob(tx, digest):
            raise BlobMissing(f"there is no blob {digest.hex()}")

    def release(self, tx: Tx, digest: bytes) -> None:
        """Say, in the transaction that drops a reference, that it may have been the last."""
        sql.add_candidate(tx, digest)

    async def read(self, digest: bytes, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start`, fewer when the blob ends before. A whole blob is checked against its digest, a part
        against the checksums of its frames. Raises BlobMissing, BlobDamaged."""
        stored = await self._find(digest)
        wanted = stored.size if length is None else length
        with self._remembering(digest):
            if stored.place is None:
                data = b"".join(self._pieces(stored, start, wanted))
            else:
                data = await asyncio.to_thread(lambda: b"".join(self._pieces(stored, start, wanted)))
            if len(data) == stored.size and hashlib.sha256(data).digest() != digest:
                raise BlobDamaged(f"blob {digest.hex()} is damaged")
        return data

    def read_small(self, tx: Tx, digest: bytes) -> bytes | None:
        """In a transaction that reads: the whole blob where it lives in its row and is in order, else None."""
        stored = sql.find_blob(tx, digest)
        if stored is None or stored.payload is None or stored.size > FRAME_SIZE or digest in self._damaged:
            return None
        try:
            data = unpack(stored.payload, stored.size)
        except BlobDamaged:
            return None
        return data if hashlib.sha256(data).digest() == digest else None

    async def stream(self, digest: bytes, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The same bytes in pieces of at most FRAME_SIZE, each checked; nothing is held open between two pieces."""
        stored = await self._find(digest)
        with self._remembering(digest):
            async with aclosing(self._stream(stored, start, stored.size if length is None else length)) as pieces:
                async for piece in pieces:
                    yield piece

    def stream_new(self, blob: Blob, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """The same of a blob that was finished and has no row yet."""
        return self._stream(sql.StoredBlob(blob.size, blob.stored, blob.place, blob.payload), start, length)

    async def forget(self, blob: Blob) -> None:
        """Throw a finished blob away that was attached to nothing."""
        if blob.place is not None:
            await asyncio.to_thread(self._files.erase, blob.place)

    async def drop(self, blob: Blob) -> None:
        """Throw the file of a finished blob away unless a row names it: nobody attached it, or there was a row before.

        Not after a write whose outcome is not known: that may still make the row.
        """
        if blob.place is None:
            return
        strays = await self._database.point(sql.places_without_row, [(blob.digest, blob.place)])
        if strays:
            await asyncio.to_thread(self._files.erase, blob.place)

    async def _stream(self, stored: sql.StoredBlob, start: int, length: int) -> AsyncGenerator[bytes, None]:
        pieces = self._pieces(stored, start, length)
        if stored.place is None:
            for piece in pieces:
                yield piece
        else:
            while piece := await asyncio.to_thread(next, pieces, b""):
                yield piece

    @contextmanager
    def _remembering(self, digest: bytes) -> Iterator[None]:
        try:
            yield
        except (BlobDamaged, BlobMissing):
            if len(self._damaged) >= _REMEMBERED:
                self._damaged.clear()
            self._damaged.add(digest)
            raise

    async def _find(self, digest: bytes) -> sql.StoredBlob:
        if digest in self._damaged:
            raise BlobDamaged(f"blob {digest.hex()} is damaged")
        stored = await self._database.point(sql.find_blob, digest)
        if stored is None:
            raise BlobMissing(f"there is no blob {digest.hex()}")
        return stored

    def _pieces(self, stored: sql.StoredBlob, start: int, length: int) -> Iterator[bytes]:
        """Reads as it is asked for pieces, so whoever asks is the thread that waits for the disk."""
        read_at = self._read_at(stored)
        yield from read_layout(read_at, stored.size, stored.stored).pieces(read_at, start, length)

    def _read_at(self, stored: sql.StoredBlob) -> ReadAt:
        if stored.place is not None:
            return partial(self._files.read, stored.place)
        payload = stored.payload or b""
        return lambda start, length: payload[start : start + length]
