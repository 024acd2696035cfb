"""What DNS must say about a domain so that programs find its servers (RFC 6186, RFC 8314, PACC)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mailhost.autoconfig import pacc
from mailhost.autoconfig.settings import PREFIXES, ClientSettings, Encryption, Protocol

ALIASES: Final = ("mail", "autoconfig", "autodiscover")
"""Names before a domain that may be aliases of the mail host."""
SERVICES: Final = {
    (Protocol.IMAP, Encryption.TLS): ("_imaps", 0),
    (Protocol.SMTP, Encryption.TLS): ("_submissions", 0),
    (Protocol.POP, Encryption.TLS): ("_pop3s", 10),
    (Protocol.SMTP, Encryption.STARTTLS): ("_submission", 10),
    (Protocol.IMAP, Encryption.STARTTLS): ("_imap", 10),
}
"""What is published as a service, and its priority: 0 is asked first. POP3 with STLS is not for strangers to find."""


def names(domain: str, host: str, addresses: Sequence[str]) -> list[str]:
    """Lines of a zone file for the names of our servers before a domain. `host` is the mail host, at `addresses`.

    What services lead to has addresses of its own, for it must not be an alias (RFC 2782).
    """
    lines = []
    for name in (f"{prefix}.{domain}" for prefix in PREFIXES):
        lines += [f"{name}. IN {'AAAA' if ':' in each else 'A'} {each}" for each in addresses] or [
            f"; {name}. needs the addresses of {host}, as A and AAAA"
        ]
    return [*lines, *(f"{name}. IN CNAME {host}." for p in ALIASES if (name := f"{p}.{domain}") != host)]


def services(settings: ClientSettings, web: tuple[str, int] | None = None) -> list[str]:
    """Lines of a zone file for the services of a domain. `web` is where https is served for Autodiscover."""
    lines = []
    for (protocol, encryption), (name, priority) in SERVICES.items():
        for server in settings.servers:
            if (server.protocol, server.encryption) == (protocol, encryption):
                lines.append(f"{name}._tcp.{settings.domain}. IN SRV {priority} 1 {server.port} {server.host}.")
    if all(server.protocol is not Protocol.POP for server in settings.servers):
        lines.append(f"_pop3s._tcp.{settings.domain}. IN SRV 0 0 0 .")
    if web is not None:
        lines.append(f"_autodiscover._tcp.{settings.domain}. IN SRV 0 0 {web[1]} {web[0]}.")
    return lines


def pacc_lines(settings: ClientSettings, host: str) -> list[str]:
    """Lines of a zone file for PACC: where its document is, and the digest that vouches for it."""
    domain = settings.domain
    return [
        f"ua-auto-config.{domain}. IN CNAME {host}.",
        f'_ua-auto-config.{domain}. IN TXT "{pacc.record(settings)}"',
    ]
