"""`doctor client`: why a mail program of this person does not connect, from the address to the time after sign-in."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mailhost.doctor.catalogue import found
from mailhost.doctor.discovery.walk import Discovery, discover, known_by_heart
from mailhost.doctor.masking import Mask
from mailhost.doctor.messages import meaning_of
from mailhost.doctor.names import Addresses, Status
from mailhost.doctor.order import Ranked, Role, of_protocol, rank
from mailhost.doctor.probe import Path, Probe
from mailhost.doctor.providers import Provider, named, provider_of_domain, provider_of_exchangers
from mailhost.doctor.reach import settle_silence
from mailhost.doctor.report import Report, settings_first
from mailhost.doctor.signin import MAX_TRIES, Credentials, SignIn
from mailhost.doctor.targets import Encryption, Protocol, Target
from mailhost.doctor.world import World
from mailhost.domains import normalise_domain
from mailhost.errors import MailhostError
from mailhost.findings import Finding

_AT_ONCE: Final = 16  # connections at a time
_SIMILAR: Final = 0.8

Progress = Callable[[str], None]
"""Is told what begins now, in a few English words."""


class NoAddress(MailhostError):
    """What was given is no mail address."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the user asks. `servers` are what their program is set to, `message` what it said."""

    address: str
    protocols: tuple[Protocol, ...] = (Protocol.IMAP, Protocol.SMTP)
    provider: str = "auto"
    servers: tuple[Target, ...] = ()
    message: str = ""
    credentials: Credentials | None = None

    @property
    def asked(self) -> tuple[Protocol, ...]:
        """The protocols it is about: those of the servers that were named, where any were."""
        return tuple(dict.fromkeys(target.protocol for target in self.servers)) or self.protocols


@dataclass(slots=True)
class _Case:
    """One diagnosis while it goes on."""

    question: Question
    world: World
    providers: Mapping[str, Provider]
    progress: Progress
    domain: str = ""
    provider: Provider | None = None
    discovery: Discovery = field(default_factory=Discovery)
    paths: list[Path] = field(default_factory=list)
    causes: list[tuple[Protocol | None, Finding]] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    signed_in: list[Path] = field(default_factory=list)
    """Paths on which a sign-in was tried: up to there they are whole."""
    exchangers: list[str] = field(default_factory=list)
    is_offline: bool = False


async def diagnose(
    question: Question, world: World, providers: Mapping[str, Provider], progress: Progress = lambda _: None
) -> Report:
    """The whole diagnosis. Raises NoAddress, BadDomainName, NoSuchProvider for a question that cannot be asked."""
    began = time.monotonic()
    case = _Case(question, world, providers, progress, checked_domain(question.address))
    case.provider = (
        named(providers, question.provider)
        if question.provider != "auto"
        else provider_of_domain(providers, case.domain)
    )
    await _look_at_domain(case)
    await _find_settings(case)
    await _walk_paths(case)
    if question.credentials is not None:
        await _sign_in(case, question.credentials)
    _conclude(case)
    report = _report(case)
    report.seconds = time.monotonic() - began
    secrets = [question.credentials.secret] if question.credentials else []
    return report.masked(Mask(secrets))


# A: the address


def checked_domain(address: str) -> str:
    """The domain of a mail address. Raises NoAddress, BadDomainName."""
    local, at, domain = address.strip().rpartition("@")
    if not at or not local or not local.isprintable() or set(local) & set(" <>"):
        raise NoAddress(f"{address!r} is no mail address: it has the form name@domain.")
    return normalise_domain(domain)


async def _look_at_domain(case: _Case) -> None:
    case.progress(f"asking DNS about {case.domain}")
    exchange, address, _ = await asyncio.gather(
        case.world.resolver.query(case.domain, "MX"),
        case.world.resolver.query(case.domain, "A"),
        asyncio.to_thread(case.world.checking_context),  # takes a tenth of a second; DNS takes as long
    )
    statuses = {exchange.status, address.status}
    is_known = case.provider is not None and case.domain in case.provider.domains
    if statuses == {Status.UNREACHABLE} or (is_known and statuses <= {Status.NO_NAME, Status.FAILED}):
        case.is_offline = True
        if not case.question.servers:  # those may be on this machine
            said = "no name server answers: there is no network, as it seems"
            if statuses != {Status.UNREACHABLE}:
                said = f"the name server of this network does not know even {case.domain}: no way to the internet"
            case.causes.append((None, found("B4", "this device", said)))
        return
    if Status.NO_NAME in statuses:
        case.causes.append((None, found("A1", case.domain, str(exchange), *_similar(case))))
    elif statuses & {Status.FAILED, Status.BOGUS}:
        broken = exchange if exchange.status in (Status.FAILED, Status.BOGUS) else address
        case.causes.append((None, found("A5", case.domain, str(broken))))
    case.exchangers = [record.split()[-1] for record in exchange.records if " " in record]
    if exchange.records == ("0 .",) or exchange.records == ("0 ",):
        case.causes.append((None, found("A1", case.domain, "MX 0 . says that the domain takes no mail")))
    if case.provider is None:
        case.provider = provider_of_exchangers(case.providers, case.exchangers)


def _similar(case: _Case) -> list[str]:
    known = [domain for provider in case.providers.values() for domain in provider.domains]
    close = difflib.get_close_matches(case.domain, known, 1, _SIMILAR)
    return [f"did you mean {close[0]}?"] if close else []


# Settings


async def _find_settings(case: _Case) -> None:
    provider = case.provider
    if provider is not None and (case.domain in provider.domains or case.question.provider != "auto"):
        case.discovery = known_by_heart(provider)
        return
    if case.causes or case.is_offline:
        return
    case.progress("asking for settings as mail programs do")
    case.discovery = await discover(case.world, case.question.address, case.domain, provider)
    case.notes += case.discovery.findings


def _targets(case: _Case) -> list[tuple[Target, bool]]:
    """What is probed: the user's own settings first, then the right ones of the asked protocols."""
    asked = case.question.asked
    right = [target for target in case.discovery.right if target.protocol in asked and not case.is_offline]
    return [(target, True) for target in case.question.servers] + [(target, False) for target in right]


# B, C, D: the paths


async def _walk_paths(case: _Case) -> None:
    targets = _targets(case)
    hosts = list(dict.fromkeys(target.host for target, _ in targets))
    case.progress(f"looking up {', '.join(hosts)}" if hosts else "no server to look at")
    known = dict(zip(hosts, await asyncio.gather(*map(case.world.resolver.addresses, hosts)), strict=True))
    gate = asyncio.Semaphore(_AT_ONCE)

    async def walk(path: Path) -> None:
        async with gate:
            case.progress(f"probing {path.where}")
            await Probe(case.world, path).run()

    walking = []
    for target, is_set in targets:
        addresses = known[target.host]
        if addresses.all:
            walking += [Path(target, address, is_set) for address in addresses.all]
        else:
            case.paths.append(Path(target, "", is_set, finding=_nameless(case, target, addresses)))
    await asyncio.gather(*map(walk, walking))
    case.paths += walking
    await settle_silence(case.world, case.paths)
    for path in case.paths:
        path.finding = _another_server(case, path)


def _nameless(case: _Case, target: Target, addresses: Addresses) -> Finding:
    said = [str(answer) for answer in addresses.answers]
    statuses = {answer.status for answer in addresses.answers}
    if case.is_offline or statuses == {Status.UNREACHABLE}:
        return _by_heart(case, target) or found("B4", str(target), *said)
    return found("A5" if statuses & {Status.FAILED, Status.BOGUS} else "A1", str(target), *said)


def _by_heart(case: _Case, target: Target) -> Finding | None:
    """What is wrong with a setting, as far as the provider's own says so without a network."""
    right = [each for each in case.discovery.right if each.protocol is target.protocol]
    if not right or target in right:
        return None
    same = next((each for each in right if (each.host, each.port) == (target.host, target.port)), None)
    if same is not None:
        return found("C1" if target.encryption is Encryption.TLS else "C2", str(target), f"the right setting is {same}")
    known = case.provider.not_for_mail if case.provider else ()
    leaf = "A4" if target.host in known else "A1" if target.host not in {each.host for each in right} else "B1"
    return found(leaf, str(target), f"the right setting is {right[0]}")


def _another_server(case: _Case, path: Path) -> Finding | None:
    """A setting that fails on a host which serves the web or other mail servers, is a mistaken host."""
    finding = path.finding
    if finding is None or not path.is_set or finding.leaf[0] not in "BCD":
        return finding
    if path.target.host in {target.host for target in case.discovery.right}:
        return finding
    mistaken = {
        case.domain,
        f"www.{case.domain}",
        *case.exchangers,
        *(case.provider.not_for_mail if case.provider else ()),
    }
    if path.target.host not in mistaken:
        return finding
    right = next((target for target in case.discovery.right if target.protocol is path.target.protocol), None)
    told = (f"the right server is {right}",) if right else ()
    return found("A4", finding.where, *told, *finding.evidence)


# E, F: signing in


async def _sign_in(case: _Case, credentials: Credentials) -> None:
    if case.provider is not None and case.provider.password == "oauth" and not credentials.is_oauth:  # noqa: S105 - a kind
        case.causes.append((None, found("E4", case.provider.title, "it takes no passwords at all, so none was sent")))
        return
    chosen: list[Path] = []
    for protocol in case.question.asked:
        whole = [path for path in case.paths if path.target.protocol is protocol and path.finding is None]
        whole = [path for path in whole if path.target.encryption is not Encryption.NONE]
        chosen += sorted(whole, key=lambda path: not path.is_set)[:1]
    case.signed_in = chosen[:MAX_TRIES]
    case.progress(f"signing in: {', '.join(path.where for path in case.signed_in)}")
    await asyncio.gather(
        *(SignIn(case.world, path, case.question.address, case.provider).run(credentials) for path in case.signed_in)
    )
    case.causes += [(path.target.protocol, path.finding) for path in case.signed_in if path.finding is not None]


# The verdict


def _conclude(case: _Case) -> None:
    for protocol in Protocol:
        paths = [path for path in case.paths if path.target.protocol is protocol]
        is_guess = case.discovery.sources.get(protocol) == "guess"
        # A refused sign-in is a cause of its own already; up to there its path is whole.
        whole = [replace(path, finding=None) if path in case.signed_in else path for path in paths]
        verdict = of_protocol(whole, is_guess=is_guess)
        case.notes += verdict.notes
        if verdict.cause is not None and not (is_guess and verdict.cause.leaf[0] == "B" and _only_apex(case, paths)):
            case.causes.append((protocol, verdict.cause))
        elif verdict.cause is not None:
            said = f"none of the usual names is there, and {case.domain} itself serves no mail programs"
            case.causes.append((protocol, found("A1", f"{protocol.value}.{case.domain}", said)))
        elif not paths and protocol in case.question.asked:
            case.notes += _serverless(case, protocol)


def _only_apex(case: _Case, paths: Sequence[Path]) -> bool:
    return all(path.target.host == case.domain for path in paths)


def _serverless(case: _Case, protocol: Protocol) -> list[Finding]:
    """No server is known for a protocol: the provider has none, or no name exists."""
    if case.provider is not None or case.causes or case.is_offline or any(note.leaf == "G7" for note in case.notes):
        return []
    host = f"{protocol.value}.{case.domain}"
    case.causes.append((protocol, found("A1", host, "no source of settings, and none of the usual names exists")))
    return []


def _report(case: _Case) -> Report:
    question = case.question
    possible: list[Finding] = []
    quoted = meaning_of(question.message, case.provider.name if case.provider else "") if question.message else None
    if quoted is not None:
        words = f"the message says: {quoted.words}"
        possible = [found(leaf, "", words, help_page=_page(case, leaf)) for leaf in quoted.leaves]
    causes = [(protocol, replace(each, help=each.help or _page(case, each.leaf))) for protocol, each in case.causes]
    findings = rank(causes, possible, case.notes)
    if case.is_offline and possible:  # what was quoted is nearer to the user's trouble than that we cannot look
        findings.sort(key=lambda each: each.role is not Role.POSSIBLE)
    protocols = [protocol.value for protocol in question.asked]
    return Report(
        subject=question.address,
        findings=_promoted(findings),
        provider=case.provider,
        settings=settings_first(case.discovery.right, protocols),
        sources=case.discovery.sources,
        paths=case.paths,
        conclusions=case.discovery.conclusions,
        asked=case.discovery.asked,
        is_offline=case.is_offline and not any(path.address for path in case.paths),
        has_signed_in=question.credentials is not None,
    )


def _promoted(findings: list[Ranked]) -> list[Ranked]:
    """With no measured cause, the likeliest reading of the message is it."""
    if findings and findings[0].role is Role.POSSIBLE:
        return [Ranked(findings[0].finding, Role.CAUSE), *findings[1:]]
    return findings


def _page(case: _Case, leaf: str) -> str:
    return case.provider.help.get(leaf, "") if case.provider is not None else ""
