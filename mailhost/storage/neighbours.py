"""Wake-ups between the processes that serve one SQLite file: after a commit each tells the others which topics it woke.

PostgreSQL has LISTEN/NOTIFY for this (postgres_wakes.py). What cannot be told at once, because a neighbour does not
listen just now, becomes "everything" as soon as it does.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Final

FILES_REPLACED: Final = 75
"""The exit code of a process beneath which somebody removed files of the database: all must begin anew together, for
who opens them now does not see what the others have open."""

_EVERYTHING: Final = b"*"
_MOST_OCTETS: Final = 16 * 1024  # of one telling; with more topics than fit, everybody looks at everything


class Neighbours:
    """The serving processes of one machine as one of them sees them. Made by `ring`, before they are forked."""

    def __init__(self, ears: socket.socket, others: Sequence[socket.socket]) -> None:
        self._ears = ears
        self._others = others
        self._missed: set[socket.socket] = set()

    @staticmethod
    def ring(count: int) -> list[Neighbours]:
        """One for each of `count` processes; each uses its own alone."""
        pairs = [_pair() for _ in range(count)]
        return [
            Neighbours(ears, [mouth for other, (_, mouth) in enumerate(pairs) if other != place])
            for place, (ears, _) in enumerate(pairs)
        ]

    def close(self) -> None:
        """Let go of our ends."""
        for end in (self._ears, *self._others):
            end.close()

    def fileno(self) -> int:
        """What becomes readable when there is something to hear."""
        return self._ears.fileno()

    def tell(self, topics: Iterable[str]) -> None:
        """From the thread that committed: these topics were woken."""
        words = "\n".join(topics).encode()
        if len(words) > _MOST_OCTETS:
            words = _EVERYTHING
        for other in self._others:
            self._send(other, words)

    def remind(self) -> None:
        """From the same thread, now and then: tell those who could not listen."""
        for other in tuple(self._missed):
            self._send(other, _EVERYTHING)

    def hear(self, wake: Callable[[Iterable[str]], None], wake_all: Callable[[], None]) -> None:
        """On the loop's thread, when readable: pass on what was told."""
        with contextlib.suppress(BlockingIOError):
            while words := self._ears.recv(_MOST_OCTETS):
                if words == _EVERYTHING:
                    wake_all()
                else:
                    wake(words.decode().split("\n"))

    def _send(self, other: socket.socket, words: bytes) -> None:
        try:
            other.send(_EVERYTHING if other in self._missed else words)
        except OSError:  # its queue is full, or it is being started anew
            self._missed.add(other)
        else:
            self._missed.discard(other)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that keep messages apart: what is sent into the second comes out of the first."""
    try:
        ears, mouth = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:  # macOS has none; its datagrams have room for more than Linux's
        ears, mouth = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ears.setblocking(False)
    mouth.setblocking(False)
    return ears, mouth
