"""What a mail program is set to: protocol, host, port and encryption; and the ports that usually go with them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from mailhost.autoconfig.settings import Encryption, Protocol
from mailhost.errors import MailhostError

__all__ = ["PORTS", "BadSetting", "Encryption", "Protocol", "Target", "is_host", "port_of", "usual_encryption"]


class BadSetting(MailhostError):
    """The text does not say a server; the message says how one is written."""


_USUAL: Final[dict[int, tuple[Protocol, Encryption]]] = {
    993: (Protocol.IMAP, Encryption.TLS),
    143: (Protocol.IMAP, Encryption.STARTTLS),
    995: (Protocol.POP, Encryption.TLS),
    110: (Protocol.POP, Encryption.STARTTLS),
    465: (Protocol.SMTP, Encryption.TLS),
    587: (Protocol.SMTP, Encryption.STARTTLS),
    25: (Protocol.SMTP, Encryption.STARTTLS),
}
_SETTING: Final = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[^\s:/\[\]]+)(?::(?P<port>[0-9]{1,5}))?(?:/(?P<encryption>[a-z]+))?", re.IGNORECASE
)
PORTS: Final = tuple(_USUAL)
"""The ports of mail, best first for each protocol."""


_HOST: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*", re.IGNORECASE
)
_PORT: Final = re.compile(r"[0-9]{1,5}")


def is_host(text: str) -> bool:
    """Whether a text that came from somewhere can be asked about: a host name in ASCII, or an IPv4 address."""
    return _HOST.fullmatch(text) is not None


def port_of(text: str) -> int:
    """The port that a text says, 0 for what is none."""
    number = int(text) if _PORT.fullmatch(text) else 0
    return number if number < 65536 else 0


def usual_encryption(port: int) -> Encryption | None:
    """What speaks on this port everywhere, or None."""
    usual = _USUAL.get(port)
    return usual[1] if usual else None


@dataclass(frozen=True, slots=True)
class Target:
    """One server as a program is set to it. `host` is a name in ASCII or an IP address without brackets."""

    protocol: Protocol
    host: str
    port: int
    encryption: Encryption

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol.value.upper()} {host}:{self.port} {self.encryption.label}"


def parse_target(protocol: Protocol, text: str) -> Target:
    """`host`, `host:port` or `host:port/encryption`; what is left out is as usual. Raises BadSetting."""
    words = f"{text!r} is no server: write HOST, HOST:PORT or HOST:PORT/tls, /starttls or /none."
    found = _SETTING.fullmatch(text.strip())
    if found is None:
        raise BadSetting(words)
    try:
        named = Encryption(found["encryption"].lower()) if found["encryption"] else None
    except ValueError as error:
        raise BadSetting(words) from error
    port = port_of(found["port"]) if found["port"] else _usual_port(protocol, named or Encryption.TLS)
    host = found["host"].strip("[]").lower().removesuffix(".")
    if not port or not (is_host(host) or _is_address(host)):
        raise BadSetting(words)
    return Target(protocol, host, port, named or usual_encryption(port) or Encryption.TLS)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _usual_port(protocol: Protocol, encryption: Encryption) -> int:
    if encryption is Encryption.NONE:
        encryption = Encryption.STARTTLS
    return next(port for port, usual in _USUAL.items() if usual == (protocol, encryption))
