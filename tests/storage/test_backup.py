"""Backup and restore: everything comes back, on either engine, while the store is being written."""

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailhost.storage.backup import back_up, restore
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx, open_database
from mailhost.storage.dump import dump
from mailhost.storage.errors import BackupIncomplete, BadBackup, NewerStore, StoreNotEmpty
from mailhost.storage.files import DiskFiles
from mailhost.storage.migrate import known_migrations
from mailhost.storage.sql import HELD_UNTIL, delete_meta, read_meta, take_id, write_meta
from mailhost.storage.sweep import Sweeper


def contents(count: int) -> list[bytes]:
    return [random.Random(number).randbytes(50 if number % 10 else 300_000) for number in range(count)]


async def fill(database: Database, blobs: Blobs, count: int) -> list[bytes]:
    digests = []
    for number, data in enumerate(contents(count)):
        writer = blobs.writer()
        writer.write(data)
        blob = await writer.finish()
        await database.write(blobs.attach, blob)
        await database.write(write_meta, f"t-{number}", "grün")
        digests.append(blob.digest)
    await database.write(take_id, "thing")
    return digests


@pytest.fixture(params=["sqlite", "postgres"])
async def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """An empty place to restore into, once on each engine: so each test goes all four ways."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/restored.db"
        return
    server = request.getfixturevalue("postgres_server")
    url = await server.new_database()
    yield url
    server.release(url)


async def test_everything_comes_back(
    database: Database, database_url: str, blobs: Blobs, blob_files: DiskFiles, other_url: str, tmp_path: Path
) -> None:
    digests = await fill(database, blobs, 230)
    summary = await back_up(database_url, blob_files, tmp_path / "backup")
    assert (summary.files, summary.files_there) == (23, 0)
    assert (await back_up(database_url, blob_files, tmp_path / "backup")).files_there == 23
    assert await database.point(read_meta, HELD_UNTIL) is None
    other_files = DiskFiles(tmp_path / "other")
    restored = await restore(tmp_path / "backup", other_url, other_files)
    assert restored.rows >= 460
    other = await open_database(other_url, serving=True)
    assert other.unclean  # clients may know of changes made after the backup
    for digest, data in zip(digests, contents(230), strict=True):
        assert await Blobs(other, other_files).read(digest) == data
    assert await other.point(read_meta, "t-229") == "grün"
    assert await other.point(read_meta, HELD_UNTIL) is None
    assert await other.write(take_id, "thing") == 2
    await other.close()
    with pytest.raises(StoreNotEmpty):
        await restore(tmp_path / "backup", other_url, other_files)


async def test_a_dump_and_its_name_are_on_the_disk_when_it_is_done(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()
    synced: list[tuple[Path, list[str]]] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append((Path(os.readlink(f"/proc/self/fd/{descriptor}")), os.listdir(folder)))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    await database.read(dump, folder / "rows.zst")
    assert synced == [(folder / "rows.zst.new", ["rows.zst.new"]), (folder, ["rows.zst"])]


async def test_a_backup_is_one_moment(
    database: Database, database_url: str, blob_files: DiskFiles, tmp_path: Path
) -> None:
    """Two rows that always change together are equal in the copy."""
    running = True

    def change(tx: Tx, number: int) -> None:
        write_meta(tx, "a", str(number))
        write_meta(tx, "z", str(number))

    async def write() -> int:
        for number in itertools.count():
            await database.write(change, number)
            await database.write(write_meta, f"m-{number}", "")  # so that there are pages between the two
            if not running:
                return number
        return 0

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.3)
    await back_up(database_url, blob_files, tmp_path / "backup")
    running = False
    assert await writing > 0
    await restore(tmp_path / "backup", f"sqlite:///{tmp_path}/restored.db", blob_files)
    other = await open_database(f"sqlite:///{tmp_path}/restored.db")
    assert await other.point(read_meta, "a") == await other.point(read_meta, "z") is not None
    await other.close()


async def test_the_sweeper_waits_for_a_backup(database: Database, blobs: Blobs, blob_files: DiskFiles) -> None:
    [digest] = await fill(database, blobs, 1)
    await database.write(blobs.release, digest)
    sweeper = Sweeper(database, blob_files, lambda _tx, _digest: False)
    await sweeper.sweep(1000, 10)
    await database.write(write_meta, HELD_UNTIL, "3000")
    assert (await sweeper.sweep(2000, 10)).erased == 0
    assert (await sweeper.sweep(3000, 10)).erased == 1
    await database.write(delete_meta, HELD_UNTIL)


async def test_a_damaged_file_is_found_when_it_is_restored(
    database: Database, database_url: str, blobs: Blobs, blob_files: DiskFiles, tmp_path: Path
) -> None:
    await fill(database, blobs, 11)
    await back_up(database_url, blob_files, tmp_path / "backup")
    path = next((tmp_path / "backup" / "blobs").rglob("*-*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackupIncomplete, match="is damaged"):
        await restore(tmp_path / "backup", f"sqlite:///{tmp_path}/restored.db", DiskFiles(tmp_path / "blobs2"))


async def test_what_is_not_a_backup_is_one_sentence(
    database: Database, database_url: str, blobs: Blobs, blob_files: DiskFiles, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/restored.db"
    with pytest.raises(BadBackup):
        await restore(tmp_path / "nothing", url, blob_files)
    await fill(database, blobs, 11)
    await back_up(database_url, blob_files, tmp_path / "backup")
    rows = tmp_path / "backup" / "rows.zst"
    whole = rows.read_bytes()
    rows.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadBackup):
        await restore(tmp_path / "backup", url, blob_files)
    rows.write_bytes(whole)
    for path in (tmp_path / "backup" / "blobs").rglob("*-*"):
        path.unlink()
    with pytest.raises(BackupIncomplete):
        await restore(tmp_path / "backup", f"sqlite:///{tmp_path}/second.db", DiskFiles(tmp_path / "empty"))


async def test_a_newer_backup_is_refused(
    database: Database, database_url: str, blob_files: DiskFiles, tmp_path: Path
) -> None:
    await database.write(
        lambda tx: tx.execute("insert into migration (number, name, checksum, applied_at) values (9999, 'x', 'y', 0)")
    )
    with pytest.raises(NewerStore):
        await back_up(database_url, blob_files, tmp_path / "backup")


async def test_an_older_backup_is_brought_up_to_date(blob_files: DiskFiles, tmp_path: Path) -> None:
    old = await open_database(f"sqlite:///{tmp_path}/old.db", schema=1)
    await old.write(write_meta, "t", "1")
    (tmp_path / "backup").mkdir()
    await old.read(dump, tmp_path / "backup" / "rows.zst")
    await old.close()
    await restore(tmp_path / "backup", f"sqlite:///{tmp_path}/new.db", blob_files)
    new = await open_database(f"sqlite:///{tmp_path}/new.db")
    assert await new.point(read_meta, "t") == "1"
    [(newest,)] = await new.read(lambda tx: tx.execute("select max(number) from migration"))
    assert newest == known_migrations()[-1].number
    await new.close()
