"""One POP3 client being served: its conversation, who it is, and the maildrop it holds."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from mailhost.delivery.maildrop import RENEW_SECONDS, Maildrop, MaildropLocked, lock, unlock
from mailhost.errors import MailhostError
from mailhost.login.authenticate import DoorKeeper
from mailhost.login.live import Ending, Live
from mailhost.login.model import Clock, Identity
from mailhost.login.wire import last_words
from mailhost.network.stream import Stream
from mailhost.protocols.pop3.answers import err
from mailhost.protocols.pop3.commands import Event
from mailhost.protocols.pop3.server import Pop3Connection
from mailhost.servers.serving import SessionOver
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database

WRITE_AT: Final = 16384
"""Octets of answers that are gathered before they are written, so that pipelined commands share a packet."""


@dataclass(frozen=True, slots=True)
class Pop3Settings:
    """What an operator decides about the POP3 door; seconds."""

    help_url: str = "https://localhost/help"
    unusual_url: str = "https://localhost/account/unusual"  # where owners say whether a held sign-in was theirs
    plaintext_sign_in: bool = False
    max_mistakes: int = 20
    sign_in_seconds: float = 180.0
    idle_seconds: float = 600.0  # RFC 1939 §3: at least ten minutes


@dataclass(frozen=True, slots=True)
class Pop3Services:
    """What every POP3 session works with. `tls_context` makes the context of STLS; None where it is not offered."""

    database: Database
    blobs: Blobs
    door_keeper: DoorKeeper
    clock: Clock
    host: str
    tls_context: Callable[[], ssl.SSLContext] | None
    settings: Pop3Settings


class Session:
    """What the files of this door share. Answers are gathered by `say` and leave before the next wait."""

    def __init__(self, stream: Stream, services: Pop3Services) -> None:
        self.stream = stream
        self.services = services
        self.settings = services.settings
        self.connection = Pop3Connection()
        self.live: Live | None = None  # once somebody is signed in
        self.mistakes = 0
        self._drop: Maildrop | None = None
        self._answers = b""
        self._loop = asyncio.get_running_loop()
        self._patience_ends = self._loop.time() + self.settings.sign_in_seconds
        self._renew_at = 0.0

    @property
    def is_private(self) -> bool:
        """Whether a password may travel here."""
        return self.stream.tls is not None or self.settings.plaintext_sign_in

    @property
    def drop(self) -> Maildrop:
        """The open maildrop; only once signed in."""
        if self._drop is None:
            raise AssertionError("nobody has signed in")
        return self._drop

    def now(self) -> int:
        """The time, in Unix seconds."""
        return int(self.services.clock())

    @property
    def identity(self) -> Identity | None:
        """Who is signed in, if anybody is."""
        return None if self.live is None else self.live.identity

    def opened(self, live: Live, drop: Maildrop) -> None:
        """The maildrop was locked just now, for this session."""
        self.live = live
        self._drop = drop
        self._renew_at = self._loop.time() + RENEW_SECONDS

    async def say(self, data: bytes) -> None:
        """Send `data`, at the latest when the session waits again."""
        self._answers += data
        if len(self._answers) >= WRITE_AT:
            await self.flush()

    async def flush(self) -> None:
        """Send what was gathered."""
        if self._answers:
            data, self._answers = self._answers, b""
            if self.live is not None:
                self.live.sent += len(data)
            await self.stream.write(data)

    async def bye(self, text: str, code: str, reason: str) -> SessionOver:
        """Say the last words; raise what this returns."""
        await self.say(err(text, code))
        await self.flush()
        return SessionOver(reason)

    async def next_event(self) -> Event:
        """The next thing the client does. Raises SessionOver."""
        if self.identity is not None:  # from the end of our answer: a large message can take long to send
            self._patience_ends = self._loop.time() + self.settings.idle_seconds
        while (event := self.connection.next_event()) is None:
            await self._receive()
        await self.keep_lock()
        return event

    async def _receive(self) -> None:
        if self.stream.draining:
            raise await self.bye("The server is stopping; nothing was deleted.", "SYS/TEMP", "stopping")
        await self.flush()
        now = self._loop.time()
        until = self._patience_ends if self._drop is None else min(self._patience_ends, self._renew_at)
        try:
            data = await self.stream.read(max(0.001, until - now))
        except TimeoutError:
            if self._loop.time() >= self._patience_ends:
                raise await self.bye("You said nothing for too long; goodbye.", "SYS/TEMP", "timeout") from None
            await self.keep_lock()
            return
        if data == b"":
            raise SessionOver("closed-by-client")
        if data:
            self.connection.receive_data(data)
            if self.live is not None:
                self.live.heard_at = self._loop.time()
        elif self.live is not None:
            ended = await self.services.door_keeper.live.why_over(self.live)
            if ended is not None:
                code = "SYS/TEMP" if ended.ending is Ending.OVER_LIMIT else "AUTH"
                raise await self.bye(f"{last_words(ended)} Nothing was deleted.", code, ended.ending.value)

    async def keep_lock(self) -> None:
        """Renew the hold on the maildrop when it is time. Raises SessionOver when it was lost."""
        if self._drop is None or self._loop.time() < self._renew_at:
            return
        try:
            await self.services.database.write_relaxed(lock, self._drop.account_id, self.stream.id, self.now())
        except MaildropLocked:
            self._drop = None
            raise await self.bye("Another session has taken the maildrop.", "IN-USE", "lock-lost") from None
        self._renew_at = self._loop.time() + RENEW_SECONDS

    def settled(self) -> None:
        """QUIT has removed what was marked, and let go of the maildrop."""
        self._drop = None

    async def apologise(self) -> None:
        """Say that we made a mistake."""
        await self.stream.write(err("Temporary system problem. Please try again later.", "SYS/TEMP"))

    async def leave(self) -> None:
        """However the session ended: let go of the maildrop, deleting nothing."""
        if self.live is not None:
            self.services.door_keeper.live.leave(self.live)
            self.live = None
        drop, self._drop = self._drop, None
        if drop is not None:
            with suppress(MailhostError):  # then the lease ends by itself
                await self.services.database.write_relaxed(unlock, drop.account_id, self.stream.id)

    async def count_mistake(self) -> None:
        """Whoever makes nothing but mistakes is sent away. Raises SessionOver."""
        self.mistakes += 1
        if self.mistakes > self.settings.max_mistakes:
            raise await self.bye("Too many bad commands, goodbye", "", "too-many-mistakes")
