"""`doctor server`: our own server seen from outside: every port, the certificate it serves, names, records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mailhost.autoconfig.settings import DOORS
from mailhost.doctor.catalogue import found
from mailhost.doctor.client import Progress
from mailhost.doctor.order import of_target, rank
from mailhost.doctor.probe import Path, Probe
from mailhost.doctor.reach import is_open
from mailhost.doctor.records import GUESSED_NAMES, check_records
from mailhost.doctor.report import Report
from mailhost.doctor.targets import Encryption, Protocol, Target
from mailhost.doctor.world import World
from mailhost.findings import Finding, Severity

_MAX_DOMAINS: Final = 50
_LOW, _HIGH = 1024, 1000
SERVICES: Final = {
    **{door.name: (door.protocol, door.encryption, door.prefix) for door in DOORS},
    "smtp": (Protocol.SMTP, Encryption.STARTTLS, "mail"),
}
"""Our listeners, as the settings call them: what they speak, how, and the usual name in front of a domain."""


@dataclass(frozen=True, slots=True)
class OwnServer:
    """What our settings say. `addresses` are where to knock, `ports` service → port, the domains those we serve.

    Without `is_public` the server listens on this machine alone, and nothing is asked of DNS. `known` is what the
    server itself found out about its certificates, and what its store says.
    """

    host: str
    addresses: tuple[str, ...]
    ports: dict[str, int]
    domains: tuple[str, ...]
    is_public: bool
    has_own_authority: bool
    known: tuple[Finding, ...] = ()


async def actual_ports(world: World, address: str, ports: dict[str, int]) -> dict[str, int]:
    """The ports as they were opened: a low one that the server's user may not have is replaced, by one 1000 higher."""

    async def actual(port: int) -> int:
        is_replaced = (
            port < _LOW and not await is_open(world, address, port) and await is_open(world, address, port + _HIGH)
        )
        return port + _HIGH if is_replaced else port

    return dict(zip(ports, await asyncio.gather(*map(actual, ports.values())), strict=True))


async def diagnose_server(own: OwnServer, world: World, progress: Progress = lambda _: None) -> Report:
    """Every port on every address; the certificate for every name; for a public server the records, too."""
    began = time.monotonic()
    progress("knocking at every port")
    own = replace(own, ports=await actual_ports(world, own.addresses[0], own.ports))
    paths = [path for service in own.ports for path in _doors(own, service)]
    named = [path for domain in own.domains[:_MAX_DOMAINS] for path in _names(own, domain)]
    await asyncio.gather(
        *(Probe(world, path, expects_sign_in=path.target.port != own.ports.get("smtp")).run() for path in paths + named)
    )
    causes: list[tuple[Protocol | None, Finding]] = []
    notes: list[Finding] = list(own.known)
    for target in dict.fromkeys(path.target for path in paths + named):
        verdict = of_target([path for path in paths + named if path.target == target])
        notes += verdict.notes
        if verdict.cause is not None:
            causes.append((target.protocol, verdict.cause))
    report = Report(subject=own.host, paths=paths)
    if own.is_public and own.has_own_authority:
        said = "signed by our own authority, tls/ca.pem in the data folder"
        notes.append(found("D5", "every program", said, severity=Severity.WARNING))
    if own.is_public:
        progress("comparing the records of our domains")
        checks = await asyncio.gather(
            *(check_records(world.resolver, domain, own.host) for domain in own.domains[:_MAX_DOMAINS])
        )
        notes += [finding for check in checks for finding in check.findings]
        report.records = [record for check in checks for record in check.records]
    report.findings = rank(causes, [], notes)
    report.seconds = time.monotonic() - began
    return report


def _doors(own: OwnServer, service: str) -> Sequence[Path]:
    protocol, encryption, prefix = SERVICES[service]
    host = f"{prefix}.{own.domains[0]}" if own.domains else own.host
    target = Target(protocol, host, own.ports[service], encryption)
    return [Path(target, address) for address in own.addresses]


def _names(own: OwnServer, domain: str) -> Sequence[Path]:
    """The certificate for each name that programs use: asked for at one door, since all doors serve the same one."""
    if "imaps" not in own.ports:
        return []
    prefixes = [prefix for prefix in GUESSED_NAMES if not prefix.startswith("auto")]
    targets = [Target(Protocol.IMAP, f"{prefix}.{domain}", own.ports["imaps"], Encryption.TLS) for prefix in prefixes]
    return [Path(target, own.addresses[0]) for target in targets]
