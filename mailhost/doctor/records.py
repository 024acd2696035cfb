"""The DNS records of a mail domain: what is wrong with them, and the lines of a zone file that mend it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from mailhost.autoconfig import records
from mailhost.autoconfig.records import ALIASES
from mailhost.autoconfig.settings import PREFIXES, client_settings
from mailhost.doctor.catalogue import found
from mailhost.doctor.names import Answer, Resolver, Status
from mailhost.findings import Finding, Severity

_PORTS: Final = {"imaps": 993, "pop3s": 995, "submissions": 465, "submission": 587}
GUESSED_NAMES: Final = (*PREFIXES, *ALIASES)
"""Names in front of a domain that programs try or ask."""


@dataclass(frozen=True, slots=True)
class Check:
    """What is wrong, and the lines of a zone file that mend it."""

    findings: tuple[Finding, ...] = ()
    records: tuple[str, ...] = ()


async def check_records(resolver: Resolver, domain: str, host: str) -> Check:
    """Everything that senders, receivers and programs look up; `host` is the mail host's name, "" if unknown."""
    checks = await asyncio.gather(
        _exchangers(resolver, domain, host),
        _sender_policy(resolver, domain, host),
        _dmarc(resolver, domain),
        _keys(resolver, domain),
        _transport_policy(resolver, domain),
        _names(resolver, domain, host),
        _services(resolver, domain),
    )
    return Check(
        tuple(finding for check in checks for finding in check.findings),
        tuple(record for check in checks for record in check.records),
    )


def _check(leaf: str, domain: str, evidence: list[str], *records: str, severity: Severity | None = None) -> Check:
    return Check((found(leaf, domain, *evidence, severity=severity),), records)


async def _exchangers(resolver: Resolver, domain: str, host: str) -> Check:
    answer = await resolver.query(domain, "MX")
    wanted = f"{domain}. IN MX 10 {host or 'mail.' + domain}."
    if answer.status is not Status.FOUND:
        return _check("H1", domain, [str(answer)], wanted)
    exchangers = [record.split()[1] for record in answer.records if len(record.split()) == 2]
    troubles = [
        *await asyncio.gather(*(_alias_trouble(resolver, each) for each in exchangers)),
        "" if not host or host in exchangers else f"none of them is {host}",
    ]
    evidence = [trouble for trouble in troubles if trouble]
    is_broken = len(evidence) >= len(exchangers)
    severity = Severity.ERROR if is_broken else Severity.WARNING
    return _check("H1", domain, [str(answer), *evidence], wanted, severity=severity) if evidence else Check()


async def _alias_trouble(resolver: Resolver, host: str) -> str:
    alias, addresses = await asyncio.gather(resolver.query(host, "CNAME"), resolver.addresses(host))
    if alias.records:
        return f"{host} is an alias (CNAME)"
    return "" if addresses.all else f"{host} has no address"


async def _sender_policy(resolver: Resolver, domain: str, host: str) -> Check:
    answer = await resolver.query(domain, "TXT")
    policies = [each for each in answer.records if each.lower().startswith("v=spf1")]
    wanted = f'{domain}. IN TXT "v=spf1 mx -all"' if host else f'{domain}. IN TXT "v=spf1 mx ~all"'
    if len(policies) > 1:
        return _check("H2", domain, ["more than one SPF record", *policies], wanted)
    if not policies:
        return _check("H2", domain, [f"no TXT record of {domain} begins with v=spf1"], wanted)
    if policies[0].lower().split()[-1] in ("+all", "all"):
        return _check("H2", domain, [policies[0], "it lets everybody send"], wanted)
    return Check()


async def _dmarc(resolver: Resolver, domain: str) -> Check:
    answer = await resolver.query(f"_dmarc.{domain}", "TXT")
    policies = [each for each in answer.records if each.startswith("v=DMARC1")]
    wanted = f'_dmarc.{domain}. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@{domain}"'
    if len(policies) != 1:
        said = "more than one DMARC record" if policies else str(answer)
        return _check("H3", f"_dmarc.{domain}", [said], wanted)
    tags = dict(part.strip().partition("=")[::2] for part in policies[0].split(";") if "=" in part)
    if tags.get("p", "").strip() not in ("none", "quarantine", "reject"):
        return _check("H3", f"_dmarc.{domain}", [policies[0], "it has no policy (p=)"], wanted)
    return Check()


async def _keys(resolver: Resolver, domain: str) -> Check:
    """Selectors are anybody's choice; but a domain with any key under _domainkey has that name, too (RFC 8020)."""
    answer = await resolver.query(f"_domainkey.{domain}", "TXT")
    return _check("H7", f"_domainkey.{domain}", [str(answer)]) if answer.status is Status.NO_NAME else Check()


async def _transport_policy(resolver: Resolver, domain: str) -> Check:
    answer = await resolver.query(f"_mta-sts.{domain}", "TXT")
    if any(each.startswith("v=STSv1") for each in answer.records):
        return Check()
    return _check("H4", f"_mta-sts.{domain}", [str(answer)])


async def _names(resolver: Resolver, domain: str, host: str) -> Check:
    names = [f"{prefix}.{domain}" for prefix in GUESSED_NAMES]
    known = await asyncio.gather(*map(resolver.addresses, names))
    missing = {name for name, addresses in zip(names, known, strict=True) if not addresses.all}
    if not missing:
        return Check()
    exchanger = host or f"mail.{domain}"
    addresses = await resolver.addresses(exchanger)
    lines = records.names(domain, exchanger, addresses.all)
    wanted = [line for line in lines if line.removeprefix("; ").split()[0].rstrip(".") in missing]
    return _check("H5", domain, [f"no address: {', '.join(sorted(missing, key=names.index))}"], *wanted)


async def _services(resolver: Resolver, domain: str) -> Check:
    wanted = records.services(client_settings(domain, _PORTS, lambda prefix: f"{prefix}.{domain}"))
    lines = {line.split()[0].rstrip("."): line for line in wanted}
    answers: list[Answer] = await asyncio.gather(*(resolver.query(name, "SRV") for name in lines))
    missing = [name for name, answer in zip(lines, answers, strict=True) if answer.status is not Status.FOUND]
    if not missing:
        return Check()
    return _check("H6", domain, [f"missing: {', '.join(missing)}"], *(lines[name] for name in missing))
