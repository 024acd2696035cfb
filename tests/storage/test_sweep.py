"""The sweeper erases what nothing refers to, and never what somebody has just taken again."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from mailhost.storage.blobs import Blob, Blobs
from mailhost.storage.database import Database, Tx
from mailhost.storage.errors import BlobMissing
from mailhost.storage.files import DiskFiles
from mailhost.storage.sweep import Sweeper, Swept

GRACE = 100
LARGE = random.Random(1).randbytes(200_000)


def referenced(tx: Tx, digest: bytes) -> bool:
    """Tests keep their references as rows of `meta`."""
    return bool(tx.execute("select 1 from meta where name like :name limit 1", name=f"%:{digest.hex()}"))


def refer(tx: Tx, blobs: Blobs, blob: Blob, owner: str) -> None:
    blobs.attach(tx, blob)
    tx.execute("insert into meta (name, value) values (:name, '')", name=f"{owner}:{blob.digest.hex()}")


def drop(tx: Tx, blobs: Blobs, digest: bytes, owner: str) -> None:
    tx.execute("delete from meta where name = :name", name=f"{owner}:{digest.hex()}")
    blobs.release(tx, digest)


async def make(blobs: Blobs, data: bytes) -> Blob:
    writer = blobs.writer()
    writer.write(data)
    return await writer.finish()


@pytest.fixture
def sweeper(database: Database, blob_files: DiskFiles) -> Sweeper:
    return Sweeper(database, blob_files, referenced)


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["row", "file"])
async def test_what_nothing_refers_to_goes_after_the_grace(
    database: Database, blobs: Blobs, sweeper: Sweeper, tmp_path: Path, data: bytes
) -> None:
    blob = await make(blobs, data)
    await database.write(refer, blobs, blob, "a")
    await database.write(refer, blobs, blob, "b")
    await database.write(drop, blobs, blob.digest, "a")
    assert await sweeper.sweep(1000, GRACE) == Swept(0, 0)  # b still has it
    await database.write(drop, blobs, blob.digest, "b")
    assert await sweeper.sweep(1000, GRACE) == Swept(1, 0)
    assert await sweeper.sweep(1000 + GRACE - 1, GRACE) == Swept(0, 0)
    assert await blobs.read(blob.digest) == data  # a download that has begun can end
    assert await sweeper.sweep(1000 + GRACE, GRACE) == Swept(0, 1)
    with pytest.raises(BlobMissing):
        await blobs.read(blob.digest)
    assert not any(path.is_file() for path in (tmp_path / "blobs").rglob("*"))
    assert await database.read(lambda tx: tx.execute("select * from blob_candidate")) == []


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["row", "file"])
async def test_a_writer_takes_a_claimed_blob_back(
    database: Database, blobs: Blobs, sweeper: Sweeper, data: bytes
) -> None:
    blob = await make(blobs, data)
    await database.write(refer, blobs, blob, "a")
    await database.write(drop, blobs, blob.digest, "a")
    await sweeper.sweep(1000, GRACE)
    await database.write(refer, blobs, await make(blobs, data), "b")
    assert (await sweeper.sweep(2000, GRACE)).erased == 0
    assert (await sweeper.sweep(3000, GRACE)).erased == 0
    assert await blobs.read(blob.digest) == data
    await database.write(drop, blobs, blob.digest, "b")  # and it can still go later
    await sweeper.sweep(4000, GRACE)
    assert (await sweeper.sweep(5000, GRACE)).erased == 1


async def test_a_reference_without_attach_is_seen_by_the_second_look(
    database: Database, blobs: Blobs, sweeper: Sweeper
) -> None:
    blob = await make(blobs, LARGE)
    await database.write(refer, blobs, blob, "a")
    await database.write(drop, blobs, blob.digest, "a")
    await sweeper.sweep(1000, GRACE)
    await database.write(
        lambda tx: tx.execute("insert into meta (name, value) values (:name, '')", name=f"b:{blob.digest.hex()}")
    )
    assert (await sweeper.sweep(2000, GRACE)).erased == 0
    assert await blobs.read(blob.digest) == LARGE
    await database.write(blobs.retain, blob.digest)


async def test_many_are_swept_in_batches(database: Database, blobs: Blobs, sweeper: Sweeper) -> None:
    for number in range(250):
        blob = await make(blobs, b"%d" % number)
        await database.write(refer, blobs, blob, "a")
        await database.write(drop, blobs, blob.digest, "a")
    assert await sweeper.sweep(1000, GRACE) == Swept(250, 0)
    assert await sweeper.sweep(2000, GRACE) == Swept(0, 250)


async def test_writers_and_the_sweeper_race(database: Database, blobs: Blobs, sweeper: Sweeper) -> None:
    """Owners come and go while the sweeper runs with no grace at all; whoever holds a reference can read."""
    contents = [b"small", LARGE]
    running = True
    erased = 0

    async def own(owner: str) -> None:
        for number in range(2_000):
            if number >= 25 and erased:  # on a busy machine it takes a while until nobody owns a blob for a moment
                return
            data = contents[number % 2]
            blob = await make(blobs, data)
            await database.write(refer, blobs, blob, owner)
            await asyncio.sleep(0)
            assert await blobs.read(blob.digest) == data
            await database.write(drop, blobs, blob.digest, owner)
            await asyncio.sleep(number % 5 * 0.002)  # now and then nobody owns a thing, and the sweeper gets its chance

    async def sweep() -> None:
        nonlocal erased
        now = 1000
        while running:
            now += 1
            erased += (await sweeper.sweep(now, 0)).erased

    sweeping = asyncio.create_task(sweep())
    await asyncio.gather(*(own(f"owner{number}") for number in range(6)))
    running = False
    await sweeping
    assert erased > 0
    await sweeper.sweep(1_000_000, 0)
    await sweeper.sweep(1_000_001, 0)
    assert await database.read(lambda tx: tx.execute("select count(*) from blob")) == [(0,)]


async def test_stray_files_go_and_owned_ones_stay(
    database: Database, blobs: Blobs, sweeper: Sweeper, blob_files: DiskFiles, tmp_path: Path
) -> None:
    kept = await make(blobs, LARGE)
    await database.write(refer, blobs, kept, "a")
    surplus = await make(blobs, LARGE)  # the same bytes: their row names the first file
    await database.write(refer, blobs, surplus, "b")
    lost = await make(blobs, LARGE[::-1])  # a crash before its row
    unfinished = blobs.writer()
    unfinished.write(LARGE * 2)
    (tmp_path / "blobs" / "ab" / "cd").mkdir(parents=True)
    (tmp_path / "blobs" / "ab" / "cd" / "README").write_text("not ours")
    files = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        os.utime(path, (5000, 5000))
    assert await sweeper.sweep_strays(5000 + 3600) == 0  # younger than a day
    assert await sweeper.sweep_strays(5000 + 100_000) == 2
    assert kept.place is not None
    assert surplus.place is not None
    assert lost.place is not None
    assert blob_files.path(kept.place).exists()
    assert not blob_files.path(surplus.place).exists()
    assert not blob_files.path(lost.place).exists()
    assert not any((tmp_path / "blobs" / "new").iterdir())
    assert (tmp_path / "blobs" / "ab" / "cd" / "README").exists()
    assert await blobs.read(kept.digest) == LARGE
    unfinished.discard()
