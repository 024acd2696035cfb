"""Our own server and domains before the doctor: what the settings and the running server say of themselves."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailhost import domains
from mailhost.app.certificates import issued_folder, own_files
from mailhost.app.orderbook import findings, read_book
from mailhost.app.running import ports_of
from mailhost.app.services import Services
from mailhost.config import Config
from mailhost.doctor.domain import diagnose_domain
from mailhost.doctor.inside import look_inside
from mailhost.doctor.names import Resolver
from mailhost.doctor.own import SERVICES, OwnServer, diagnose_server
from mailhost.doctor.report import Report
from mailhost.doctor.world import Connect, World, connect

ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
_MAX_DOMAINS: Final = 50


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a whole look at ourselves came to."""

    reports: tuple[Report, ...]

    @property
    def is_offline(self) -> bool:
        """Nothing can be said, as there is no network."""
        return any(report.is_offline for report in self.reports)


async def own_server(services: Services) -> OwnServer:
    """Where we are, which ports are open, whose mail is here, what is known of our certificates and of our store."""
    config, data = services.config, services.data
    names = tuple(each.name for each in await services.database.read(domains.list_domains))
    bound = ports_of(data) or {}
    certificates = findings(read_book(issued_folder(data)), int(time.time())) if config.tls.acme else []
    return OwnServer(
        host=config.host_name or (f"mail.{names[0]}" if names else "localhost"),
        addresses=tuple(ANY.get(each, each) for each in config.listen),
        ports={service: bound.get(service, getattr(config.ports, service)) for service in SERVICES},
        domains=names,
        is_public=not config.is_local,
        has_own_authority=not (config.tls.certificate or config.tls.acme),
        known=(*certificates, *await look_inside(services.database, data)),
    )


def own_authority(config: Config, data: Path) -> Path | None:
    """Our own authority's certificate, where it is the one that clients are given."""
    return None if config.tls.certificate or config.tls.acme else own_files(config, data).authority


def preamble(config: Config, address: str) -> bytes:
    """What our doors must hear first from an address of ours: a PROXY header, where it counts as a load balancer."""
    is_proxy = any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in config.proxies)
    return b"PROXY UNKNOWN\r\n" if is_proxy else b""


def knocking(config: Config) -> Connect:
    """Connections to our own doors."""

    async def knock(address: str, port: int) -> socket.socket:
        made = await connect(address, port)
        await asyncio.get_running_loop().sock_sendall(made, preamble(config, address))
        return made

    return knock


async def check_up(services: Services) -> Checkup:
    """`doctor server`, and for a public server `doctor domain` for each of its domains."""
    own = await own_server(services)
    resolver = Resolver(services.config.name_servers())
    authority = own_authority(services.config, services.data)
    world = World(resolver, knocking(services.config), authorities=authority)
    try:
        reports = [await diagnose_server(own, world)]
        if own.is_public:
            reports += [await diagnose_domain(name, world) for name in own.domains[:_MAX_DOMAINS]]
    finally:
        await resolver.close()
    return Checkup(tuple(reports))
