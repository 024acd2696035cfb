"""INPROGRESS: a command that takes long says so now and then, so that its client does not give up (RFC 9585)."""

import asyncio
from types import TracebackType

from mailhost.protocols.imap import responses
from mailhost.servers.imap.session import Session


class Progress:
    """Around the work of a command that writes whole lines or nothing. Quick ones cost one timer that never rings.

    `only_reads`: it ends when there is nobody any more to tell; else what was begun is done.
    """

    __slots__ = ("_done", "_goal", "_is_deserted", "_reading", "_session", "_tag", "_telling", "_timer")

    def __init__(self, session: Session, tag: bytes, *, only_reads: bool = False) -> None:
        self._session = session
        self._tag = tag
        self._reading = asyncio.current_task() if only_reads else None
        self._is_deserted = False
        self._done: int | None = None
        self._goal: int | None = None
        self._telling: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> "Progress":
        self._wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        reading, self._reading = self._reading, None
        if self._is_deserted and reading is not None and reading.uncancel() > 0:
            return  # the server ends the session, too
        if self._telling is not None:
            await self._telling  # a line begun is finished before the answer; raises ConnectionError

    def at(self, done: int, goal: int) -> None:
        """So many of so many messages are done; neither is known unless it is said."""
        self._done, self._goal = done, goal

    def _wait(self) -> None:
        seconds = self._session.services.settings.progress_seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tell)

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
        if self._reading is not None and not self._is_deserted and not telling.cancelled() and telling.exception():
            self._is_deserted = True
            self._reading.cancel()
