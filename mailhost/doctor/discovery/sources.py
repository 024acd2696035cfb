"""The places where programs look for settings: each one asked, what it says, and what is wrong with it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from mailhost.doctor.catalogue import found
from mailhost.doctor.discovery.documents import (
    NotThatDocument,
    Settings,
    read_autoconfig,
    read_autodiscover,
    read_pacc,
)
from mailhost.doctor.discovery.fetching import Fetched, fetch
from mailhost.doctor.names import Status
from mailhost.doctor.targets import Encryption, Protocol, Target, is_host, port_of
from mailhost.doctor.world import World
from mailhost.findings import Finding

NOBODY: Final = "mailhost-doctor-no-such-name"
"""A label that nobody sets up."""
_XML_TYPES: Final = ("text/xml", "application/xml", "text/rdf")
_REQUEST: Final = (
    '<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/'
    'outlook/requestschema/2006"><Request><EMailAddress>{}</EMailAddress><AcceptableResponseSchema>'
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema>"
    "</Request></Autodiscover>"
)
_SERVICES: Final = (
    ("_imaps", Protocol.IMAP, Encryption.TLS, {993}),
    ("_imap", Protocol.IMAP, Encryption.STARTTLS, {143}),
    ("_pop3s", Protocol.POP, Encryption.TLS, {995}),
    ("_pop3", Protocol.POP, Encryption.STARTTLS, {110}),
    ("_submissions", Protocol.SMTP, Encryption.TLS, {465}),
    ("_submission", Protocol.SMTP, Encryption.STARTTLS, {587}),
)
_FOREIGN_PORTS: Final = {993, 143, 995, 110, 465, 587, 25}


@dataclass(slots=True)
class Source:
    """One place: what it says, how it was asked, what is wrong with it."""

    name: str
    settings: Settings = field(default_factory=Settings)
    strict: Settings = field(default_factory=Settings)
    """What a program that drops a file with any fault is left with."""
    asked: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_there(self) -> bool:
        """Whether it gives servers at all."""
        return bool(self.settings.targets)


async def ask_autoconfig(world: World, address: str, domain: str) -> Source:
    """The four addresses of Mozilla's scheme, asked at once; the first good one counts."""
    source = Source("autoconfig")
    query = f"?emailaddress={quote(address)}"
    urls = [
        f"{scheme}://{place}{query}"
        for scheme in ("https", "http")
        for place in (
            f"autoconfig.{domain}/mail/config-v1.1.xml",
            f"{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
        )
    ]
    answers = await asyncio.gather(*(fetch(world, url) for url in urls))
    source.asked = [str(each) for each in answers]
    for answer in answers:
        if answer.status != 200 or answer.problem:
            continue
        try:
            settings = read_autoconfig(answer.body, address)
        except NotThatDocument as trouble:
            if answer.content_type.startswith(_XML_TYPES):
                source.findings.append(found("G4", answer.url, str(trouble)))
            elif "autoconfig" in answer.url.split("/")[2]:  # a page at D itself is the web site's own "not found"
                source.findings.append(found("G2", answer.url, f"Content-Type: {answer.content_type}", str(trouble)))
            continue
        if not answer.content_type.startswith(_XML_TYPES):
            source.findings.append(found("G2", answer.url, f"Content-Type: {answer.content_type or 'none'}"))
            continue
        if settings.problems:
            source.findings.append(found("G4", answer.url, *settings.problems))
        source.settings = settings
        source.strict = settings if not settings.problems else Settings()
        break
    source.findings += _bad_certificates(answers, ("autoconfig.",))
    if not source.is_there and not source.findings:
        source.findings.append(found("G1", domain, *source.asked))
    return source


async def ask_autoconfig_of_exchanger(world: World, address: str, domain: str) -> Source:
    """Who receives the domain's mail may tell its settings: their domain, and that one's own domain, over https."""
    source = Source("autoconfig of the MX")
    exchange = await world.resolver.query(domain, "MX")
    first = next(iter(sorted(exchange.records, key=lambda text: port_of(text.split()[0]))), "")
    labels = first.split()[-1].split(".") if is_host(first.split()[-1] if first else "") else []
    parents = [".".join(labels[start:]) for start in (1, len(labels) - 2) if 1 <= start <= len(labels) - 2]
    urls = [
        f"https://autoconfig.{parent}/mail/config-v1.1.xml?emailaddress={quote(address)}"
        for parent in dict.fromkeys(parents)
        if parent != domain
    ]
    for answer in await asyncio.gather(*(fetch(world, url) for url in urls)):
        source.asked.append(str(answer))
        if answer.status == 200 and answer.content_type.startswith(_XML_TYPES) and not source.is_there:
            with contextlib.suppress(NotThatDocument):
                source.settings = read_autoconfig(answer.body, address)
                source.strict = source.settings if not source.settings.problems else Settings()
    return source


async def ask_autodiscover(world: World, address: str, domain: str) -> Source:
    """Microsoft's scheme without credentials: two addresses over https, and the record that leads elsewhere."""
    source = Source("Autodiscover")
    record = await world.resolver.query(f"_autodiscover._tcp.{domain}", "SRV")
    hosts = [f"autodiscover.{domain}", domain]
    hosts += [each.split()[3] for each in record.records if len(each.split()) == 4 and is_host(each.split()[3])]
    body = _REQUEST.format(escape(address)).encode()
    urls = [f"https://{host}/autodiscover/autodiscover.xml" for host in dict.fromkeys(hosts)]
    answers = await asyncio.gather(*(fetch(world, url, method="POST", body=body, kind="text/xml") for url in urls))
    source.asked = [str(each) for each in answers]
    for answer in answers:
        if answer.status == 401:
            source.findings.append(found("G9", answer.url, "401: it asks for a user name and a password"))
        if answer.status != 200 or source.is_there:
            continue
        try:
            source.settings = source.strict = read_autodiscover(answer.body)
        except NotThatDocument as trouble:
            evidence = f"200, Content-Type: {answer.content_type or 'none'}, {trouble}"
            source.findings.append(found("G6", answer.url, evidence))
    return source


async def ask_srv(world: World, domain: str) -> Source:
    """Service records for mail programs (RFC 6186, RFC 8314)."""
    source = Source("SRV records")
    names = [f"{service}._tcp.{domain}" for service, *_ in _SERVICES]
    answers = await asyncio.gather(*(world.resolver.query(name, "SRV") for name in names))
    for (service, protocol, encryption, usual), answer in zip(_SERVICES, answers, strict=True):
        source.asked.append(str(answer))
        for record in sorted(answer.records, key=lambda text: port_of(text.split()[0])):
            parts = record.split()
            if len(parts) != 4 or not is_host(parts[3]):
                continue  # "0 0 0 ." says that the service is not offered
            host, port = parts[3], port_of(parts[2])
            if problem := await _srv_problem(world, service, host, port, usual):
                source.findings.append(found("G8", answer.name, f"SRV {record}", problem))
            source.settings.targets.append(Target(protocol, host, port, encryption))
    source.strict = source.settings
    return source


async def _srv_problem(world: World, service: str, host: str, port: int, usual: set[int]) -> str:
    if port not in usual and port in _FOREIGN_PORTS:
        return f"{service} leads to port {port}, which is another service's; {min(usual)} is usual"
    alias, addresses = await asyncio.gather(world.resolver.query(host, "CNAME"), world.resolver.addresses(host))
    if alias.records:
        return f"{host} is an alias (CNAME) of {alias.records[0]}"
    return "" if addresses.all else f"{host} has no address"


async def ask_pacc(world: World, domain: str) -> Source:
    """The document whose digest stands in DNS; without the record programs do not ask for it."""
    source = Source("PACC")
    record = await world.resolver.query(f"_ua-auto-config.{domain}", "TXT")
    text = next((each for each in record.records if each.startswith("v=UAAC1")), "")
    if not text:
        return source
    answer = await fetch(world, f"https://ua-auto-config.{domain}/.well-known/user-agent-configuration.json")
    source.asked.append(str(answer))
    digest = base64.b64encode(hashlib.sha256(answer.body).digest()).decode()
    told = dict(part.strip().partition("=")[::2] for part in text.split(";")).get("d", "")
    if answer.status != 200 or digest != told:
        evidence = (f"DNS says {told}", f"the document has {digest}" if answer.status == 200 else str(answer))
        source.findings.append(found("G10", f"_ua-auto-config.{domain}", *evidence))
        return source
    try:
        source.settings = source.strict = read_pacc(answer.body)
    except NotThatDocument as trouble:
        source.findings.append(found("G10", answer.url, str(trouble)))
    return source


async def ask_wildcard(world: World, domain: str) -> Source:
    """A name that nobody would set up: does it lead somewhere all the same?"""
    source = Source("wildcard")
    answer = await world.resolver.query(f"{NOBODY}.{domain}", "A")
    source.asked.append(str(answer))
    if answer.status is Status.FOUND:
        source.findings.append(found("G7", f"*.{domain}", str(answer)))
    return source


def _bad_certificates(answers: Sequence[Fetched], prefixes: tuple[str, ...]) -> list[Finding]:
    return [
        found("G3", each.url.partition("?")[0], each.problem)
        for each in answers
        if each.is_certificate and each.url.startswith(tuple(f"https://{prefix}" for prefix in prefixes))
    ]
