"""Everything that can be set, with its default and, as its description, the comment that stands in mailhost.toml."""

from __future__ import annotations

import ipaddress
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct, field

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]

PASSWORD_VARIABLE: Final = "MAILHOST_SMARTHOST_PASSWORD"  # noqa: S105 - the name of a variable


class LogLevel(Enum):
    """Below which events are not told."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class AccountLayout(Enum):
    """How accounts show their mail."""

    CLASSIC = "classic"
    GMAIL = "gmail"


class SmarthostTls(Enum):
    """How the connection to the smarthost is secured."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


class Ports(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where each service listens. 0 takes any free port. A port below 1024 that this user may not open is replaced by
    the one 1000 higher: 1993 for 993, 1143 for 143 and so on."""

    imap: Annotated[Port, Meta(description="IMAP, with STARTTLS")] = 143
    imaps: Annotated[Port, Meta(description="IMAP in TLS")] = 993
    pop3: Annotated[Port, Meta(description="POP3, with STLS")] = 110
    pop3s: Annotated[Port, Meta(description="POP3 in TLS")] = 995
    submission: Annotated[Port, Meta(description="sending, with STARTTLS")] = 587
    submissions: Annotated[Port, Meta(description="sending, in TLS")] = 465
    smtp: Annotated[Port, Meta(description="mail from other servers (MX)")] = 25
    lmtp: Annotated[Port, Meta(description="mail from programs of this machine, which need no password for it")] = 24
    http: Annotated[Port, Meta(description="the set-up page")] = 80
    https: Annotated[Port, Meta(description="the pages on which people look after their accounts")] = 443


class Tls(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The certificate. Without one of your own and without `acme`, Mailhost makes an authority and a certificate in the
    data folder. What is new is served within seconds, without a restart."""

    certificate: Annotated[str, Meta(description="your own certificate chain, a PEM file")] = ""
    key: Annotated[str, Meta(description="its key, a PEM file")] = ""
    acme: Annotated[
        str,
        Meta(
            description="the authority that gives certificates by itself (ACME): "
            '"letsencrypt", "letsencrypt-staging", or the https address of its directory'
        ),
    ] = ""
    acme_contact: Annotated[str, Meta(description="the mail address at which it reaches you")] = ""
    acme_terms_agreed: Annotated[bool, Meta(description="you have read its terms, and agree to them")] = False


class Smarthost(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The server that carries mail for everybody who is not here. Without one, such mail is refused. The password comes
    from the environment variable MAILHOST_SMARTHOST_PASSWORD."""

    host: Annotated[str, Meta(description="its name")] = ""
    port: Annotated[Port, Meta(description="its port")] = 587
    tls: Annotated[SmarthostTls, Meta(description='"starttls", "implicit" (port 465) or "none"')] = (
        SmarthostTls.STARTTLS
    )
    user: Annotated[str, Meta(description="the name to sign in with; without one there is no sign-in")] = ""


class Limits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much is too much."""

    connections: Annotated[Count, Meta(description="connections at a time, in all")] = 20_000
    connections_per_address: Annotated[Count, Meta(description="… and from one address (IPv6: one /64)")] = 50
    imap_sessions_per_account: Annotated[Count, Meta(description="IMAP sessions of one account at a time")] = 15
    imap_download_a_day: Annotated[Count, Meta(description="octets one account may fetch over IMAP in a day (UTC)")] = (
        2_500_000_000
    )
    imap_upload_a_day: Annotated[Count, Meta(description="… and store over IMAP")] = 500_000_000
    pop3_download_a_day: Annotated[Count, Meta(description="… and fetch over POP3")] = 1_250_000_000
    commands_a_minute: Annotated[
        Count, Meta(description="commands of one IMAP session in a minute; stops programs that run wild")
    ] = 600_000
    wrong_passwords_per_account: Annotated[
        Count, Meta(description="different wrong passwords for one account, from one network, before waits begin")
    ] = 10
    wrong_passwords_per_network: Annotated[
        Count, Meta(description="different wrong passwords from one network before waits begin")
    ] = 50
    messages_a_day: Annotated[Count, Meta(description="messages that one account may send in 24 hours")] = 500
    message_octets: Annotated[Count, Meta(description="the largest message")] = 50 * 1024 * 1024
    quota_octets: Annotated[Count, Meta(description="room of a new account")] = 15 * 1024**3
    handshake_seconds: Annotated[Seconds, Meta(description="for a TLS handshake or a PROXY header")] = 20.0
    write_seconds: Annotated[Seconds, Meta(description="for a client to take 64 KiB from us")] = 60.0
    drain_seconds: Annotated[Seconds, Meta(description="for sessions to end when the server stops")] = 10.0


RELAXED: Final[dict[str, int]] = {
    "connections_per_address": 250,
    "imap_sessions_per_account": 30,
    "imap_download_a_day": 10**15,
    "imap_upload_a_day": 10**15,
    "pop3_download_a_day": 10**15,
    "commands_a_minute": 10**9,
    "wrong_passwords_per_account": 240,
    "wrong_passwords_per_network": 240,
    "messages_a_day": 100_000,
}
"""The limits of a demonstration, where a whole test rig comes from one address. A limit in the file goes first."""


ACME_DIRECTORIES: Final[dict[str, str]] = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""Short names of authorities."""


def name_server(text: str) -> tuple[str, int]:
    """Address and port of `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Raises ValueError."""
    host, port = (text, "53") if text.count(":") != 1 and "]:" not in text else text.rsplit(":", 1)
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError:
        raise ValueError(f"{text!r} is no address of a name server") from None


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Mailhost's settings."""

    host_name: Annotated[
        str, Meta(description="our name in greetings and trace fields; mail.DOMAIN of the first domain if empty")
    ] = ""
    listen: Annotated[
        tuple[str, ...], Meta(description='addresses to listen on; ["0.0.0.0", "::"] is every one of this machine')
    ] = ("127.0.0.1", "::1")
    proxies: Annotated[
        tuple[str, ...],
        Meta(description="networks of load balancers, who must begin each connection with PROXY v1 or v2"),
    ] = ()
    database: Annotated[
        str, Meta(description="postgresql://user@host/name; a SQLite file in the data folder if empty")
    ] = ""
    resolver: Annotated[
        str, Meta(description="the name server to ask, ADDRESS or ADDRESS:PORT; those of the system if empty")
    ] = ""
    doctor_anywhere: Annotated[
        bool, Meta(description="let the doctor's page look at private addresses and at any port, too")
    ] = False
    plaintext_sign_in: Annotated[
        bool, Meta(description="let people sign in without TLS: only where nobody listens in")
    ] = False
    layout: Annotated[
        AccountLayout,
        Meta(description='how new accounts show their mail: "classic" folders, or labels as "gmail" does'),
    ] = AccountLayout.CLASSIC
    geoip: Annotated[
        str,
        Meta(
            description="a file of places in MaxMind's format, as GeoLite2-City.mmdb: the diary names them, and "
            "journeys faster than a plane count as unusual"
        ),
    ] = ""
    oauth_registration: Annotated[
        bool, Meta(description="let programs make themselves known for OAuth (RFC 7591), without the administrator")
    ] = False
    workers: Annotated[
        int,
        Meta(ge=0, le=64, description="processes that serve clients; 0: one for each processor, four at most"),
    ] = 0
    log_level: Annotated[LogLevel, Meta(description='"debug", "info", "warning" or "error"')] = LogLevel.INFO
    demo: Annotated[bool, Meta(description="a demonstration: limits are relaxed, so that whole test rigs may come")] = (
        False
    )
    ports: Ports = field(default_factory=Ports)
    tls: Tls = field(default_factory=Tls)
    smarthost: Smarthost = field(default_factory=Smarthost)
    limits: Limits = field(default_factory=Limits)

    def name_servers(self) -> tuple[tuple[str, int], ...] | None:
        """Whom to ask about names; None for those of the system. Raises ValueError."""
        return (name_server(self.resolver),) if self.resolver else None

    @property
    def is_local(self) -> bool:
        """Whether we listen on this machine alone, where the domain's names need not lead to it."""
        return all(ip_address(host).is_loopback for host in self.listen)

    def database_url(self, data: Path) -> str:
        """Where the rows are, for a data folder."""
        return self.database or f"sqlite:///{data.absolute() / 'mailhost.db'}"
