"""One process of the server: every door over one store, from the first listener to the end of the last session."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import resource
import signal
import time
from collections.abc import Callable
from typing import Final

from mailhost import observe
from mailhost.app.certificates import ServedCertificate
from mailhost.app.doors import Door, House, all_doors
from mailhost.app.office import office_of
from mailhost.app.ports import ClaimedPorts
from mailhost.app.services import Services, bury_processes
from mailhost.config import Config
from mailhost.limits import Rules
from mailhost.login import DoorKeeper
from mailhost.login import Limits as SignInLimits
from mailhost.login.doorstep import Doorstep
from mailhost.login.model import SETTINGS
from mailhost.login.notice import Messenger
from mailhost.mailstore.indexer import TextIndex
from mailhost.network.crowd import Crowd
from mailhost.network.listener import Admission, Listener
from mailhost.network.stream import Deadlines
from mailhost.web.setup import Facts

log = observe.logger()

_SPARE_FILES: Final = 256  # for the database, the blobs and the index, besides the connections


def settle_memory() -> None:
    """Keep what was loaded by now out of the garbage collector's rounds, and let it go round less often.

    Sessions free nearly all they use by reference counts; the rounds, at Python's own pace, cost a tenth of the server.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(25_000, 20, 20)


def stop_signal(hurry: Callable[[], None]) -> asyncio.Event:
    """What SIGTERM and SIGINT set from now on; SIGHUP calls `hurry`."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, hurry)
    return stopping


class Server:
    """Opens the doors, serves until a signal, and ends in good order."""

    def __init__(self, services: Services, index: TextIndex, facts: Facts, crowd: Crowd, process: int) -> None:
        limits = services.config.limits
        self._services = services
        self._index = index
        self._facts = facts
        self._listeners: list[Listener] = []
        self._deadlines = Deadlines(handshake=limits.handshake_seconds, write=limits.write_seconds)
        self._process = process
        self._admission = admission_of(services.config, crowd, process)
        sign_ins = SignInLimits(
            wrong_per_account=limits.wrong_passwords_per_account,
            wrong_per_network=limits.wrong_passwords_per_network,
            rules=Rules(
                imap_connections=limits.imap_sessions_per_account,
                imap_download=limits.imap_download_a_day,
                imap_upload=limits.imap_upload_a_day,
                pop3_download=limits.pop3_download_a_day,
                commands_a_minute=limits.commands_a_minute,
            ).over(SETTINGS),
        )
        host = host_name(services.config, facts)
        messenger = Messenger(services.database, services.blobs, host, facts.base_url, time.time)
        self._keeper = DoorKeeper(
            services.database,
            services.key,
            sign_ins,
            time.time,
            messenger,
            services.atlas,
            process=crowd.name(process),
        )
        self._admission.tell = Doorstep(self._keeper, limits.connections_per_address).tell

    async def run(self, ports: ClaimedPorts, certificate: ServedCertificate, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is called when every door is open. SIGHUP: look at the certificate."""
        stopping = stop_signal(certificate.refresh)
        services = self._services
        office = office_of(services, host_name(services.config, self._facts))
        house = House(services, self._index, office, self._keeper, certificate.context, self._facts)
        loop, crowd = asyncio.get_running_loop(), self._admission.crowd
        await services.database.write(bury_processes, [crowd.name(self._process)])
        try:
            for door in all_doors(house):
                await self._open(door, ports, certificate)
            if crowd.processes > 1:
                loop.add_reader(crowd.ears(self._process), self._admission.adopt)
                crowd.rise(self._process)
            settle_memory()
            ready()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keeper.run())
                following = tasks.create_task(certificate.follow())
                await stopping.wait()
                if crowd.processes > 1:
                    loop.remove_reader(crowd.ears(self._process))
                await self._drain(services.config.limits.drain_seconds)
                following.cancel()
                await self._keeper.close()
        finally:
            await self._drain(0)

    async def _open(self, door: Door, ports: ClaimedPorts, certificate: ServedCertificate) -> None:
        listener = Listener(
            door.service,
            door.handler,
            self._admission,
            context=certificate.context if door.in_tls else None,
            deadlines=self._deadlines,
        )
        await listener.accept_on(ports.sockets.pop(door.name))
        self._listeners.append(listener)

    async def _drain(self, seconds: float) -> None:
        for listener in self._listeners:
            listener.stop()
        await asyncio.gather(*(listener.drain(seconds) for listener in self._listeners))


def host_name(config: Config, facts: Facts) -> str:
    """Our name in greetings and trace fields."""
    return config.host_name or f"mail.{facts.domain}"


def admission_of(config: Config, crowd: Crowd, process: int) -> Admission:
    """How many connections there may be: in all processes together, and as many in each as it may open files."""
    limits = config.limits
    room = max(1, raise_file_limit() - _SPARE_FILES) * crowd.processes
    return Admission(
        per_address=limits.connections_per_address,
        in_all=min(limits.connections, room),
        proxies=[ipaddress.ip_network(network) for network in config.proxies],
        crowd=crowd,
        process=process,
    )


def raise_file_limit() -> int:
    """Allow as many open files as the system lets us; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft if soft != resource.RLIM_INFINITY else 1 << 20
