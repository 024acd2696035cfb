"""Backup and restore of a whole store while it serves: one snapshot of all rows, then the files those rows name.

Files never change, so a second backup into the same folder copies only what is new. The sweeper erases nothing while a
backup runs. The operator's files (settings, the key of app passwords) are not the store's and not copied here.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from mailhost.storage import sql
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx, open_database
from mailhost.storage.dump import dump, load, read_header
from mailhost.storage.errors import BackupIncomplete, BlobDamaged
from mailhost.storage.files import BlobFiles, DiskFiles, translate_os
from mailhost.storage.postgres_options import PostgresOptions

_ROWS = "rows.zst"
_BLOBS = "blobs"
_HOLD_SECONDS = 24 * 3600  # after which a backup that died no longer holds the sweeper
_PIECE = 1024 * 1024
_PAGE = 500
_PATIENT = PostgresOptions(readers=1, writers=1, deadline_seconds=24 * 3600)


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup or a restore moved."""

    rows: int
    files: int
    files_there: int  # already, from an earlier backup


async def back_up(url: str, files: BlobFiles, folder: Path) -> BackupSummary:
    """Copy the store to `folder`, which may hold an earlier backup of it. Run this in a process of its own."""
    target = await asyncio.to_thread(DiskFiles, folder / _BLOBS)
    database = await open_database(url, postgres=_PATIENT)
    try:
        await database.write(sql.write_meta, sql.HELD_UNTIL, str(int(time.time()) + _HOLD_SECONDS))
        try:
            rows = await database.read(dump, folder / _ROWS)
            copied, there = await _copy_files(database, files, target)
        finally:
            await database.write(sql.delete_meta, sql.HELD_UNTIL)
    except OSError as error:
        raise translate_os(error) from error
    finally:
        await database.close()
    return BackupSummary(rows, copied, there)


async def restore(folder: Path, url: str, files: BlobFiles) -> BackupSummary:
    """Make the backup in `folder` the content of the empty store at `url`, on either engine; files first, then rows.

    The restored store counts as stopped uncleanly: clients may know of changes made after the backup.
    """
    header = await asyncio.to_thread(read_header, folder / _ROWS)
    source = await asyncio.to_thread(DiskFiles, folder / _BLOBS)
    copied = there = 0
    pages = source.older_than(float("inf"))
    while names := await asyncio.to_thread(next, pages, None):
        for name in names:
            is_copied = await asyncio.to_thread(_copy, source, files, name)
            copied, there = copied + is_copied, there + (not is_copied)
    newest = max((number for number, _, _ in header.migrations), default=0)
    database = await open_database(url, postgres=_PATIENT, schema=newest)
    try:
        rows = await database.write(_load, folder / _ROWS)
        await _check_files(database, files)
    finally:
        await database.close()
    await (await open_database(url)).close()  # brings an older schema up to date
    return BackupSummary(rows, copied, there)


def _load(tx: Tx, path: Path) -> int:
    count = load(tx, path)
    sql.delete_meta(tx, sql.HELD_UNTIL)
    sql.write_meta(tx, sql.SERVING, "restored")
    return count


async def _copy_files(database: Database, source: BlobFiles, target: BlobFiles) -> tuple[int, int]:
    copied = there = 0
    after = b""
    while page := await database.read(sql.places_after, after, _PAGE):
        for digest, place in page:
            is_copied = await asyncio.to_thread(_copy, source, target, place)
            copied, there = copied + is_copied, there + (not is_copied)
            after = digest
    return copied, there


def _copy(source: BlobFiles, target: BlobFiles, name: str) -> bool:
    """Copy one file unless it is there; whether it was not."""
    if target.has(name):
        return False
    file = target.create()
    try:
        start = 0
        while piece := source.read(name, start, _PIECE):
            file.write(piece)
            start += len(piece)
        file.keep(name)
    except BaseException:
        file.discard()
        raise
    return True


async def _check_files(database: Database, files: BlobFiles) -> None:
    """Read every file that a row names, against the digest in the row."""
    blobs = Blobs(database, files)
    after = b""
    while page := await database.read(sql.places_after, after, _PAGE):
        for digest, place in page:
            if not await asyncio.to_thread(files.has, place):
                raise BackupIncomplete(f"the backup lacks the file {place}; all else has been restored")
            if not await _is_whole(blobs, digest):
                raise BackupIncomplete(f"the backup's file {place} is damaged; all else has been restored")
            after = digest


async def _is_whole(blobs: Blobs, digest: bytes) -> bool:
    content = hashlib.sha256()
    try:
        async for piece in blobs.stream(digest):
            content.update(piece)
    except BlobDamaged:
        return False
    return content.digest() == digest
