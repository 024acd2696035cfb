"""Blobs: what goes in comes out, whole or in part, and what is damaged is said to be."""

import asyncio
import hashlib
import os
import random
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost.storage.blobs import INLINE_LIMIT, Blob, Blobs, BlobWriter
from mailhost.storage.database import Database
from mailhost.storage.errors import BlobDamaged, BlobMissing, StorageFull
from mailhost.storage.files import DiskFile, DiskFiles
from mailhost.storage.frames import FRAME_SIZE, Packer
from tests.full_disk import largest_file

SIZES = [0, 1, 9_000, INLINE_LIMIT, FRAME_SIZE - 1, FRAME_SIZE, FRAME_SIZE + 1, 3 * FRAME_SIZE, 1_500_000]


def noise(size: int) -> bytes:
    """Bytes that cannot be made smaller, the same each time."""
    return random.Random(size).randbytes(size)


async def store(blobs: Blobs, database: Database, data: bytes, chunk: int = 60_000) -> Blob:
    writer = blobs.writer()
    for start in range(0, len(data), chunk):
        writer.write(data[start : start + chunk])
    blob = await writer.finish()
    await database.write(blobs.attach, blob)
    return blob


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["noise", "text"])
async def test_round_trip(blobs: Blobs, database: Database, size: int, kind: str) -> None:
    data = (
        noise(size)
        if kind == "noise"
        else (b"All work and no play makes Jack a dull boy.\r\n" * (size // 45 + 1))[:size]
    )
    blob = await store(blobs, database, data)
    assert (blob.digest, blob.size) == (hashlib.sha256(data).digest(), size)
    assert (blob.place is None) == (blob.stored <= INLINE_LIMIT)
    assert blob.stored <= size + 20 + 40 * (size // FRAME_SIZE + 1)  # noise must not grow
    assert await blobs.read(blob.digest) == data
    pieces = [piece async for piece in blobs.stream(blob.digest)]
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= FRAME_SIZE for piece in pieces)
    edges = [0, 1, size // 2, FRAME_SIZE - 1, FRAME_SIZE, FRAME_SIZE + 1, size - 1, size, size + 1]
    for start in [edge for edge in edges if edge >= 0]:
        for length in (0, 1, 1000, FRAME_SIZE, size):
            expected = data[start : start + length]
            assert await blobs.read(blob.digest, start, length) == expected
            assert b"".join([piece async for piece in blobs.stream(blob.digest, start, length)]) == expected


async def test_a_range_reads_only_the_frames_it_touches(
    blobs: Blobs, database: Database, blob_files: DiskFiles
) -> None:
    data = noise(8 * FRAME_SIZE)
    blob = await store(blobs, database, data)
    assert blob.place is not None
    path = blob_files.path(blob.place)
    packed = bytearray(path.read_bytes())
    packed[FRAME_SIZE // 2] ^= 1  # in the first frame
    path.write_bytes(packed)
    assert await blobs.read(blob.digest, 5 * FRAME_SIZE - 10, 20) == data[5 * FRAME_SIZE - 10 : 5 * FRAME_SIZE + 10]
    with pytest.raises(BlobDamaged):
        await blobs.read(blob.digest, 0, 10)
    with pytest.raises(BlobDamaged):
        await blobs.read(blob.digest)


@pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd program is not installed")
async def test_files_are_plain_zstd(blobs: Blobs, database: Database, blob_files: DiskFiles) -> None:
    data = noise(2 * FRAME_SIZE + 5)
    blob = await store(blobs, database, data)
    assert blob.place is not None
    program = await asyncio.create_subprocess_exec("zstd", "-dc", blob_files.path(blob.place), stdout=subprocess.PIPE)
    assert (await program.communicate())[0] == data


@pytest.mark.parametrize("harm", ["truncated", "emptied", "other", "gone"])
async def test_damage_is_said(blobs: Blobs, database: Database, blob_files: DiskFiles, harm: str) -> None:
    blob = await store(blobs, database, noise(FRAME_SIZE + 100))
    assert blob.place is not None
    path = blob_files.path(blob.place)
    packed = path.read_bytes()
    match harm:
        case "truncated":
            path.write_bytes(packed[:-1])
        case "emptied":
            path.write_bytes(b"")
        case "other":
            other = await store(blobs, database, noise(FRAME_SIZE + 101)[:-1])
            assert other.place is not None
            path.write_bytes(blob_files.path(other.place).read_bytes())
        case _:
            path.unlink()
    with pytest.raises(BlobMissing if harm == "gone" else BlobDamaged):
        await blobs.read(blob.digest)


async def test_damage_in_a_row_is_said(blobs: Blobs, database: Database) -> None:
    blob = await store(blobs, database, b"hello")
    other = await store(blobs, database, b"jello")
    await database.write(
        lambda tx: tx.execute(
            "update blob set payload = :payload where digest = :digest", payload=other.payload, digest=blob.digest
        )
    )
    with pytest.raises(BlobDamaged):
        await blobs.read(blob.digest)


async def test_a_blob_that_is_not_there_is_missing(blobs: Blobs, database: Database) -> None:
    with pytest.raises(BlobMissing):
        await blobs.read(b"x" * 32)
    with pytest.raises(BlobMissing):
        await anext(aiter(blobs.stream(b"x" * 32)))
    with pytest.raises(BlobMissing):
        await database.write(blobs.retain, b"x" * 32)


async def test_the_same_bytes_are_one_row(blobs: Blobs, database: Database) -> None:
    first = await store(blobs, database, noise(100_000))
    second = await store(blobs, database, noise(100_000))
    assert first.digest == second.digest
    assert await database.read(lambda tx: tx.execute("select place from blob")) == [(first.place,)]
    assert await blobs.read(first.digest) == noise(100_000)


async def test_nothing_is_there_before_it_is_attached(blobs: Blobs, database: Database) -> None:
    writer = blobs.writer()
    writer.write(b"hello")
    blob = await writer.finish()
    with pytest.raises(BlobMissing):
        await blobs.read(blob.digest)


async def test_a_discarded_writer_leaves_no_file(blobs: Blobs, database: Database, tmp_path: Path) -> None:
    writer = blobs.writer()
    writer.write(noise(4 * FRAME_SIZE))
    assert any((tmp_path / "blobs" / "new").iterdir())
    writer.discard()
    writer.discard()
    assert not any(path.is_file() for path in (tmp_path / "blobs").rglob("*"))


class _HeldFile(DiskFile):
    """A file that is kept when the test lets it, be it that the disk is slow before or after the rename."""

    def __init__(self, files: DiskFiles, path: Path, held_after: bool) -> None:
        super().__init__(files, path)
        self.is_after = held_after
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.ended = threading.Event()

    def keep(self, name: str) -> None:
        try:
            if self.is_after:
                super().keep(name)
            self.reached.set()
            assert self.go_on.wait(10)
            if not self.is_after:
                assert self._descriptor is not None
                os.fstat(self._descriptor)  # nobody closed it, for then it may be somebody else's by now
                super().keep(name)
        finally:
            self.ended.set()


class _HeldFiles(DiskFiles):
    def __init__(self, root: Path, held_after: bool) -> None:
        super().__init__(root)
        self.is_after = held_after
        self.made: list[_HeldFile] = []

    def create(self) -> DiskFile:
        self.made.append(_HeldFile(self, self._new / "held", self.is_after))
        return self.made[-1]


@pytest.mark.parametrize("held_after", [False, True])
async def test_a_writer_that_is_interrupted_while_its_thread_keeps_the_file_leaves_none(
    database: Database, tmp_path: Path, held_after: bool
) -> None:
    files = _HeldFiles(tmp_path / "held", held_after)
    blobs = Blobs(database, files)
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    writer = blobs.writer()
    writer.write(noise(FRAME_SIZE))
    finishing = asyncio.create_task(writer.finish())
    await asyncio.sleep(0)
    [file] = files.made
    assert await asyncio.to_thread(file.reached.wait, 10)
    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    writer.discard()
    is_kept = [path for path in (tmp_path / "held").rglob("*") if path.is_file()]
    assert len(is_kept) == 1, "the thread still works on it"
    file.go_on.set()
    assert await asyncio.to_thread(file.ended.wait, 10)
    for _ in range(1000):
        if not any(path.is_file() for path in (tmp_path / "held").rglob("*")):
            break
        await asyncio.sleep(0.01)
    assert not any(path.is_file() for path in (tmp_path / "held").rglob("*"))
    assert errors == []
    assert file._descriptor is None


async def test_a_file_that_no_row_names_is_dropped_and_no_other(
    blobs: Blobs, database: Database, blob_files: DiskFiles
) -> None:
    kept = await store(blobs, database, noise(200_000))
    again = await store(blobs, database, noise(200_000))  # its row was there
    for blob in (kept, again):
        await blobs.drop(blob)
    assert kept.place is not None
    assert again.place is not None
    assert blob_files.has(kept.place)
    assert not blob_files.has(again.place)
    assert await blobs.read(again.digest) == noise(200_000)


async def test_small_blobs_cost_no_fsync_and_large_ones_few(
    blobs: Blobs, database: Database, blob_files: DiskFiles
) -> None:
    await store(blobs, database, b"x" * 10_000)
    assert blob_files.syncs == 0
    await store(blobs, database, noise(100_000))
    before = blob_files.syncs
    again = bytes(reversed(noise(100_000)))
    blob = await store(blobs, database, again)
    folders = 2 if blob.place is not None else 0
    assert blob_files.syncs - before <= 2 + folders  # the file, its folder, and folders that are new


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_split_makes_the_same_blob(blob_files: DiskFiles, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([0, 5, 70_000, FRAME_SIZE, FRAME_SIZE + 7, 2 * FRAME_SIZE + 1]))
    content = noise(size)
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=12)))
    split, whole = BlobWriter(blob_files, Packer()), BlobWriter(blob_files, Packer())
    for start, end in zip([0, *cuts], [*cuts, size], strict=True):
        split.write(content[start:end])
    whole.write(content)
    one, other = asyncio.run(split.finish()), asyncio.run(whole.finish())
    assert (one.digest, one.size, one.stored, one.payload) == (other.digest, other.size, other.stored, other.payload)
    if one.place is not None and other.place is not None:
        assert blob_files.path(one.place).read_bytes() == blob_files.path(other.place).read_bytes()


async def test_a_full_disk_is_said_and_leaves_nothing(blob_files: DiskFiles, tmp_path: Path) -> None:
    writer = BlobWriter(blob_files, Packer())
    with largest_file(FRAME_SIZE), pytest.raises(StorageFull):
        writer.write(noise(8 * FRAME_SIZE))
    assert os.listdir(tmp_path / "blobs" / "new") == []
    writer = BlobWriter(blob_files, Packer())
    writer.write(noise(3 * FRAME_SIZE))
    assert (await writer.finish()).place is not None
