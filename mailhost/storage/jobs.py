"""Work on its way to a database thread and back to the event loop, and the wake-ups that follow a commit."""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any


class Job:
    """One `work` with its arguments, and what became of it. Filled by a database thread, read by the loop."""

    __slots__ = ("args", "error", "future", "kwargs", "relaxed", "result", "topics", "work")

    def __init__(
        self,
        future: asyncio.Future[Any],
        work: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        relaxed: bool = False,
    ) -> None:
        self.future = future
        self.work = work
        self.args = args
        self.kwargs = kwargs
        self.relaxed = relaxed
        self.result: Any = None
        self.error: BaseException | None = None
        self.topics: Sequence[str] = ()


class WarmQueue:
    """Jobs for several threads, of whom the one that went to rest last takes the next: its cache is warm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Job | None] = deque()
        self._resting: list[queue.SimpleQueue[Job | None]] = []

    def put(self, job: Job | None) -> None:
        """Give a job to who rests, or let it wait; None ends one thread."""
        with self._lock:
            if self._resting:
                self._resting.pop().put(job)
            else:
                self._jobs.append(job)

    def get(self, own: "queue.SimpleQueue[Job | None]") -> Job | None:
        """From a thread: the job that waits longest, or rest until one comes into its `own` queue."""
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            self._resting.append(own)
        return own.get()


class Wakes:
    """Who wants to hear of which topic, in this process. Used on the event loop's thread only."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[WatchEntry]] = {}

    def watch(self, topic: str, callback: Callable[[], None]) -> "WatchEntry":
        """Register `callback`."""
        entry = WatchEntry(self, topic, callback)
        self._watchers.setdefault(topic, set()).add(entry)
        return entry

    def forget(self, entry: "WatchEntry") -> None:
        """Take `entry` out; harmless when it is already gone."""
        entries = self._watchers.get(entry.topic)
        if entries is not None:
            entries.discard(entry)
            if not entries:
                del self._watchers[entry.topic]

    def fire(self, topics: Iterable[str]) -> None:
        """Call everyone who watches one of `topics`."""
        for topic in topics:
            for entry in tuple(self._watchers.get(topic, ())):
                entry.callback()

    def fire_all(self) -> None:
        """Call everyone: wake-ups may have been missed."""
        self.fire(tuple(self._watchers))


class WatchEntry:
    """One registered callback."""

    __slots__ = ("_wakes", "callback", "topic")

    def __init__(self, wakes: Wakes, topic: str, callback: Callable[[], None]) -> None:
        self._wakes = wakes
        self.topic = topic
        self.callback = callback

    def close(self) -> None:
        """Stop hearing of the topic."""
        self._wakes.forget(self)


class Bridge:
    """The way back from database threads to the one event loop they serve."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.wakes = Wakes()

    def settle(self, jobs: Sequence[Job], topics: Iterable[str] = ()) -> None:
        """From a database thread: hand finished jobs to those who wait for them, then wake the watchers."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._settle, jobs, topics)

    def fire_all(self) -> None:
        """From a database thread: wake every watcher."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.wakes.fire_all)

    def _settle(self, jobs: Sequence[Job], topics: Iterable[str]) -> None:
        for job in jobs:
            future = job.future
            if future.done():  # cancelled while it ran
                continue
            if job.error is None:
                future.set_result(job.result)
            elif isinstance(job.error, StopIteration):  # a future cannot carry one
                future.set_exception(RuntimeError("work raised StopIteration"))
            else:
                future.set_exception(job.error)
        self.wakes.fire(topics)
