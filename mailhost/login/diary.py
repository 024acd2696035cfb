"""Keeps the sign-in diary: counts entries in memory and writes them in batches, so that a sign-in waits for no disk."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from mailhost import observe
from mailhost.accounts.audit.model import DOORSTEP, LET_IN, Cause, Facts, Occurrence, SignIn
from mailhost.accounts.audit.sql import accounts_with_sign_ins, record_sign_ins, trim_sign_ins
from mailhost.accounts.credentials.sql import record_uses
from mailhost.accounts.model import LastUse
from mailhost.accounts.places.sql import KEEP_SECONDS, forget_places, record_places
from mailhost.accounts.sessions.sql import LiveSession, record_sessions, remove_sessions
from mailhost.accounts.waits.sql import forget_waits
from mailhost.login.judge import Verdict
from mailhost.login.model import Clock, Limits, Visit
from mailhost.login.names import network_of, printable, program_of
from mailhost.login.quantities import count_moved
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


@dataclass(slots=True)
class Batch:
    """What waits to be written: attempts, last uses, homes of credentials, sessions, octets."""

    attempts: dict[SignIn, Occurrence] = field(default_factory=dict)
    uses: dict[tuple[int, int], LastUse] = field(default_factory=dict)
    places: dict[Home, int] = field(default_factory=dict)
    opened: dict[tuple[int, str], LiveSession] = field(default_factory=dict)
    closed: dict[tuple[int, str], None] = field(default_factory=dict)
    moved: dict[tuple[int, str], int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.attempts or self.uses or self.places or self.opened or self.closed or self.moved)


class Diary:
    """Entries on their way to the store, written by `run` until `close`; what finds no room is counted in `dropped`."""

    def __init__(self, database: Database, limits: Limits, clock: Clock) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock
        self._batch = Batch()
        self._written: OrderedDict[Home, int] = OrderedDict()  # when a place was written last, by this process
        self._touched: set[int] = set()
        self._rows_since_trim = 0
        self._trimmed_all_at = float("-inf")
        self._waits_forgotten_at = float("-inf")
        self._news = asyncio.Event()
        self._closing = False
        self.dropped = 0

    # What the others note; none of it waits

    def note(self, sign_in: SignIn, connection_id: str, now: float, facts: Facts | None = None) -> None:
        """An attempt."""
        at = int(now)
        occurrence = self._batch.attempts.get(sign_in)
        if occurrence is not None:
            occurrence.at = at
            occurrence.connection_id = connection_id
            occurrence.attempts += 1
            occurrence.facts = facts or occurrence.facts
        elif len(self._batch.attempts) < _MAX_WAITING:
            self._batch.attempts[sign_in] = Occurrence(at, connection_id, 1, facts or {})
        else:
            self.dropped += 1
        self._news.set()

    def tell(
        self,
        verdict: Verdict,
        visit: Visit,
        now: float,
        account_id: int,
        credential_id: int | None = None,
        asked: str = "",
    ) -> None:
        """An attempt as the judge and its door saw it."""
        sign_in = sign_in_of(verdict, visit, account_id, credential_id, asked)
        self.note(sign_in, visit.connection_id, now, verdict.facts)

    def note_use(self, account_id: int, credential_id: int, use: LastUse) -> None:
        """The last use of a credential, and that it is at home there."""
        batch = self._batch
        if len(batch.uses) < _MAX_WAITING or (account_id, credential_id) in batch.uses:
            batch.uses[account_id, credential_id] = use
            self._news.set()
        home = (account_id, credential_id, use.network, program_of(use.client_id))
        if self._written.get(home, -_PLACE_SECONDS) + _PLACE_SECONDS <= use.at and len(batch.places) < _MAX_WAITING:
            batch.places[home] = use.at

    def is_home(self, home: Home) -> bool:
        """Whether this process knows, from lately, that a credential is used there."""
        return home in self._written or home in self._batch.places

    def note_session(self, session: LiveSession) -> None:
        """A session was opened, or its client has told its name by now."""
        if len(self._batch.opened) < _MAX_WAITING:
            self._batch.opened[session.account_id, session.id] = session
            self._news.set()

    def note_end(self, account_id: int, session_id: str) -> None:
        """A session is over."""
        self._batch.opened.pop((account_id, session_id), None)
        if len(self._batch.closed) < _MAX_WAITING:
            self._batch.closed[account_id, session_id] = None
            self._news.set()

    def note_octets(self, account_id: int, kind: str, octets: int) -> None:
        """An account moved octets, of a kind of `quantities`."""
        self._batch.moved[account_id, kind] = self._batch.moved.get((account_id, kind), 0) + octets
        self._news.set()

    # How it is written

    async def run(self) -> None:
        """Write what was noted, at most FLUSH_SECONDS later, until `close`."""
        is_told = False  # once an outage, for the log may stand on the disk that is full
        while not self._closing:
            await self._news.wait()
            await asyncio.sleep(0 if self._closing else FLUSH_SECONDS)
            try:
                await self.flush()
                if not self._closing:
                    await self._trim()
                is_told = False
            except StorageError as error:
                # Full or away: sign-ins go on, and the entries wait for a better moment.
                if not is_told:
                    log.warning("diary.delayed", reason=str(error), dropped=self.dropped)
                is_told = True
                await asyncio.sleep(0 if self._closing else RETRY_SECONDS)

    async def close(self) -> None:
        """Write what is left, if the store takes it, and let `run` end."""
        self._closing = True
        self._news.set()
        try:
            await self.flush()
        except StorageError as error:
            log.warning("diary.delayed", reason=str(error), dropped=self.dropped + len(self._batch.attempts))
        self._news.set()

    async def flush(self) -> None:
        """Write everything noted so far in one transaction. Raises StorageError, and then keeps it."""
        self._news.clear()
        batch, self._batch = self._batch, Batch()
        if not batch:
            return
        try:
            await self._database.write_relaxed(_write, batch, self._limits, int(self._clock()))
        except StorageError:
            self._take_back(batch)
            raise
        self._remember(batch.places)
        self._touched.update(sign_in.account_id for sign_in in batch.attempts)
        self._rows_since_trim += len(batch.attempts)
        _tell_operator(batch.attempts)

    def _remember(self, places: dict[Home, int]) -> None:
        """What was written need not be written again for a while."""
        for home, at in places.items():
            self._written[home] = at
            self._written.move_to_end(home)
        while len(self._written) > self._limits.tracked:
            self._written.popitem(last=False)

    def _take_back(self, batch: Batch) -> None:
        now = self._batch
        for sign_in, occurrence in batch.attempts.items():
            later = now.attempts.get(sign_in)
            if later is not None:
                later.attempts += occurrence.attempts
            elif len(now.attempts) < _MAX_WAITING:
                now.attempts[sign_in] = occurrence
            else:
                self.dropped += occurrence.attempts
        now.uses = {**batch.uses, **now.uses}
        now.places = {**batch.places, **now.places}
        now.opened = {key: row for key, row in batch.opened.items() if key not in now.closed} | now.opened
        now.closed = {**batch.closed, **now.closed}
        for (account_id, kind), octets in batch.moved.items():
            self.note_octets(account_id, kind, octets)
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


def sign_in_of(verdict: Verdict, visit: Visit, account_id: int, credential_id: int | None, asked: str = "") -> SignIn:
    """An attempt as the diary counts it."""
    return SignIn(
        account_id,
        verdict.cause,
        asked,
        visit.protocol,
        visit.port,
        visit.peer,
        network_of(visit.peer),
        visit.tls_version,
        visit.mechanism,
        printable(visit.client_id),
        credential_id,
    )


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
        elif sign_in.cause in (Cause.THROTTLED, Cause.THROTTLED_ACCOUNT, Cause.THROTTLED_NETWORK):
            log.info("login.throttled", **fields)
        else:
            log.info("login.refused", reason=sign_in.cause.value, **fields)


def _write(tx: Tx, batch: Batch, limits: Limits, now: int) -> None:
    record_sign_ins(tx, [*batch.attempts.items()])
    record_places(tx, [(*home, at) for home, at in batch.places.items()])
    record_uses(tx, [(account_id, credential_id, use) for (account_id, credential_id), use in batch.uses.items()])
    record_sessions(tx, batch.opened.values())
    remove_sessions(tx, batch.closed)
    count_moved(tx, batch.moved, limits.rules, now)
