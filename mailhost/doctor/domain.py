"""`doctor domain`: what the world looks up about a mail domain, and whether its mail exchangers answer."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from mailhost.doctor.catalogue import found
from mailhost.doctor.client import Progress
from mailhost.doctor.discovery.walk import discover
from mailhost.doctor.names import Status
from mailhost.doctor.order import of_protocol, rank
from mailhost.doctor.probe import Path, Probe
from mailhost.doctor.reach import settle_silence
from mailhost.doctor.records import check_records
from mailhost.doctor.report import Report
from mailhost.doctor.targets import Encryption, Protocol, Target
from mailhost.doctor.world import World
from mailhost.domains import normalise_domain
from mailhost.findings import Finding

_MAX_EXCHANGERS: Final = 4


async def diagnose_domain(name: str, world: World, progress: Progress = lambda _: None) -> Report:
    """Records, automatic set-up, mail exchangers. Raises BadDomainName."""
    began = time.monotonic()
    domain = normalise_domain(name)
    report = Report(subject=domain)
    progress(f"asking DNS about {domain}")
    exchange = await world.resolver.query(domain, "MX")
    if exchange.status is Status.UNREACHABLE:
        report.is_offline = True
        finding = found("B4", "this device", "no name server answers: there is no network, as it seems")
        report.findings = rank([(None, finding)], [], [])
        return report
    if exchange.status in (Status.NO_NAME, Status.FAILED, Status.BOGUS):
        leaf = "A1" if exchange.status is Status.NO_NAME else "A5"
        report.findings = rank([(None, found(leaf, domain, str(exchange)))], [], [])
        return report
    hosts = [record.split()[1] for record in exchange.records if len(record.split()) == 2][:_MAX_EXCHANGERS]
    progress("comparing records, asking for settings, knocking at the mail exchangers")
    check, discovery, paths = await asyncio.gather(
        check_records(world.resolver, domain, ""),
        discover(world, f"postmaster@{domain}", domain, None),
        _knock(world, hosts),
    )
    verdict = of_protocol(paths, is_guess=False)
    causes: list[tuple[Protocol | None, Finding]] = []
    if verdict.cause is not None:
        causes.append((Protocol.SMTP, verdict.cause))
    findings = [*check.findings, *discovery.findings, *verdict.notes]
    report.findings = rank(causes, [], findings)
    report.records = list(check.records)
    report.settings, report.sources = discovery.right, discovery.sources
    report.conclusions, report.asked, report.paths = discovery.conclusions, discovery.asked, paths
    report.seconds = time.monotonic() - began
    return report


async def _knock(world: World, hosts: list[str]) -> list[Path]:
    """Each mail exchanger on port 25, as another server comes: no sign-in is expected there."""
    known = await asyncio.gather(*map(world.resolver.addresses, hosts))
    paths = [
        Path(Target(Protocol.SMTP, host, 25, Encryption.STARTTLS), address)
        for host, addresses in zip(hosts, known, strict=True)
        for address in addresses.all
    ]
    await asyncio.gather(*(Probe(world, path, expects_sign_in=False).run() for path in paths))
    await settle_silence(world, paths)
    return paths
