"""All doors over one store, from the first listener to the end of the last session."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import resource
import signal
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mailhost import domains, observe
from mailhost.app.doors import Door, House, mail_doors, office_of, web_door
from mailhost.app.maintenance import Maintenance
from mailhost.app.services import Services
from mailhost.delivery.worker import Worker
from mailhost.login import DoorKeeper
from mailhost.login import Limits as SignInLimits
from mailhost.network.certificates import CertificateFiles, ensure_certificates, names_of
from mailhost.network.listener import Admission, CannotListen, Listener
from mailhost.network.stream import Deadlines
from mailhost.network.tls import CannotUseCertificate, client_context, load_certificate, server_context
from mailhost.web.setup import Facts

log = observe.logger()

_TLS_FOLDER: Final = "tls"
_LOOPBACK: Final = ("127.0.0.1", "::1")
_HIGH: Final = 1000  # what is added to a port that this user may not open
_SPARE_FILES: Final = 256  # for the database, the blobs and the queue, besides the connections


def settle_memory() -> None:
    """Keep what was loaded by now out of the garbage collector's rounds, and let it go round less often.

    Sessions free nearly all they use by reference counts; the rounds, at Python's own pace, cost a tenth of the server.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(25_000, 20, 20)


class Server:
    """Opens the doors, serves until a signal, and ends in good order."""

    def __init__(self, services: Services) -> None:
        config, limits = services.config, services.config.limits
        self._services = services
        self._stopping = asyncio.Event()
        self._listeners: list[Listener] = []
        self._ports: dict[str, int] = {}
        self._deadlines = Deadlines(handshake=limits.handshake_seconds, write=limits.write_seconds)
        self._admission = Admission(
            per_address=limits.connections_per_address,
            in_all=max(1, min(limits.connections, raise_file_limit() - _SPARE_FILES)),
            proxies=[ipaddress.ip_network(network) for network in config.proxies],
        )
        sign_ins = SignInLimits(
            wrong_per_account=limits.wrong_passwords_per_account,
            wrong_per_network=limits.wrong_passwords_per_network,
        )
        self._keeper = DoorKeeper(services.database, services.key, sign_ins, time.time)

    async def run(self, announce: Callable[[Facts], None], *, any_ports: bool = False) -> None:
        """Serve until SIGTERM or SIGINT; `any_ports` takes free ports instead of the set ones.

        Raises CannotListen, CannotUseCertificate.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        services = self._services
        files = await self._certificate_files()
        context = server_context(files.certificate, files.key)
        maintenance = Maintenance(
            services.database, services.blobs, services.files, lambda: self._renew_certificate(context)
        )
        domain = await self._first_domain()
        authority = None if services.config.tls.certificate else files.authority
        facts = Facts(self._reachable_at(), domain, self._ports, authority, self._is_local())
        office = office_of(services, services.config.host_name or f"mail.{domain}")
        house = House(services, office, self._keeper, context, facts)
        worker = Worker(office, client_context())
        try:
            await self._open(web_door(house), context, any_ports=any_ports)  # first: answers of the others point to it
            for door in mail_doors(house):
                await self._open(door, context, any_ports=any_ports)
            settle_memory()
            announce(facts)
            log.info("server.started", host=office.host, pid=os.getpid())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keeper.run())
                tidying = tasks.create_task(maintenance.run())
                working = tasks.create_task(worker.run())
                await self._stopping.wait()
                log.info("server.stopping")
                seconds = services.config.limits.drain_seconds
                await self._drain(seconds)
                worker.close()
                await asyncio.wait({working}, timeout=seconds)  # what it leaves undone it leased for a while only
                for task in (tidying, working):
                    task.cancel()
                await self._keeper.close()
        finally:
            await self._drain(0)
        log.info("server.stopped")

    # Doors

    async def _open(self, door: Door, context: ssl.SSLContext, *, any_ports: bool) -> None:
        config = self._services.config
        hosts = _LOOPBACK if door.is_local else config.listen
        port = 0 if any_ports else getattr(config.ports, door.name)
        listener = Listener(
            door.service,
            door.handler,
            self._admission,
            context=context if door.in_tls else None,
            deadlines=self._deadlines,
        )
        try:
            await listener.open(hosts, port)
        except CannotListen as refused:
            if not isinstance(refused.__cause__, PermissionError) or port >= _HIGH + 24:
                raise
            await listener.open(hosts, port + _HIGH)
        self._listeners.append(listener)
        self._ports[door.name] = listener.port

    async def _drain(self, seconds: float) -> None:
        for listener in self._listeners:
            listener.stop()
        await asyncio.gather(*(listener.drain(seconds) for listener in self._listeners))

    # Names

    async def _first_domain(self) -> str:
        first = await self._services.database.read(domains.list_domains, 1)
        return first[0].name if first else "localhost"

    def _reachable_at(self) -> str:
        """A name for programs on this machine that our certificate holds."""
        listen = self._services.config.listen
        return "localhost" if {"0.0.0.0", "::", *_LOOPBACK} & {*listen} else listen[0]  # noqa: S104 - compared, not bound

    def _is_local(self) -> bool:
        return all(ipaddress.ip_address(host).is_loopback for host in self._services.config.listen)

    # Certificates

    async def _certificate_files(self) -> CertificateFiles:
        tls = self._services.config.tls
        if tls.certificate:
            return CertificateFiles(Path(), Path(tls.certificate), Path(tls.key or tls.certificate))
        names = names_of([domain.name for domain in await self._services.database.read(domains.list_domains)])
        files, is_new = ensure_certificates(self._services.data.absolute() / _TLS_FOLDER, names, datetime.now(UTC))
        if is_new:
            log.info("certificate.issued", names=names)
        return files

    async def _renew_certificate(self, context: ssl.SSLContext) -> None:
        """New connections get what lies in the files now: renewed, or with the names of domains added since."""
        files = await self._certificate_files()
        try:
            load_certificate(context, files.certificate, files.key)
        except CannotUseCertificate as trouble:
            log.warning("certificate.unusable", reason=str(trouble))


def raise_file_limit() -> int:
    """Allow as many open files as the system lets us; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft if soft != resource.RLIM_INFINITY else 1 << 20
