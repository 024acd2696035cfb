"""The records of a domain, as this server is set up."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address

from mailhost import domains
from mailhost.app.services import Services
from mailhost.app.settings import desk_of
from mailhost.autoconfig import records as lines
from mailhost.config import Ports
from mailhost.domains import NoSuchDomain
from mailhost.web.setup import Facts


async def wanted_records(store: Services, domain: str) -> list[str]:
    """Raises NoSuchDomain."""
    first = await store.database.read(domains.list_domains, 1)
    ports = {port: getattr(store.config.ports, port) for port in Ports.__struct_fields__}
    named = store.config.host_name
    facts = Facts("localhost", first[0].name if first else domain, ports, None, is_local=False, name=named)
    settings = await desk_of(store, facts).settings(domain)
    if settings is None:
        raise NoSuchDomain(f"The domain {domain} is not one of ours.")
    host = facts.web_host
    return [
        f"{domain}. IN MX 10 {host}.",
        f'{domain}. IN TXT "v=spf1 mx -all"',
        f'_dmarc.{domain}. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@{domain}"',
        *lines.names(domain, host, _addresses(host)),
        *lines.services(settings, (host, facts.ports["https"])),
        *lines.pacc_lines(settings, host),
    ]


def _addresses(host: str) -> Sequence[str]:
    """Where the mail host is, as the system's resolver knows."""
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except OSError:
        return []
    known = {str(address[0]) for *_, address in found}  # of its own name a machine often knows but a loopback address
    return sorted((each for each in known if not ip_address(each).is_loopback), key=lambda text: (":" in text, text))
