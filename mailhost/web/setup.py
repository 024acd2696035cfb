"""What a person types into a mail program to reach this server: one table, for the page and for the terminal."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailhost.autoconfig.settings import LOCAL, Protocol, client_settings
from mailhost.language import N_

NAMES: Final = {Protocol.IMAP: "IMAP", Protocol.POP: "POP3", Protocol.SMTP: N_("SMTP (sending)")}
"""What people call the protocols."""
UNUSUAL: Final = "/account/unusual"
"""Where owners say of a sign-in that was held whether it was theirs."""
_ROWS_OF_SERVERS: Final = (  # name in the settings, what people call it, host name before the domain, …
    ("smtp", "SMTP (from other servers)", "mail", "STARTTLS", "none"),
    ("lmtp", "LMTP (this machine only)", "", "none", "none"),
    ("http", "HTTP (help and this table)", "mail", "none", "none"),
    ("https", "HTTPS (accounts)", "mail", "SSL/TLS", "account"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One way to reach the server."""

    service: str
    host: str
    port: int
    encryption: str
    sign_in: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Where the server is: a name that reaches it from this machine, its first domain, its ports (filled as they open).

    `authority` is the file of our own certificate authority, None where the operator brought a certificate.
    """

    host: str
    domain: str
    ports: Mapping[str, int]
    authority: Path | None
    is_local: bool = True  # listens on this machine alone, where the domain's names need not lead to it
    name: str = ""  # what the operator calls the host; mail.DOMAIN if empty

    @property
    def web_host(self) -> str:
        """The one name under which people find our pages."""
        return LOCAL if self.is_local else self.name or self._name("mail")

    @property
    def base_url(self) -> str:
        """Where people look after their accounts: `https://mail.example.org`, with the port where it is not 443."""
        return self._url("https", 443)

    def base_url_from(self, host: str) -> str:
        """Likewise, for who came to `host`: an address is kept, as our name may not lead here yet."""
        try:
            found = ipaddress.ip_address(host)
        except ValueError:
            return self.base_url
        return self._url("https", 443, f"[{found}]" if found.version == 6 else str(found))

    @property
    def unusual_url(self) -> str:
        """Where those are sent whose sign-in is held."""
        return self.base_url + UNUSUAL

    @property
    def help_url(self) -> str:
        """Where answers of the mail protocols send people to: without TLS, as it may be TLS that fails."""
        return self._url("http", 80) + "/help"

    def _url(self, scheme: str, usual: int, host: str = "") -> str:
        port = self.ports.get(scheme, usual)
        return f"{scheme}://{host or self.web_host}{'' if port == usual else f':{port}'}"

    def rows(self, *, for_servers: bool = False) -> list[Row]:
        """Those for mail programs, best first; `for_servers` adds the others."""
        settings = client_settings(self.domain, self.ports, self._name)
        rows = [
            Row(NAMES[each.protocol], each.host, each.port, each.encryption.label, "app password")
            for each in settings.servers
        ]
        return rows + [
            Row(service, self._name(prefix), self.ports[key], encryption, sign_in)
            for key, service, prefix, encryption, sign_in in _ROWS_OF_SERVERS
            if for_servers and key in self.ports
        ]

    def _name(self, prefix: str) -> str:
        return LOCAL if self.is_local or not prefix else f"{prefix}.{self.domain}"
