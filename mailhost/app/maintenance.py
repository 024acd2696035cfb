"""What tidies up while the server runs: expired mail, old logs, unused keywords and blobs, aging certificates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from mailhost import mailstore, observe
from mailhost.accounts.web_sessions.sql import forget_ended
from mailhost.mailstore import keywords
from mailhost.mailstore.conversations import complete_threads, tidy_threads
from mailhost.mailstore.indexer import TextIndex
from mailhost.oauth.sql import forget_dead
from mailhost.queue.sql import refers_to
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from mailhost.storage.errors import StorageError, StorageFull, StorageUnavailable
from mailhost.storage.files import DiskFiles
from mailhost.storage.sweep import Sweeper

log = observe.logger()

_FIRST: Final = 30.0  # seconds after the start, when clients that came back are served
_EVERY: Final = 900.0
_STRAYS_EVERY: Final = 24 * 3600
_INDEX_EVERY: Final = 24 * 3600
_THREADS_EVERY: Final = 24 * 3600
_TOKENS_KEPT: Final = 30 * 24 * 3600  # after their end, so that the diary can say what they were


class Maintenance:
    """Runs the tasks one after the other, every quarter of an hour; what fails is tried again at the next round."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        files: DiskFiles,
        index: TextIndex,
        renew_certificate: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._sweeper = Sweeper(database, files, is_referenced)
        self._index = index
        self._strays_at = 0
        self._index_at = 0
        self._threads_at = 0
        self._hurry = asyncio.Event()
        self._tasks: tuple[Callable[[], Awaitable[None]], ...] = (
            self._finish_steps,
            self._empty_trash,
            self._expire_mail,
            self._free_keywords,
            self._sweep_blobs,
            self._tidy_index,
            self._thread_mail,
            self._forget_tokens,
            renew_certificate,
        )

    async def run(self) -> None:
        """Until cancelled."""
        await self._rest(_FIRST)
        while True:
            await self.round()
            await self._rest(_EVERY)

    def hurry(self) -> None:
        """Begin the next round now: an operator brought a new certificate, say."""
        self._hurry.set()

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)
        self._hurry.clear()

    async def round(self) -> None:
        """Every task once."""
        for task in self._tasks:
            await self._try(task(), task=getattr(task, "__name__", ""))

    async def _try(self, work: Awaitable[None], **told: object) -> bool:
        """Whether the store was there for it; whatever went wrong must not end the server, and is told."""
        try:
            await work
        except (StorageFull, StorageUnavailable) as error:
            log.warning("maintenance.delayed", reason=str(error), **told)
            return False
        except Exception as error:
            log.exception("maintenance.crashed", **told)
            return not isinstance(error, StorageError)
        return True

    async def _for_each(
        self, accounts: Callable[[Tx], Sequence[int]], work: Callable[[int, int], Awaitable[None]]
    ) -> None:
        """Work on one account after the other, with the time it began; none that fails keeps the next from its turn."""
        now = int(time.time())
        for account_id in await self._database.read(accounts):
            if not await self._try(work(account_id, now), task=work.__name__, account=account_id):
                return

    async def _finish_steps(self) -> None:
        """What a crash interrupted: mailboxes half emptied, accounts half erased or between two layouts."""
        await self._for_each(mailstore.accounts_with_steps_left, self._empty_more)
        await self._for_each(mailstore.switching_accounts, self._finish_switch)
        await self._for_each(mailstore.closed_accounts, self._erase_closed)

    async def _empty_more(self, account_id: int, now: int) -> None:
        while await self._database.write(mailstore.empty_more, account_id, now):
            pass

    async def _finish_switch(self, account_id: int, now: int) -> None:
        await mailstore.finish_switch(self._database, account_id, now)

    async def _erase_closed(self, account_id: int, _now: int) -> None:
        while await self._database.write(mailstore.erase_closed, self._blobs, account_id):
            pass

    async def _expire_mail(self) -> None:
        await self._for_each(mailstore.every_account, self._expire)

    async def _expire(self, account_id: int, now: int) -> None:
        while await self._database.write(mailstore.erase_expired, self._blobs, account_id, now):
            pass
        for overgrown in await self._database.read(mailstore.overgrown_logs, account_id, now):
            while await self._database.write(mailstore.trim_log, account_id, overgrown):
                pass

    async def _empty_trash(self) -> None:
        await self._for_each(mailstore.accounts_with_labels, self._empty_ends)

    async def _empty_ends(self, account_id: int, now: int) -> None:
        while await self._database.write(mailstore.empty_ends, account_id, now):
            pass

    async def _free_keywords(self) -> None:
        await self._for_each(keywords.accounts_with_many_keywords, self._free)

    async def _free(self, account_id: int, _now: int) -> None:
        carried = await self._database.read(keywords.seek, account_id)
        if carried is not None:
            await self._database.write(keywords.free, account_id, carried)

    async def _sweep_blobs(self) -> None:
        now = int(time.time())
        swept = await self._sweeper.sweep(now)
        strays = 0
        if now >= self._strays_at:  # it walks over all files
            self._strays_at = now + _STRAYS_EVERY
            strays = await self._sweeper.sweep_strays(now)
        if swept.erased or strays:
            log.info("blob.swept", erased=swept.erased, strays=strays)

    async def _tidy_index(self) -> None:
        now = int(time.time())
        if now >= self._index_at:  # it compares all ids
            self._index_at = now + _INDEX_EVERY
            await self._index.tidy()

    async def _forget_tokens(self) -> None:
        now = int(time.time())
        await self._database.write(forget_dead, now - _TOKENS_KEPT)
        await self._database.write(forget_ended, now)

    async def _thread_mail(self) -> None:
        is_time_to_tidy = time.time() >= self._threads_at  # it looks at every key
        if is_time_to_tidy:
            self._threads_at = int(time.time()) + _THREADS_EVERY
        await self._for_each(mailstore.every_account, self._tidy_threads if is_time_to_tidy else self._thread)

    async def _thread(self, account_id: int, _now: int) -> None:
        await complete_threads(self._database, account_id)

    async def _tidy_threads(self, account_id: int, now: int) -> None:
        await self._thread(account_id, now)
        await tidy_threads(self._database, account_id)


def is_referenced(tx: Tx, digest: bytes) -> bool:
    """Whether anything at all still needs the blob."""
    return mailstore.is_referenced(tx, digest) or refers_to(tx, digest)
