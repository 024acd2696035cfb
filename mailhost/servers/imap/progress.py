"""INPROGRESS: a command that takes long says so now and then, so that its client does not give up (RFC 9585)."""

import asyncio
from types import TracebackType
from typing import Final

from mailhost.protocols.imap import responses
from mailhost.servers.imap.session import Session

_LOOK_SECONDS: Final = 1.0
"""Between two looks whether a client for whom nothing but reading is done was cut off."""


class Progress:
    """Around the work of a command that writes whole lines or nothing. Quick ones cost one timer that never rings.

    `only_reads`: it ends when there is nobody any more to tell; else what was begun is done.
    """

    __slots__ = ("_done", "_goal", "_is_deserted", "_reading", "_session", "_tag", "_tell_at", "_telling", "_timer")

    def __init__(self, session: Session, tag: bytes, *, only_reads: bool = False) -> None:
        self._session = session
        self._tag = tag
        self._reading = asyncio.current_task() if only_reads else None
        self._is_deserted = False
        self._done: int | None = None
        self._goal: int | None = None
        self._telling: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tell_at = 0.0

    async def __aenter__(self) -> "Progress":
        self._wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        reading, self._reading = self._reading, None
        if self._is_deserted and reading is not None:
            if reading.uncancel() > 0:
                return  # the server ends the session, too
            raise ConnectionResetError("the client was cut off") from error
        if self._telling is not None:
            await self._telling  # a line begun is finished before the answer; raises ConnectionError

    def at(self, done: int, goal: int) -> None:
        """So many of so many messages are done; neither is known unless it is said."""
        self._done, self._goal = done, goal

    def _wait(self) -> None:
        loop, seconds = asyncio.get_running_loop(), self._session.services.settings.progress_seconds
        self._tell_at = loop.time() + seconds
        self._timer = loop.call_later(seconds if self._reading is None else min(seconds, _LOOK_SECONDS), self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        if self._reading is not None and self._session.stream.was_cut:
            return self._desert(self._reading)
        left = self._tell_at - loop.time()
        if left > 0.001:
            self._timer = loop.call_later(min(left, _LOOK_SECONDS), self._look)
            return None
        return self._tell()

    def _tell(self) -> None:
        if self._is_free and (self._telling is None or self._telling.done()):
            line = responses.in_progress(self._tag, self._done, self._goal)
            self._telling = asyncio.get_running_loop().create_task(self._say_at_once(line))
            self._telling.add_done_callback(self._told)
        self._wait()

    @property
    def _is_free(self) -> bool:
        # Who is being written to just now sees that the command lives, and a line must not land inside of another. Who
        # does not read what was said needs no more of it; and a line that had to wait would be in the answer's way.
        return self._session.stream.is_flushed and not self._session.is_writing

    async def _say_at_once(self, line: bytes) -> None:
        """Behind the answers to the commands before, which wait no longer either."""
        if self._is_free:  # still
            await self._session.say(line)
            await self._session.flush()

    def _told(self, telling: asyncio.Task[None]) -> None:
        if not telling.cancelled() and telling.exception() is not None and self._reading is not None:
            self._desert(self._reading)

    def _desert(self, reading: asyncio.Task[None]) -> None:
        if not self._is_deserted:
            self._is_deserted = True
            reading.cancel()
