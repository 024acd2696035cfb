"""The one source of settings: servers, encryption, sign-in and user name of a domain, from which every format is made.

No answer depends on who has an account: the same settings hold for every address of a domain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mailhost.domains import displayed_domain
from mailhost.limits import NO_RULES, Rules

LOCAL: Final = "localhost"


class Protocol(Enum):
    """What a program speaks to a server."""

    IMAP = "imap"
    POP = "pop"
    SMTP = "smtp"


class Encryption(Enum):
    """How the connection is encrypted, in the words of settings."""

    TLS = "tls"
    """From the first byte; programs call it SSL/TLS."""
    STARTTLS = "starttls"
    NONE = "none"

    @property
    def label(self) -> str:
        """As mail programs write it."""
        return {"tls": "SSL/TLS", "starttls": "STARTTLS", "none": "none"}[self.value]


@dataclass(frozen=True, slots=True)
class Door:
    """A listener for mail programs: its name in mailhost.toml, and the usual host name before the domain."""

    name: str
    protocol: Protocol
    encryption: Encryption
    prefix: str


DOORS: Final = (
    Door("imaps", Protocol.IMAP, Encryption.TLS, "imap"),
    Door("imap", Protocol.IMAP, Encryption.STARTTLS, "imap"),
    Door("pop3s", Protocol.POP, Encryption.TLS, "pop"),
    Door("pop3", Protocol.POP, Encryption.STARTTLS, "pop"),
    Door("submissions", Protocol.SMTP, Encryption.TLS, "smtp"),
    Door("submission", Protocol.SMTP, Encryption.STARTTLS, "smtp"),
)
"""Of each protocol the best first: TLS from the first byte cannot be stripped (RFC 8314 §3)."""
PREFIXES: Final = tuple(dict.fromkeys(door.prefix for door in DOORS))
"""The host names before a domain that programs are given."""


class SignIn(Enum):
    """How a program signs in."""

    PASSWORD = "password"  # noqa: S105 - an app password, over PLAIN or LOGIN
    OAUTH = "oauth"  # a token, over OAUTHBEARER or XOAUTH2


@dataclass(frozen=True, slots=True)
class Server:
    """One way to reach mail."""

    protocol: Protocol
    host: str
    port: int
    encryption: Encryption


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What holds for every address of a domain; the user name is always the whole address.

    `servers` stand as in DOORS. `site` is the https address of our pages and the OAuth issuer, without a slash at its
    end; "" without one. `has_oauth`: programs that we know may sign in with tokens; `has_registration`: programs may
    make themselves known (RFC 7591).
    """

    domain: str
    servers: tuple[Server, ...]
    site: str = ""
    has_oauth: bool = False
    has_registration: bool = False

    @property
    def name(self) -> str:
        """The domain as people write it."""
        return displayed_domain(self.domain)

    @property
    def sign_ins(self) -> tuple[SignIn, ...]:
        """Passwords first: a program that has never heard of us can use one, but no token."""
        return (SignIn.PASSWORD, SignIn.OAUTH) if self.has_oauth else (SignIn.PASSWORD,)

    def best(self, protocol: Protocol) -> Server | None:
        """The server to give to a program that takes one."""
        return next((server for server in self.servers if server.protocol is protocol), None)

    @property
    def chosen(self) -> tuple[Server, ...]:
        """The best of each protocol, those for incoming mail first."""
        return tuple(server for protocol in Protocol if (server := self.best(protocol)) is not None)


def client_settings(
    domain: str,
    ports: Mapping[str, int],
    host: Callable[[str], str],
    *,
    site: str = "",
    has_oauth: bool = False,
    has_registration: bool = False,
    rules: Rules = NO_RULES,
) -> ClientSettings:
    """The settings of a domain: `ports` by door, `host` by prefix; protocols that its rules switch off are left out."""
    allowed = {Protocol.IMAP: rules.imap, Protocol.POP: rules.pop3, Protocol.SMTP: rules.smtp}
    servers = tuple(
        Server(door.protocol, host(door.prefix), ports[door.name], door.encryption)
        for door in DOORS
        if door.name in ports and allowed[door.protocol] is not False
    )
    return ClientSettings(domain, servers, site, has_oauth and bool(site), has_registration and bool(site))


def hosts_of(domain: str, first: str, is_certified: Callable[[str], bool]) -> Callable[[str], str]:
    """Host names by prefix: the domain's own where our certificate names them, else those of our first domain.

    So nobody is sent to a name at which his program must warn of a wrong certificate.
    """

    def host(prefix: str) -> str:
        own = f"{prefix}.{domain}"
        return own if is_certified(own) else f"{prefix}.{first}"

    return host
