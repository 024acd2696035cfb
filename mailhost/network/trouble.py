"""What went wrong with a connection before its session began, for whoever keeps a diary of it."""

from dataclasses import dataclass
from enum import Enum, auto

from mailhost.network.misdirected import Service


class Kind(Enum):
    """How far the connection came."""

    FAILED = auto()
    """TLS or the PROXY header went wrong; the detail is the reason, such as UNSUPPORTED_PROTOCOL."""
    MISDIRECTED = auto()
    """It spoke another protocol than the port does; the detail is which."""
    TOO_MANY = auto()
    """Its address has as many connections as it may."""
    FULL = auto()
    """There were as many connections as may be in all."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One such connection. `offered` is the TLS version that a failed handshake offered, `host` the name it asked for,
    where it came so far."""

    kind: Kind
    service: Service
    port: int
    peer: str
    connection_id: str
    detail: str = ""
    offered: str | None = None
    host: str = ""
