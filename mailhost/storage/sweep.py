"""The sweeper: erases blobs that nothing refers to any more. A wrong guess leaks bytes, never mail.

A blob is first claimed in a committed row; after a grace longer than any download of it, and a second look, row and
then file go. A writer who meets the claim takes the blob back (`Blobs.attach`); one who comes after the row is gone
makes a new row, with a file of its own name.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from mailhost.storage import sql
from mailhost.storage.files import BlobFiles
from mailhost.storage.transaction import Database, Tx

Referenced = Callable[[Tx, bytes], bool]
"""Whether any row of any model refers to this digest."""

GRACE_SECONDS = 3600
STRAY_SECONDS = 24 * 3600
_PLACE = re.compile(r"[0-9a-f]{64}-[0-9a-f]{8}")
_BATCH = 100  # blobs looked at in one transaction, so that other writers pass between


@dataclass(frozen=True, slots=True)
class Swept:
    """What one pass did."""

    claimed: int
    erased: int


class Sweeper:
    """Sweeps one store. `referenced` must see the references of all models."""

    def __init__(self, database: Database, files: BlobFiles, referenced: Referenced) -> None:
        self._database = database
        self._files = files
        self._referenced = referenced

    async def sweep(self, now: int, grace: int = GRACE_SECONDS) -> Swept:
        """One pass: erase what was claimed `grace` seconds ago or earlier, claim what has been released since."""
        erased = claimed = 0
        while (places := await self._database.write(self._erase_rows, now, now - grace)) is not None:
            erased += len(places)
            for place in places:
                if place is not None:
                    await asyncio.to_thread(self._files.erase, place)
        while (count := await self._database.write(self._claim, now)) is not None:
            claimed += count
        return Swept(claimed, erased)

    async def sweep_strays(self, now: int, age: int = STRAY_SECONDS) -> int:
        """Erase files that have no row and are older than any upload can take; a slow walk over all of them. Such files
        are left by crashes, and where a write was interrupted. Returns how many went."""
        erased = 0
        pages = self._files.older_than(now - age)
        while names := await asyncio.to_thread(next, pages, None):
            places = [(bytes.fromhex(name[:64]), name) for name in names if _PLACE.fullmatch(name)]
            for stray in await self._database.read(sql.places_without_row, places):
                await asyncio.to_thread(self._files.erase, stray)
                erased += 1
        return erased

    def _claim(self, tx: Tx, now: int) -> int | None:
        """Claim one batch; None when there is nothing to claim."""
        candidates = sql.find_candidates(tx, _BATCH)
        claimed = 0
        for digest in candidates:
            sql.claim_candidate(tx, digest, now)  # first, so that a release meanwhile waits and is not lost
            if self._referenced(tx, digest):
                sql.delete_candidate(tx, digest)
            else:
                sql.claim_blob(tx, digest, now)
                claimed += 1
        return claimed if candidates else None

    def _erase_rows(self, tx: Tx, now: int, until: int) -> list[str | None] | None:
        """Delete the rows of one batch; returns their files, or None when no claim is old enough."""
        if int(sql.read_meta(tx, sql.HELD_UNTIL) or 0) > now:
            return None  # a backup is copying files
        due = sql.find_claimed(tx, until, _BATCH)
        places: list[str | None] = []
        for digest, claimed_at in due:
            sql.claim_candidate(tx, digest, None)
            if not sql.hold_claimed_blob(tx, digest, claimed_at):
                continue  # taken back, perhaps dropped again: the next pass looks at it anew
            if self._referenced(tx, digest):
                sql.claim_blob(tx, digest, None)
            else:
                places.append(sql.delete_blob(tx, digest))
            sql.delete_candidate(tx, digest)
        return places if due else None
