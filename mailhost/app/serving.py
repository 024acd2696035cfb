"""A server from its first step to its last: ports, store and people first, then its processes, then a clean end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Final, TypeVar

from mailhost import domains
from mailhost.app import certificates, running
from mailhost.app.certificates import ServedCertificate
from mailhost.app.chores import do_chores
from mailhost.app.ports import LOOPBACK, ClaimedPorts
from mailhost.app.server import Server, host_name, settle_memory
from mailhost.app.services import Services, bury_processes, open_services
from mailhost.app.supervisor import Supervisor
from mailhost.config import Config
from mailhost.mailstore.indexer import open_index
from mailhost.network.crowd import Crowd
from mailhost.storage.database import end_serving
from mailhost.storage.neighbours import Neighbours
from mailhost.web.setup import Facts

R = TypeVar("R")

_MOST_WORKERS: Final = 4  # by default; with more processors an operator knows what he wants
_MARGIN: Final = 10.0  # seconds beyond those of the sessions that a process may take to end


def serve(
    config: Config,
    data: Path,
    prepare: Callable[[Services], Awaitable[None]],
    announce: Callable[[Facts], None],
    *,
    any_ports: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; `any_ports` takes free ports instead of the set ones.

    `prepare` is called once the ports are ours: what a first start tells only once must not be lost to a busy port.
    Raises CannotListen, CannotUseCertificate, CannotServe, and what `prepare` raises.
    """
    ports = ClaimedPorts(config, any_ports=any_ports)
    try:
        facts = _run(_begin(config, data, prepare, ports))
        settle_memory()
        house = _Processes(config, data, ports, facts)
        supervisor = Supervisor(house.workers + 1, house.work, house.bury)
        with running.told(data, ports.numbers, house.names):
            supervisor.run(lambda: announce(facts), ports.close, config.limits.drain_seconds + _MARGIN)
        _run(_end(config, data, house.names))
    finally:
        ports.close()


def _run(work: Coroutine[object, object, R]) -> R:
    try:
        import uvloop
    except ImportError:  # there is none for this machine; everything works without
        return asyncio.run(work)
    return uvloop.run(work)


async def _begin(
    config: Config, data: Path, prepare: Callable[[Services], Awaitable[None]], ports: ClaimedPorts
) -> Facts:
    """What is done once, before there are processes."""
    files = certificates.own_files(config, data)
    if config.tls.certificate:
        ServedCertificate(config, data)  # refused before anything is told that is told only once
    async with open_services(config, data, serving=True) as services:
        await services.database.write(bury_processes, running.left_behind(data))
        await prepare(services)
        await certificates.ensure(services)
        first = await services.database.read(domains.list_domains, 1)
    authority = None if config.tls.certificate or config.tls.acme else files.authority
    domain = first[0].name if first else "localhost"
    return Facts(_reachable_at(config), domain, ports.numbers, authority, config.is_local, config.host_name)


async def _end(config: Config, data: Path, processes: Sequence[str]) -> None:
    """What is done once, after the last process has ended, be it that it had to be killed."""
    async with open_services(config, data) as services:
        await services.database.write(bury_processes, processes)
        await services.database.write(end_serving)


def _reachable_at(config: Config) -> str:
    """A name for programs on this machine that our certificate holds."""
    listen = config.listen
    return "localhost" if {"0.0.0.0", "::", *LOOPBACK} & {*listen} else listen[0]  # noqa: S104 - compared, not bound


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class _Processes:
    """What each process does: the first ones serve clients, the last does the chores."""

    def __init__(self, config: Config, data: Path, ports: ClaimedPorts, facts: Facts) -> None:
        self.workers = config.workers or min(_MOST_WORKERS, _processors())
        self._config = config
        self._data = data
        self._ports = ports
        self._facts = facts
        self._crowd = Crowd(self.workers)
        self._neighbours = Neighbours.ring(self.workers + 1)

    @property
    def names(self) -> Sequence[str]:
        """What rows know the processes by, that hold something for them."""
        return (*self._crowd.names, self._chores_name)

    @property
    def _chores_name(self) -> str:
        return self._crowd.name(self.workers)

    def work(self, process: int, ready: Callable[[], None]) -> None:
        """Until the signal to end."""
        _run(self._serve(process, ready) if process < self.workers else self._do_chores(ready))

    def bury(self, process: int) -> None:
        """A process has died: nothing it held is held any more."""
        if process < self.workers:
            self._crowd.bury(process)

    async def _serve(self, process: int, ready: Callable[[], None]) -> None:
        certificate = ServedCertificate(self._config, self._data, host_name(self._config, self._facts))
        async with (
            open_services(self._config, self._data, neighbours=self._neighbours[process]) as services,
            open_index(services.database, services.blobs, self._data) as index,
        ):
            server = Server(services, index, self._facts, self._crowd, process)
            await server.run(self._ports, certificate, ready)

    async def _do_chores(self, ready: Callable[[], None]) -> None:
        self._ports.close()
        async with (
            open_services(self._config, self._data, neighbours=self._neighbours[-1]) as services,
            open_index(services.database, services.blobs, self._data) as index,
        ):
            await services.database.write(bury_processes, [self._chores_name])
            await do_chores(services, index, self._facts, self._chores_name, ready)
