"""What a person types into a mail program to reach this server: one table, for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROWS: Final = (  # name in the settings, what people call it, host name before the domain, encryption, sign-in
    ("imaps", "IMAP", "imap", "SSL/TLS", "app password"),
    ("imap", "IMAP", "imap", "STARTTLS", "app password"),
    ("pop3s", "POP3", "pop", "SSL/TLS", "app password"),
    ("pop3", "POP3", "pop", "STARTTLS", "app password"),
    ("submissions", "SMTP (sending)", "smtp", "SSL/TLS", "app password"),
    ("submission", "SMTP (sending)", "smtp", "STARTTLS", "app password"),
)
_ROWS_OF_SERVERS: Final = (
    ("smtp", "SMTP (from other servers)", "mail", "STARTTLS", "none"),
    ("lmtp", "LMTP (this machine only)", "", "none", "none"),
    ("http", "HTTP (help and this table)", "mail", "none", "none"),
)
_LOCAL: Final = "localhost"


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

    @property
    def help_url(self) -> str:
        """Where answers of the mail protocols send people to."""
        port = self.ports.get("http", 80)
        return f"http://{self._name('mail')}{'' if port == 80 else f':{port}'}/help"

    def rows(self, *, for_servers: bool = False) -> list[Row]:
        """Those for mail programs, best first; `for_servers` adds the others."""
        table = (*_ROWS, *_ROWS_OF_SERVERS) if for_servers else _ROWS
        return [
            Row(service, self._name(prefix), self.ports[key], encryption, sign_in)
            for key, service, prefix, encryption, sign_in in table
            if key in self.ports
        ]

    def _name(self, prefix: str) -> str:
        return _LOCAL if self.is_local or not prefix else f"{prefix}.{self.domain}"
