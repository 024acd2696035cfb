"""All doors over one store, from the first listener to the end of the last session."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import itertools
import os
import resource
import signal
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mailhost import domains, observe
from mailhost.app.doors import LOCAL, Door, House, all_doors, office_of
from mailhost.app.maintenance import Maintenance
from mailhost.app.services import Services
from mailhost.config import Ports
from mailhost.delivery.worker import Worker
from mailhost.limits import Rules
from mailhost.login import DoorKeeper
from mailhost.login import Limits as SignInLimits
from mailhost.login.doorstep import Doorstep
from mailhost.login.model import SETTINGS
from mailhost.mailstore.indexer import TextIndex
from mailhost.network.certificates import CertificateFiles, ensure_certificates, names_of
from mailhost.network.listener import Admission, CannotListen, Listener, bind_all
from mailhost.network.stream import Deadlines
from mailhost.network.tls import CannotUseCertificate, client_context, load_certificate, server_context
from mailhost.web.setup import Facts

log = observe.logger()

_TLS_FOLDER: Final = "tls"
_LOOPBACK: Final = ("127.0.0.1", "::1")
_HIGH: Final = 1000  # what is added to a port that this user may not open
_INDEX_REST: Final = 60.0  # seconds after a failure
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

    def __init__(self, services: Services, index: TextIndex) -> None:
        config, limits = services.config, services.config.limits
        self._services = services
        self._index = index
        self._stopping = asyncio.Event()
        self._listeners: list[Listener] = []
        self._claimed: dict[str, list[socket.socket]] = {}
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
            rules=Rules(
                imap_connections=limits.imap_sessions_per_account,
                imap_download=limits.imap_download_a_day,
                imap_upload=limits.imap_upload_a_day,
                pop3_download=limits.pop3_download_a_day,
                commands_a_minute=limits.commands_a_minute,
            ).over(SETTINGS),
        )
        self._keeper = DoorKeeper(services.database, services.key, sign_ins, time.time)
        self._admission.tell = Doorstep(self._keeper, limits.connections_per_address).tell

    async def run(
        self,
        prepare: Callable[[], Awaitable[None]],
        announce: Callable[[Facts], None],
        *,
        any_ports: bool = False,
    ) -> None:
        """Serve until SIGTERM or SIGINT; `any_ports` takes free ports instead of the set ones.

        SIGHUP begins a round of maintenance: a new certificate is served from then on.

        `prepare` is called once the ports are ours: what a first start tells only once must not be lost to a busy port.
        Raises CannotListen, CannotUseCertificate, and what `prepare` raises.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        services = self._services
        try:
            for name in Ports.__struct_fields__:
                self._claim(name, any_ports=any_ports)
            if services.config.tls.certificate:
                server_context(*self._own_certificate())  # refused before anything is told that is told only once
            await prepare()
            files = await self._certificate_files()
            context = server_context(files.certificate, files.key)
            maintenance = Maintenance(
                services.database, services.blobs, services.files, self._index, lambda: self._renew_certificate(context)
            )
            if not os.isatty(0):  # there a hang-up says that the terminal is gone, and the server with it
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, maintenance.hurry)
            facts = await self._facts(files)
            office = office_of(services, services.config.host_name or f"mail.{facts.domain}")
            worker = Worker(office, client_context())
            for door in all_doors(House(services, self._index, office, self._keeper, context, facts)):
                await self._open(door, context)
            settle_memory()
            announce(facts)
            log.info("server.started", host=office.host, pid=os.getpid())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keeper.run())
                tidying = tasks.create_task(maintenance.run())
                indexing = tasks.create_task(self._follow_with_index())
                working = tasks.create_task(worker.run())
                await self._stopping.wait()
                log.info("server.stopping")
                seconds = services.config.limits.drain_seconds
                await self._drain(seconds)
                worker.close()
                await asyncio.wait({working}, timeout=seconds)  # what it leaves undone it leased for a while only
                for task in (tidying, indexing, working):
                    task.cancel()
                await self._keeper.close()
        finally:
            await self._drain(0)
            for bound in itertools.chain.from_iterable(self._claimed.values()):
                bound.close()
        log.info("server.stopped")

    async def _follow_with_index(self) -> None:
        while True:
            try:
                await self._index.run()
            except Exception:  # it must not end the server, and is told
                log.exception("index.crashed")
                await asyncio.sleep(_INDEX_REST)

    # Doors

    def _claim(self, name: str, *, any_ports: bool) -> None:
        """Take the port of a door; a low one that this user may not have is replaced by its high one."""
        config = self._services.config
        hosts = _LOOPBACK if name in LOCAL else config.listen
        port = 0 if any_ports else getattr(config.ports, name)
        try:
            sockets = bind_all(hosts, port)
        except CannotListen as refused:
            if not isinstance(refused.__cause__, PermissionError):
                raise
            sockets = bind_all(hosts, port + _HIGH)
        self._claimed[name] = sockets
        self._ports[name] = sockets[0].getsockname()[1]

    async def _open(self, door: Door, context: ssl.SSLContext) -> None:
        listener = Listener(
            door.service,
            door.handler,
            self._admission,
            context=context if door.in_tls else None,
            deadlines=self._deadlines,
        )
        await listener.accept_on(self._claimed.pop(door.name))
        self._listeners.append(listener)

    async def _drain(self, seconds: float) -> None:
        for listener in self._listeners:
            listener.stop()
        await asyncio.gather(*(listener.drain(seconds) for listener in self._listeners))

    # Names

    async def _facts(self, files: CertificateFiles) -> Facts:
        """Where people reach us."""
        config = self._services.config
        first = await self._services.database.read(domains.list_domains, 1)
        is_local = all(ipaddress.ip_address(host).is_loopback for host in config.listen)
        authority = None if config.tls.certificate else files.authority
        return Facts(self._reachable_at(), first[0].name if first else "localhost", self._ports, authority, is_local)

    def _reachable_at(self) -> str:
        """A name for programs on this machine that our certificate holds."""
        listen = self._services.config.listen
        return "localhost" if {"0.0.0.0", "::", *_LOOPBACK} & {*listen} else listen[0]  # noqa: S104 - compared, not bound

    # Certificates

    async def _certificate_files(self) -> CertificateFiles:
        if self._services.config.tls.certificate:
            return CertificateFiles(Path(), *self._own_certificate())
        names = names_of([domain.name for domain in await self._services.database.read(domains.list_domains)])
        files, is_new = ensure_certificates(self._services.data.absolute() / _TLS_FOLDER, names, datetime.now(UTC))
        if is_new:
            log.info("certificate.issued", names=names)
        return files

    def _own_certificate(self) -> tuple[Path, Path]:
        tls = self._services.config.tls
        return Path(tls.certificate), Path(tls.key or tls.certificate)

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
