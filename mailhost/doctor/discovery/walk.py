"""What each mail program would conclude from an address, by the order in which it asks the sources."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from mailhost.doctor.catalogue import found
from mailhost.doctor.discovery.sources import (
    NOBODY,
    Source,
    ask_autoconfig,
    ask_autoconfig_of_exchanger,
    ask_autodiscover,
    ask_pacc,
    ask_srv,
    ask_wildcard,
)
from mailhost.doctor.providers import Provider
from mailhost.doctor.targets import Encryption, Protocol, Target
from mailhost.doctor.world import World
from mailhost.findings import Finding, Severity

_GUESSED: Final = {
    Protocol.IMAP: (("imap", "mail", ""), ((993, Encryption.TLS), (143, Encryption.STARTTLS))),
    Protocol.POP: (("pop", "pop3", "mail", ""), ((995, Encryption.TLS), (110, Encryption.STARTTLS))),
    Protocol.SMTP: (("smtp", "mail", ""), ((465, Encryption.TLS), (587, Encryption.STARTTLS))),
}
_MAX_GUESSED_HOSTS: Final = 2
# program → the sources in its order; "database" is what is compiled in or looked up by the provider's domain
_PROGRAMS: Final = (
    ("Thunderbird", ("autoconfig", "database", "autoconfig of the MX", "Autodiscover", "guess")),
    ("Thunderbird for Android, K-9", ("strict autoconfig", "database", "strict autoconfig of the MX")),
    ("FairEmail", ("database", "SRV records", "autoconfig", "guess")),
    ("Evolution", ("database", "autoconfig", "SRV records")),
    ("GNOME Online Accounts", ("guess",)),
    ("KMail", ("database", "autoconfig", "guess")),
    ("Outlook", ("database", "Autodiscover", "guess")),
    ("Apple Mail", ("database", "PACC")),
    ("eM Client", ("database", "SRV records", "Autodiscover", "guess")),
)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What one program would set itself to, best first, and from which source; nothing means typing by hand."""

    program: str
    source: str
    targets: tuple[Target, ...]


@dataclass(slots=True)
class Discovery:
    """Everything automatic set-up came to."""

    conclusions: list[Conclusion] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    right: list[Target] = field(default_factory=list)
    """The servers to go by."""
    sources: dict[Protocol, str] = field(default_factory=dict)
    """Where those of each protocol come from."""


async def guesses(world: World, domain: str) -> Source:
    """The hosts that programs try when nobody tells them, as far as the names exist and are no wildcard."""
    anything = set((await world.resolver.query(f"{NOBODY}.{domain}", "A")).records)
    prefixes = dict.fromkeys(prefix for names, _ in _GUESSED.values() for prefix in names)
    hosts = {prefix: f"{prefix}.{domain}" if prefix else domain for prefix in prefixes}
    known = dict(zip(hosts, await asyncio.gather(*map(world.resolver.addresses, hosts.values())), strict=True))
    source = Source("guess")
    for protocol, (names, ports) in _GUESSED.items():
        existing = [hosts[name] for name in names if set(known[name].all) - anything][:_MAX_GUESSED_HOSTS]
        source.settings.targets += [
            Target(protocol, host, port, encryption) for host in existing for port, encryption in ports
        ]
    source.strict = source.settings
    return source


async def discover(world: World, address: str, domain: str, provider: Provider | None) -> Discovery:
    """Ask every source at once, then walk them as each program does."""
    sources = {
        source.name: source
        for source in await asyncio.gather(
            ask_autoconfig(world, address, domain),
            ask_autoconfig_of_exchanger(world, address, domain),
            ask_autodiscover(world, address, domain),
            ask_srv(world, domain),
            ask_pacc(world, domain),
            ask_wildcard(world, domain),
            guesses(world, domain),
        )
    }
    sources["database"] = database = Source("database")
    if provider is not None:
        for protocol in Protocol:
            database.settings.targets += provider.targets(protocol)
        database.strict = database.settings
    discovery = Discovery(asked=[line for source in sources.values() for line in source.asked])
    discovery.findings = [finding for source in sources.values() for finding in source.findings]
    if sources["wildcard"].findings and await _is_wildcard(world, domain):
        # Nobody set these hosts up, so what their pages and certificates lack is no fault of theirs.
        discovery.findings = [each for each in discovery.findings if each.leaf not in ("G2", "G3", "G6")]
    discovery.conclusions = [_conclude(program, order, sources) for program, order in _PROGRAMS]
    _settle(discovery, sources)
    discovery.findings += _disagreements(list(sources.values()))
    if set(discovery.sources.values()) - {"guess", "database"}:
        # Somebody is told: what is missing beside it hurts only the programs that ask for nothing else.
        discovery.findings = [
            _milder(finding) if finding.leaf in ("G1", "G7") else finding for finding in discovery.findings
        ]
    return discovery


async def _is_wildcard(world: World, domain: str) -> bool:
    """Whether the names of automatic set-up lead where any name does."""
    names = [f"{label}.{domain}" for label in (NOBODY, "autoconfig", "autodiscover")]
    nobody, *hosts = [each.records for each in await asyncio.gather(*(world.resolver.query(n, "A") for n in names))]
    return all(host == nobody for host in hosts)


def _settle(discovery: Discovery, sources: dict[str, Source]) -> None:
    """The servers to go by: of each protocol from the first source that names one."""
    for protocol in Protocol:
        for name in ("database", "autoconfig", "SRV records", "autoconfig of the MX", "Autodiscover", "PACC", "guess"):
            if sources[name].settings.best(protocol) is not None:
                discovery.right += [each for each in sources[name].settings.targets if each.protocol is protocol]
                discovery.sources[protocol] = name
                break


def known_by_heart(provider: Provider) -> Discovery:
    """A provider that programs have built in: nobody is asked."""
    targets = [target for protocol in Protocol for target in provider.targets(protocol)]
    conclusions = [
        Conclusion(program, "built in", tuple(targets)) for program, order in _PROGRAMS if "database" in order
    ]
    return Discovery(conclusions, right=targets, sources=dict.fromkeys(Protocol, "provider"))


def _conclude(program: str, order: tuple[str, ...], sources: dict[str, Source]) -> Conclusion:
    for name in order:
        source = sources[name.removeprefix("strict ")]
        settings = source.strict if name.startswith("strict ") else source.settings
        best = tuple(target for protocol in Protocol if (target := settings.best(protocol)) is not None)
        is_whole = settings.best(Protocol.SMTP) is not None and len(best) > 1
        if best and (is_whole or name != "SRV records"):  # FairEmail and others want both sides in SRV
            return Conclusion(program, source.name, best)
    return Conclusion(program, "", ())


def _disagreements(sources: list[Source]) -> list[Finding]:
    """Two sources that name different incoming or outgoing hosts."""
    told = [source for source in sources if source.is_there and source.name != "guess"]
    for protocol in Protocol:
        best = {source.name: target for source in told if (target := source.settings.best(protocol)) is not None}
        if len({target.host for target in best.values()}) > 1:
            return [found("G5", protocol.value.upper(), *(f"{name}: {target}" for name, target in best.items()))]
    return []


def _milder(finding: Finding) -> Finding:
    return found(finding.leaf, finding.where, *finding.evidence, severity=Severity.NOTE)
