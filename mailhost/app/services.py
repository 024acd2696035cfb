"""What the server and the operator's commands stand on: settings, rows, blobs and the key of one data folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailhost import mailstore
from mailhost.accounts.sessions.sql import bury, bury_all
from mailhost.config import Config
from mailhost.crypto import SecretKey
from mailhost.delivery.maildrop import unlock, unlock_all
from mailhost.delivery.sql import expect_repetitions
from mailhost.errors import MailhostError
from mailhost.login import store_key
from mailhost.network.atlas import Atlas
from mailhost.queue import sql as queue
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx, open_database
from mailhost.storage.files import DiskFiles
from mailhost.storage.neighbours import Neighbours

BLOB_FOLDER: Final = "blobs"
_LOCK: Final = "lock"
_PATIENCE: Final = 1.0
"""Seconds that the processes of a server which was killed have to be gone."""


class DataFolderBusy(MailhostError):
    """Another server runs on the data folder, or it cannot be written; the message says which."""


@dataclass(frozen=True, slots=True)
class Services:
    """An open store and what belongs to it."""

    config: Config
    data: Path
    database: Database
    files: DiskFiles
    blobs: Blobs
    key: SecretKey
    atlas: Atlas


@asynccontextmanager
async def open_services(
    config: Config, data: Path, *, serving: bool = False, neighbours: Neighbours | None = None
) -> AsyncIterator[Services]:
    """Open the store of a data folder.

    `serving` begins a server's work on it, before its processes open it with the `neighbours` they are to each other.
    """
    database = await open_database(config.database_url(data), serving=serving, neighbours=neighbours)
    atlas = Atlas(data / config.geoip if config.geoip else None)
    try:
        if serving:
            await database.write(_begin_serving, database.unclean)
        files = DiskFiles(data / BLOB_FOLDER)
        key = await store_key(database, data)
        yield Services(config, data, database, files, Blobs(database, files), key, atlas)
    finally:
        atlas.close()
        await database.close()


def _begin_serving(tx: Tx, unclean: bool) -> None:
    """After an unclean stop no number told before may be told again; and no session of an earlier server lives."""
    if tx.engine == "sqlite":  # on PostgreSQL there may be other servers beside this one
        unlock_all(tx)
        bury_all(tx)
    if unclean:
        mailstore.jump_modseqs(tx)
        expect_repetitions(tx)


def bury_processes(tx: Tx, names: Iterable[str]) -> None:
    """Whoever bore these names has died: their sessions count no more, and the maildrops and the outgoing mail that
    they held are free."""
    for name in names:
        queue.bury(tx, name, int(time.time()))
        for account_id, session_id, protocol in bury(tx, name):
            if protocol == "pop3":
                unlock(tx, account_id, session_id)


@contextmanager
def data_folder(data: Path) -> Iterator[None]:
    """Make the folder and hold it, so that two servers never share it. Raises DataFolderBusy."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataFolderBusy(f"The data folder {data} cannot be written: {error.strerror}.") from error
    try:
        ends = time.monotonic() + _PATIENCE
        while not _try_to_lock(lock):
            if time.monotonic() > ends:
                raise DataFolderBusy(f"Another Mailhost is running on {data}.")
            time.sleep(_PATIENCE / 20)
        yield
    finally:
        os.close(lock)


def _try_to_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
