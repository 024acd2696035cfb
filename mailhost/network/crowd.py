"""The processes of one server as its listeners see them: how many connections each has, and the way to pass one on.

All of them accept on the same sockets, and whoever wakes first gets the newcomer. A session keeps its process for
hours, so one that came to a busier process than need be is handed over before anything was read from it.
"""

from __future__ import annotations

import itertools
import secrets
import socket
from collections.abc import Iterator
from typing import Final

from mailhost.limits import Board

_UNEVEN: Final = 8
"""Another process is less busy when it has fewer connections by one, and by one in so many."""


class Crowd:
    """What the processes share. Made before they are forked; `process` is the number of each, from 0."""

    def __init__(self, processes: int = 1) -> None:
        self.processes = processes
        self._name = secrets.token_hex(8)
        self.open = Board(processes, 1)
        self.sessions = Board(processes)
        self.refusals = Board(processes)
        self._awake = Board(processes, 1)
        self._pairs = [_pair() for _ in range(processes)] if processes > 1 else []

    def name(self, process: int) -> str:
        """A process among those of all servers on a store: whoever is forked in its place bears it again."""
        return f"{self._name}-{process}"

    @property
    def names(self) -> tuple[str, ...]:
        """Those of all processes."""
        return tuple(self.name(process) for process in range(self.processes))

    def close(self) -> None:
        """Let go of the ends of all."""
        for end in itertools.chain.from_iterable(self._pairs):
            end.close()

    def rise(self, process: int) -> None:
        """The process accepts connections."""
        self._awake.rows[process][0] = 1

    def bury(self, process: int) -> None:
        """A process has died, and its connections with it."""
        for board in (self.open, self.sessions, self.refusals, self._awake):
            board.clear(process)

    def less_busy(self, process: int) -> int | None:
        """The process that should have the newcomer in place of this one."""
        loads = self.open.rows
        mine = loads[process][0]
        others = [number for number, row in enumerate(self._awake.rows) if row[0] and number != process]
        other = min(others, key=lambda number: loads[number][0], default=process)
        least = loads[other][0]
        return other if mine - least > least // _UNEVEN else None

    def hand_over(self, process: int, door: int, descriptor: int) -> bool:
        """Pass a connection of a listener on; False when the other does not take it now."""
        try:
            socket.send_fds(self._pairs[process][1], [bytes([door])], [descriptor])
        except OSError:  # its queue is full: better served here than waiting there
            return False
        return True

    def ears(self, process: int) -> int:
        """The descriptor that becomes readable when somebody passes a connection on."""
        return self._pairs[process][0].fileno()

    def handed_over(self, process: int) -> Iterator[tuple[int, socket.socket]]:
        """The connections that others passed on, each with the number of its listener."""
        while True:
            try:
                door, descriptors, _, _ = socket.recv_fds(self._pairs[process][0], 1, 1)
            except BlockingIOError:
                return
            for descriptor in descriptors:
                accepted = socket.socket(fileno=descriptor)
                accepted.setblocking(False)
                yield door[0], accepted


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two ends: what is sent into the second comes out of the first."""
    ears, mouth = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ears.setblocking(False)
    mouth.setblocking(False)
    return ears, mouth
