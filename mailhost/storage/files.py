"""Files for blobs too large for a row: `BlobFiles` is what any kind of store (S3) has to offer, `DiskFiles` is ours.

All methods block; they are called in threads, except `create` and `NewFile.write`, which only touch the page cache.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from mailhost.durable import sync
from mailhost.storage.errors import BlobMissing, StorageError, StorageFull, StorageUnavailable


class NewFile(Protocol):
    """A file being written that nobody can see yet."""

    def write(self, data: bytes) -> None:
        """Append `data`."""

    def keep(self, name: str) -> None:
        """Make the file durable under `name`; nothing is written afterwards."""

    def discard(self) -> None:
        """Throw the file away; harmless after `keep`."""


class BlobFiles(Protocol):
    """Immutable files by name. A name is used for one file only, ever."""

    def create(self) -> NewFile:
        """Begin a file."""

    def read(self, name: str, start: int, length: int) -> bytes:
        """The bytes from `start`, fewer when the file ends before. Raises BlobMissing."""

    def has(self, name: str) -> bool:
        """Whether there is such a file; if so, it is whole."""

    def erase(self, name: str) -> None:
        """Remove the file; harmless when it is gone."""

    def older_than(self, moment: float) -> Iterator[list[str]]:
        """Names of files last written before `moment` (unix seconds), a bounded list at a time. Unfinished files
        that old are thrown away in passing."""


def translate_os(error: OSError) -> StorageError:
    """The system's error in the store's words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        translated: StorageError = StorageFull("the disk for message bodies is full")
    else:
        translated = StorageUnavailable(f"the folder for message bodies cannot be used: {error.strerror}")
    translated.__cause__ = error
    return translated


class DiskFiles:
    """Files below one folder, in two levels of 256 folders each, named after the blob they hold."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._new = root / "new"  # in the same file system, so that a rename is all it takes
        try:
            self._new.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise translate_os(error) from error
        self.syncs = 0

    def create(self) -> "DiskFile":
        """Begin a file in the folder of unfinished ones."""
        try:
            return DiskFile(self, self._new / secrets.token_hex(8))
        except OSError as error:
            raise translate_os(error) from error

    def read(self, name: str, start: int, length: int) -> bytes:
        """Read a range with one system call in the usual case."""
        try:
            descriptor = os.open(self.path(name), os.O_RDONLY)
        except FileNotFoundError as error:
            raise BlobMissing("the file of a message body is gone") from error
        except OSError as error:
            raise translate_os(error) from error
        try:
            data = os.pread(descriptor, length, start)
            while len(data) < length and (more := os.pread(descriptor, length - len(data), start + len(data))):
                data += more
        except OSError as error:
            raise translate_os(error) from error
        finally:
            os.close(descriptor)
        return data

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return self.path(name).exists()

    def erase(self, name: str) -> None:
        """Remove a file."""
        with contextlib.suppress(FileNotFoundError):
            self.path(name).unlink()

    def older_than(self, moment: float) -> Iterator[list[str]]:
        """Walk all folders, one list for each."""
        for entry in _files(self._new):
            if entry.stat().st_mtime < moment:
                self._forget(entry.path)
        for outer in _folders(self._root):
            for inner in _folders(Path(outer)):
                if names := [entry.name for entry in _files(Path(inner)) if entry.stat().st_mtime < moment]:
                    yield names

    def path(self, name: str) -> Path:
        """Where the file called `name` lies."""
        return self._root / name[:2] / name[2:4] / name

    def place(self, temporary: Path, name: str) -> None:
        """Give a finished file its name, durably."""
        path = self.path(name)
        try:
            temporary.rename(path)
        except FileNotFoundError:  # the first file in its folder
            for folder in (path.parent.parent, path.parent):
                folder.mkdir(exist_ok=True, mode=0o700)
                self._sync_folder(folder.parent)
            temporary.rename(path)
        self._sync_folder(path.parent)

    def _sync_folder(self, folder: Path) -> None:
        sync(folder)
        self.syncs += 1

    @staticmethod
    def _forget(path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


class DiskFile:
    """An unfinished file of `DiskFiles`."""

    def __init__(self, files: DiskFiles, path: Path) -> None:
        self._files = files
        self._path = path
        self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def write(self, data: bytes) -> None:
        """Append `data`; on failure the file is thrown away."""
        assert self._descriptor is not None
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            self.discard()
            raise translate_os(error) from error

    def keep(self, name: str) -> None:
        """Fsync, rename, fsync of the folder."""
        assert self._descriptor is not None
        try:
            os.fsync(self._descriptor)
            self._files.syncs += 1
            self._close()
            self._files.place(self._path, name)
        except OSError as error:
            self.discard()
            raise translate_os(error) from error

    def discard(self) -> None:
        """Close and remove, as far as that is still to be done."""
        if self._descriptor is not None:
            self._close()
        with contextlib.suppress(OSError):  # kept under its name, or the sweeper finds it tomorrow
            self._path.unlink()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _folders(root: Path) -> list[str]:
    with os.scandir(root) as entries:
        return [entry.path for entry in entries if len(entry.name) == 2 and entry.is_dir()]


def _files(root: Path) -> list[os.DirEntry[str]]:
    with os.scandir(root) as entries:
        return [entry for entry in entries if entry.is_file()]
