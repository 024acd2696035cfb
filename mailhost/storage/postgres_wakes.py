"""Wake-ups between processes over LISTEN/NOTIFY. Inside one process they are delivered at once, without this.

Notifications are sent after the commit, batched, on a connection of its own with `synchronous_commit=off`: inside the
writing transaction they would make all commits of the cluster queue up behind one lock.
"""

import contextlib
import queue
import threading
import time
import zlib
from collections.abc import Iterable

import psycopg

from mailhost.storage.jobs import Bridge
from mailhost.storage.postgres_connection import Connection, connect, drop
from mailhost.storage.sql import NOTIFY

_CHANNELS = 64
_BATCH = 200
_RECONNECT_SECONDS = 1.0
_SILENCE_SECONDS = 30.0


def channel_of(topic: str) -> str:
    """The channel that carries `topic`: a few of them, as each one costs the server a lock on LISTEN."""
    return f"mailhost_{zlib.crc32(topic.encode()) % _CHANNELS}"


class Notifier:
    """The thread that tells other processes. A hint that is lost on the way is only a delay."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._connection: Connection | None = None
        self.pid = 0  # of our server process: how the listener knows our own notifications
        self.thread = threading.Thread(target=self._run, name="mailhost-notifier", daemon=True)

    def send(self, topics: Iterable[str]) -> None:
        """From any thread: tell others soon."""
        for topic in topics:
            self._queue.put(topic)

    def close(self) -> None:
        """Send what is queued and end."""
        self._queue.put(None)

    def _run(self) -> None:
        is_open = True
        while is_open:
            topics = [self._queue.get()]
            while len(topics) < _BATCH and not self._queue.empty():
                topics.append(self._queue.get_nowait())
            is_open = None not in topics
            batch = list(dict.fromkeys(topic for topic in topics if topic is not None))
            if batch:
                self._notify(batch)
        if self._connection is not None:
            self._connection.close()

    def _notify(self, topics: list[str]) -> None:
        for _ in range(2):  # the second time on a new connection
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = connect(self._conninfo, synchronous=False)
                    self.pid = self._connection.info.backend_pid
                self._connection.execute(
                    NOTIFY,
                    ([channel_of(topic) for topic in topics], topics),
                )
            except psycopg.Error:
                if self._connection is not None:
                    self._connection.close()
            else:
                return


class Listener:
    """The thread that hears other processes and wakes our watchers. After each reconnection it wakes them all."""

    def __init__(self, conninfo: str, bridge: Bridge, notifier: Notifier) -> None:
        self._conninfo = conninfo
        self._bridge = bridge
        self._notifier = notifier
        self._connection: Connection | None = None
        self._closing = threading.Event()
        self.listening = threading.Event()
        self.thread = threading.Thread(target=self._run, name="mailhost-listener", daemon=True)

    def close(self) -> None:
        """End soon, from any thread."""
        self._closing.set()
        if (connection := self._connection) is not None:
            drop(connection)

    def _run(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(psycopg.Error), connect(self._conninfo) as connection:
                self._connection = connection
                self._listen(connection)
            self.listening.clear()
            self._closing.wait(_RECONNECT_SECONDS)

    def _listen(self, connection: Connection) -> None:
        connection.execute(";".join(f"listen mailhost_{number}" for number in range(_CHANNELS)))
        self._bridge.fire_all()
        self.listening.set()
        heard = time.monotonic()
        while not self._closing.is_set():
            notifications = list(connection.notifies(timeout=_SILENCE_SECONDS, stop_after=1))
            topics = {notification.payload for notification in notifications if notification.pid != self._notifier.pid}
            if topics:
                self._bridge.settle((), topics)
            if time.monotonic() - heard > _SILENCE_SECONDS:
                connection.execute("select 1")  # notices a line that died silently
                heard = time.monotonic()
