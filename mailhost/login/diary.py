"""Keeps the sign-in diary: counts entries in memory and writes them in batches, so that a sign-in waits for no disk."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from mailhost import observe
from mailhost.accounts.audit.model import DOORSTEP, LET_IN, Cause, Facts, Occurrence, SignIn
from mailhost.accounts.audit.sql import accounts_with_sign_ins, record_sign_ins, trim_sign_ins
from mailhost.accounts.credentials.sql import record_uses
from mailhost.accounts.model import LastUse
from mailhost.accounts.places.sql import KEEP_SECONDS, forget_places, record_places
from mailhost.accounts.waits.sql import forget_waits
from mailhost.login.model import Clock, Limits
from mailhost.login.names import program_of
from mailhost.storage.database import Database, Tx
from mailhost.storage.errors import StorageError

log = observe.logger()

FLUSH_SECONDS = 0.1
RETRY_SECONDS = 1.0
_MAX_WAITING = 4_096
_TRIM_ROWS = 2_000
_TRIM_PAGE = 50
_DAY_SECONDS = 86_400
_WAITS_SECONDS = 600.0
_PLACE_SECONDS = 3_600

Home = tuple[int, int, str, str]
"""(account, credential, network, program): where a credential is used."""


class Diary:
    """Entries on their way to the store, written by `run` until `close`; what finds no room is counted in `dropped`."""

    def __init__(self, database: Database, limits: Limits, clock: Clock) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock
        self._waiting: dict[SignIn, Occurrence] = {}
        self._uses: dict[tuple[int, int], LastUse] = {}
        self._places: dict[Home, int] = {}
        self._written: OrderedDict[Home, int] = OrderedDict()  # when a place was written last, by this process
        self._touched: set[int] = set()
        self._rows_since_trim = 0
        self._trimmed_all_at = float("-inf")
        self._waits_forgotten_at = float("-inf")
        self._news = asyncio.Event()
        self._closing = False
        self.dropped = 0

    def note(self, sign_in: SignIn, connection_id: str, now: float, facts: Facts | None = None) -> None:
        """Take an attempt into the next batch; does not wait."""
        at = int(now)
        occurrence = self._waiting.get(sign_in)
        if occurrence is not None:
            occurrence.at = at
            occurrence.connection_id = connection_id
            occurrence.attempts += 1
            occurrence.facts = facts or occurrence.facts
        elif len(self._waiting) < _MAX_WAITING:
            self._waiting[sign_in] = Occurrence(at, connection_id, 1, facts or {})
        else:
            self.dropped += 1
        self._news.set()

    def note_use(self, account_id: int, credential_id: int, use: LastUse) -> None:
        """Remember the last use of a credential, and that it is at home there, for the next batch; does not wait."""
        if len(self._uses) < _MAX_WAITING or (account_id, credential_id) in self._uses:
            self._uses[account_id, credential_id] = use
            self._news.set()
        home = (account_id, credential_id, use.network, program_of(use.client_id))
        if self._written.get(home, -_PLACE_SECONDS) + _PLACE_SECONDS <= use.at and len(self._places) < _MAX_WAITING:
            self._places[home] = use.at

    async def run(self) -> None:
        """Write what was noted, at most FLUSH_SECONDS later, until `close`."""
        while not self._closing:
            await self._news.wait()
            await asyncio.sleep(0 if self._closing else FLUSH_SECONDS)
            try:
                await self.flush()
                if not self._closing:
                    await self._trim()
            except StorageError as error:
                # Full or away: sign-ins go on, and the entries wait for a better moment.
                log.warning("diary.delayed", reason=str(error), dropped=self.dropped)
                await asyncio.sleep(0 if self._closing else RETRY_SECONDS)

    async def close(self) -> None:
        """Write what is left, if the store takes it, and let `run` end."""
        self._closing = True
        self._news.set()
        try:
            await self.flush()
        except StorageError as error:
            log.warning("diary.delayed", reason=str(error), dropped=self.dropped + len(self._waiting))
        self._news.set()

    async def flush(self) -> None:
        """Write everything noted so far in one transaction. Raises StorageError, and then keeps it."""
        self._news.clear()
        batch, self._waiting = self._waiting, {}
        uses, self._uses = self._uses, {}
        places, self._places = self._places, {}
        if not batch and not uses:
            return
        try:
            await self._database.write_relaxed(_write, list(batch.items()), list(uses.items()), places)
        except StorageError:
            self._take_back(batch, uses)
            self._places = {**places, **self._places}
            raise
        self._remember(places)
        self._touched.update(sign_in.account_id for sign_in in batch)
        self._rows_since_trim += len(batch)
        _tell_operator(batch)

    def _remember(self, places: dict[Home, int]) -> None:
        """What was written need not be written again for a while."""
        for home, at in places.items():
            self._written[home] = at
            self._written.move_to_end(home)
        while len(self._written) > self._limits.tracked:
            self._written.popitem(last=False)

    def _take_back(self, batch: dict[SignIn, Occurrence], uses: dict[tuple[int, int], LastUse]) -> None:
        for sign_in, occurrence in batch.items():
            later = self._waiting.get(sign_in)
            if later is not None:
                later.attempts += occurrence.attempts
            elif len(self._waiting) < _MAX_WAITING:
                self._waiting[sign_in] = occurrence
            else:
                self.dropped += occurrence.attempts
        self._uses = {**uses, **self._uses}
        self._news.set()

    async def _trim(self) -> None:
        """Forget old entries: of the accounts lately written to when they are many, of all accounts once a day."""
        now = self._clock()
        if now - self._waits_forgotten_at >= _WAITS_SECONDS:
            self._waits_forgotten_at = now
            await self._database.write_relaxed(forget_waits, now - self._limits.forget_seconds, now)
        if now - self._trimmed_all_at >= _DAY_SECONDS:
            self._trimmed_all_at = now
            await self._database.write_relaxed(forget_places, int(now) - KEEP_SECONDS)
            after = DOORSTEP - 1
            while account_ids := await self._database.read(accounts_with_sign_ins, after, _TRIM_PAGE):
                await self._trim_accounts(account_ids)
                after = account_ids[-1]
        elif self._rows_since_trim >= _TRIM_ROWS:
            touched = sorted(self._touched)
            for start in range(0, len(touched), _TRIM_PAGE):
                await self._trim_accounts(touched[start : start + _TRIM_PAGE])
        else:
            return
        self._touched.clear()
        self._rows_since_trim = 0

    async def _trim_accounts(self, account_ids: list[int]) -> None:
        before = int(self._clock()) - self._limits.diary_days * _DAY_SECONDS
        await self._database.write_relaxed(trim_sign_ins, account_ids, before=before, keep=self._limits.diary_rows)


def _tell_operator(batch: dict[SignIn, Occurrence]) -> None:
    """One line for equal attempts, here and not at the door, so that a flood of them is no flood of lines."""
    for sign_in, occurrence in batch.items():
        fields = {
            "account": sign_in.account_id,
            "peer": sign_in.peer,
            "protocol": sign_in.protocol,
            "connection": occurrence.connection_id,
            "attempts": occurrence.attempts,
        }
        if sign_in.cause in LET_IN:
            log.info("login.accepted", **fields)
        elif sign_in.cause in (Cause.THROTTLED, Cause.THROTTLED_NETWORK):
            log.info("login.throttled", **fields)
        else:
            log.info("login.refused", reason=sign_in.cause.value, **fields)


def _write(
    tx: Tx,
    batch: list[tuple[SignIn, Occurrence]],
    uses: Iterable[tuple[tuple[int, int], LastUse]],
    places: dict[Home, int],
) -> None:
    record_sign_ins(tx, batch)
    record_places(tx, [(*home, at) for home, at in places.items()])
    record_uses(tx, [(account_id, credential_id, use) for (account_id, credential_id), use in uses])
