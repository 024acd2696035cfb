"""Keeps the processes of the server alive: forks them, forks those anew that die, and ends all in good order.

It runs nothing else, so that there is neither a thread nor an event loop in it when it forks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from mailhost import observe
from mailhost.errors import MailhostError
from mailhost.storage.neighbours import FILES_REPLACED

log = observe.logger()

Work = Callable[[int, Callable[[], None]], None]
"""What a process does, given its number and what to call when it is ready; it returns when told to end."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM)
_GOOD_LIFE: Final = 10.0  # seconds after which a death is no longer taken for one at birth
_LONGEST_REST: Final = 30.0  # seconds before a process that keeps dying is started anew


class CannotServe(MailhostError):
    """A process of the server ended before it was ready; the log says why."""


class Supervisor:
    """`count` processes, numbered from 0, each doing `work`; `bury` is told of each that dies unasked."""

    def __init__(self, count: int, work: Work, bury: Callable[[int], None]) -> None:
        self._count = count
        self._work = work
        self._bury = bury
        self._alive: dict[int, int] = {}  # number by pid
        self._born: dict[int, float] = {}
        self._rests: dict[int, float] = {}
        self._due: dict[int, float] = {}  # when those that died are started anew
        self._awaits_all = False  # … but not before all have died
        self._reports: dict[int, int] = {}  # of each process the descriptor on which it says that it is ready
        self._lifeline = os.pipe()  # whose end tells the processes that we are gone

    def run(self, announce: Callable[[], None], stop_accepting: Callable[[], None], patience: float) -> None:
        """Serve until SIGTERM or SIGINT; processes get `patience` seconds to end. Raises CannotServe.

        `announce` is called when all are ready, `stop_accepting` before they are told to end.
        """
        signal.signal(signal.SIGCHLD, _nothing)  # a signal that is ignored would not be waited for everywhere
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for number in range(self._count):
                self._start(number)
            if not all(os.read(report, 1) for report in self._reports.values()):
                raise CannotServe("A process of the server ended before it was ready; the lines above say why.")
            announce()
            log.info("server.started", pid=os.getpid(), processes=self._count)
            self._watch()
            log.info("server.stopping")
        finally:
            stop_accepting()
            self._end(patience)
            for end in (*self._lifeline, *self._reports.values()):
                os.close(end)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        log.info("server.stopped")

    def _watch(self) -> None:
        while True:
            match signal.sigwait(_SIGNALS):
                case signal.SIGCHLD:
                    self._reap()
                case signal.SIGALRM:
                    self._revive()
                case signal.SIGHUP if not os.isatty(0):  # there it says that the terminal is gone, and we with it
                    self._tell_all(signal.SIGHUP)
                case _:
                    return

    def _start(self, number: int) -> None:
        """Fork a process; its report gives an octet when it is ready, and its end when it ended before."""
        listening, telling = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(listening)
            os.close(self._lifeline[1])
            self._be(number, telling)
        os.close(telling)
        self._reports[number] = listening
        self._alive[pid] = number
        self._born[number] = time.monotonic()

    def _be(self, number: int, telling: int) -> None:
        """In the new process: do the work, and never come back."""
        code = 1

        def ready() -> None:
            os.write(telling, b".")
            os.close(telling)

        try:
            threading.Thread(target=_follow_into_death, args=(self._lifeline[0],), daemon=True).start()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._work(number, ready)
            code = 0
        except BaseException:
            log.exception("process.crashed", process=number)
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            number = self._alive.pop(pid)
            os.close(self._reports.pop(number))
            code = os.waitstatus_to_exitcode(status)
            self._bury(number)
            lived = time.monotonic() - self._born[number]
            rest = 0.0 if lived > _GOOD_LIFE else min(_LONGEST_REST, self._rests.get(number, 0.5) * 2)
            self._rests[number] = rest or 0.5
            self._due[number] = time.monotonic() + rest
            log.error("process.died", process=number, pid=pid, code=code, restarts_in=rest)
            if code == FILES_REPLACED and not self._awaits_all:
                self._awaits_all = True
                self._tell_all(signal.SIGKILL)
            self._revive()

    def _revive(self) -> None:
        """Start anew those whose rest is over, and have ourselves called for the next."""
        if self._awaits_all and self._alive:
            return
        self._awaits_all = False
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            self._start(number)
        if self._due:
            signal.setitimer(signal.ITIMER_REAL, max(0.01, min(self._due.values()) - now))

    def _end(self, patience: float) -> None:
        self._tell_all(signal.SIGTERM)
        ends = time.monotonic() + patience
        signal.setitimer(signal.ITIMER_REAL, patience)
        while self._alive:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid:
                del self._alive[pid]
            elif signal.sigwait(_SIGNALS) == signal.SIGALRM and time.monotonic() >= ends:  # else it is from `_revive`
                self._tell_all(signal.SIGKILL)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _tell_all(self, number: signal.Signals) -> None:
        for pid in self._alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _nothing(_number: int, _frame: object) -> None:
    """The handler of a signal that is only waited for."""


def _follow_into_death(lifeline: int) -> None:
    """End this process as abruptly as the one that watches over it ended."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGKILL)
