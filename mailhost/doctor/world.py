"""Through what the doctor looks at the world: names, connections, authorities and the clock; tests put their own in."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mailhost.doctor.names import Resolver

Connect = Callable[[str, int], Awaitable[socket.socket]]
"""Opens a TCP connection to an IP address and a port; raises OSError as the system does."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long, in seconds, the doctor waits for each thing."""

    connect: float = 5.0
    greeting: float = 3.0
    """Before a silent server is taken for one that waits for TLS."""
    patience: float = 30.0
    """Once, for a server that is silent altogether."""
    handshake: float = 6.0
    reply: float = 10.0
    idle: float = 1.0
    """How long an IDLE after sign-in must last."""
    http: float = 5.0
    """One request of automatic set-up, as in Thunderbird."""


async def connect(address: str, port: int) -> socket.socket:
    """The system's own TCP connection. Raises OSError."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


@dataclass(slots=True)
class World:
    """What one diagnosis looks through. `authorities` is a PEM file trusted beside those of the system."""

    resolver: Resolver
    connect: Connect = connect
    authorities: Path | None = None
    deadlines: Deadlines = field(default_factory=Deadlines)
    clock: Callable[[], float] = time.time
    trusting: ssl.SSLContext | None = None
    """What `checking_context` gives; made at its first call, because reading the system's authorities takes time."""

    def now(self) -> datetime:
        """The time of this device."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def checking_context(self) -> ssl.SSLContext:
        """Checks chain and name, TLS 1.2 or newer: what mail programs do. Raises OSError for an unusable file."""
        if self.trusting is None:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.authorities is not None:
                context.load_verify_locations(self.authorities)
            self.trusting = context
        return self.trusting


def looking_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Checks nothing, so that a bad certificate can be looked at; no secret may be sent through it.

    With `version` it speaks that one alone, old ones included.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():  # Python warns of old versions, and to find out about them is the purpose here
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = version or ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version or ssl.TLSVersion.MAXIMUM_SUPPORTED
    return context
