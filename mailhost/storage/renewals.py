"""A file that any of several processes may throw away and make anew: one at a time, and each learns of it."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

_OCTETS: Final = 8


class Renewals:
    """Counts, in a file beside it, how often the file was made anew."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._known = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Be the only one who opens or makes the file; true when nobody made it anew since our last turn.

        Waits for whoever has the turn, who opens a small file in it.
        """
        await asyncio.to_thread(fcntl.flock, self._file, fcntl.LOCK_EX)
        try:
            known, self._known = self._known, self._read()
            yield known == self._known
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def count(self) -> None:
        """We have made it anew, in our turn."""
        self._known = self._read() + 1
        os.pwrite(self._file, self._known.to_bytes(_OCTETS, "big"), 0)

    def by_others(self) -> bool:
        """Whether somebody else has made it anew since our last turn: what we have open is no longer the file."""
        return self._read() != self._known

    def close(self) -> None:
        """Let go of the count."""
        os.close(self._file)

    def _read(self) -> int:
        return int.from_bytes(os.pread(self._file, _OCTETS, 0), "big")
