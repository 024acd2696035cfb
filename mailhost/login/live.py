"""Who is signed in: how many sessions there may be, who has to make room, and who must hear that it is over.

Each process knows its own sessions exactly. Those of others it knows from rows that are a moment old, and asks for
them only while other processes live.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mailhost.accounts.audit.model import Cause, Facts
from mailhost.accounts.sessions.sql import (
    LiveSession,
    NoSuchSession,
    beat,
    bury,
    must_end,
    sessions_elsewhere,
    sign_out,
)
from mailhost.accounts.sql import topic
from mailhost.login.diary import Diary
from mailhost.login.judge import Verdict, still_valid
from mailhost.login.model import Clock, Identity, Visit
from mailhost.login.names import printable
from mailhost.login.quantities import kinds_of, reached_now, shown_octets
from mailhost.storage.database import Database, Tx, Watch
from mailhost.storage.errors import StorageError

BEAT_SECONDS: Final = 20.0
DEAD_SECONDS: Final = 120
"""A process that was silent for so long is gone, and its sessions count no more."""
_COUNT_SECONDS: Final = 5.0
_HEARD_SECONDS: Final = 60.0
"""How exactly the list of devices knows when a session was last heard of."""
_SHOWN: Final = 15


class Ending(Enum):
    """Why a live session has to end."""

    REVOKED = "revoked"
    """Its credential is not good any more."""
    SIGNED_OUT = "signed-out"
    """Its owner sent it away, or another process needed its place."""
    GAVE_WAY = "gave-way"
    """It was the oldest idle one, and a newer one came."""
    OVER_LIMIT = "over-limit"
    """The account has moved as much as it may today."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a session ends; `limit` and `until` (Unix time) as in `Refused`, for OVER_LIMIT and GAVE_WAY."""

    ending: Ending
    limit: str = ""
    until: float | None = None


@dataclass(slots=True, eq=False)
class Live:
    """One session that is signed in. Its door counts octets and says when it waits for the client; cheap on purpose."""

    identity: Identity
    visit: Visit
    opened_at: int
    interrupt: Callable[[], None] = field(repr=False)
    sent: int = 0
    received: int = 0
    heard_at: float = 0.0
    told_at: float = 0.0
    """`heard_at` as the list of devices has it; both in the loop's time."""
    is_waiting: bool = False
    must_look: bool = True  # the credential may have been revoked between the look and the watch
    gave_way: bool = False
    expiry: asyncio.TimerHandle | None = None

    def recheck(self) -> None:
        """Have the door ask `LiveSessions.why_over` at once."""
        self.must_look = True
        self.interrupt()

    def device(self) -> str:
        """The session in a list of devices: the client's own name, or its address."""
        return f"{printable(self.visit.client_id) or self.visit.protocol.upper()} {self.visit.peer}"


class TooManySessions(Exception):
    """The account has its most, and none of them is idle."""

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self.facts = facts


class _Account:
    """One account's sessions in this process, and the one watch for all of them."""

    __slots__ = ("sessions", "watch")

    def __init__(self, database: Database, account_id: int) -> None:
        self.sessions: dict[Live, None] = {}
        self.watch: Watch = database.watch(topic(account_id), self.recheck)

    def recheck(self) -> None:
        for live in tuple(self.sessions):
            live.recheck()


class LiveSessions:
    """Every session that is signed in, by account."""

    def __init__(self, database: Database, diary: Diary, clock: Clock, process: str) -> None:
        """`process` names this one among all that ever serve the store."""
        self._database = database
        self._diary = diary
        self._clock = clock
        self._accounts: dict[int, _Account] = {}
        self.process = process
        self._others = 0  # processes that live besides this one

    async def enter(self, identity: Identity, visit: Visit, interrupt: Callable[[], None]) -> Live:
        """Count a session in. Raises TooManySessions."""
        loop = asyncio.get_running_loop()
        now = self._clock()
        live = Live(identity, visit, int(now), interrupt, heard_at=loop.time())
        if visit.protocol == "imap":
            await self._make_room(live)
        account = self._accounts.get(identity.account_id)
        if account is None:
            account = self._accounts[identity.account_id] = _Account(self._database, identity.account_id)
        account.sessions[live] = None
        if identity.expires_at is not None:
            live.expiry = loop.call_later(max(identity.expires_at - now, 0), live.recheck)
        self.tell_again(live)
        return live

    def tell_again(self, live: Live) -> None:
        """The list of devices shows the session, with the name its client has told by now."""
        identity, visit = live.identity, live.visit
        row = (identity.account_id, visit.connection_id, self.process, visit.protocol, identity.credential_id)
        heard_at = round(self._clock() - (asyncio.get_running_loop().time() - live.heard_at))
        self._diary.note_session(LiveSession(*row, visit.peer, printable(visit.client_id), live.opened_at, heard_at))
        live.told_at = live.heard_at

    def leave(self, live: Live) -> None:
        """Count a session out."""
        account_id = live.identity.account_id
        account = self._accounts[account_id]
        del account.sessions[live]
        if not account.sessions:
            account.watch.close()
            del self._accounts[account_id]
        if live.expiry is not None:
            live.expiry.cancel()
        self._collect(live)
        self._diary.note_end(account_id, live.visit.connection_id)

    async def why_over(self, live: Live) -> Ended | None:
        """Whether a session that was interrupted has to end, and why."""
        if live.gave_way:
            return Ended(Ending.GAVE_WAY, str(live.identity.rules.imap_connections))
        if not live.must_look:
            return None
        live.must_look = False
        return await self._database.point(_look, live.identity, live.visit, self._clock())

    async def run(self) -> None:
        """Count octets and say that this process lives, until cancelled."""
        while True:
            try:
                now = int(self._clock())
                self._others = await self._database.write_relaxed(
                    beat, self.process, now=now, dead_before=now - DEAD_SECONDS
                )
            except StorageError:
                pass  # the diary tells that the store is away
            for _ in range(round(BEAT_SECONDS / _COUNT_SECONDS)):
                await asyncio.sleep(_COUNT_SECONDS)
                self.collect()

    async def close(self) -> None:
        """Forget this process's sessions; they are over by now."""
        self.collect()
        await self._database.write_relaxed(bury, self.process)

    def collect(self) -> None:
        """Hand what sessions moved, and when they were heard of, to the diary, which writes it together."""
        for account in self._accounts.values():
            for live in account.sessions:
                self._collect(live)
                if live.heard_at - live.told_at >= _HEARD_SECONDS:
                    self.tell_again(live)

    def _collect(self, live: Live) -> None:
        down, up = kinds_of(live.visit.protocol)
        if live.sent and down:
            self._diary.note_octets(live.identity.account_id, down, live.sent)
        if live.received and up:
            self._diary.note_octets(live.identity.account_id, up, live.received)
        live.sent = live.received = 0

    async def _make_room(self, live: Live) -> None:
        """When there are as many as may be, the oldest idle one goes. Raises TooManySessions."""
        identity = live.identity
        most = identity.rules.imap_connections or 1
        account = self._accounts.get(identity.account_id)
        own = [one for one in account.sessions if one.visit.protocol == "imap"] if account is not None else []
        elsewhere: list[LiveSession] = []
        if self._others:
            elsewhere = await self._database.point(sessions_elsewhere, identity.account_id, "imap", self.process)
        staying = [one for one in own if not one.gave_way]
        if len(staying) + len(elsewhere) < most:
            return
        idle = [one for one in staying if one.is_waiting]
        if idle:
            oldest = min(idle, key=lambda one: one.heard_at)
            oldest.gave_way = True
            oldest.interrupt()
            verdict = Verdict(Cause.CONNECTION_GAVE_WAY, {"device": oldest.device(), "limit": most})
            self._diary.tell(verdict, live.visit, self._clock(), identity.account_id, identity.credential_id)
        elif elsewhere and len(own) + len(elsewhere) < 2 * most:
            # It ends at its next quiet moment, which only its own process can see.
            with suppress(NoSuchSession):  # it ended by itself
                await self._database.write_relaxed(sign_out, identity.account_id, elsewhere[0].id)
        else:
            shown = [one.device() for one in own] + [f"{one.client_id or 'IMAP'} {one.peer}" for one in elsewhere]
            raise TooManySessions({"limit": most, "devices": "; ".join(shown[:_SHOWN])})


def _look(tx: Tx, identity: Identity, visit: Visit, now: float) -> Ended | None:
    if not still_valid(tx, identity, int(now)):
        return Ended(Ending.REVOKED)
    if must_end(tx, identity.account_id, visit.connection_id):
        return Ended(Ending.SIGNED_OUT)
    reached = reached_now(tx, identity.account_id, visit.protocol, int(now))
    return Ended(Ending.OVER_LIMIT, shown_octets(reached.limit), reached.until) if reached is not None else None
