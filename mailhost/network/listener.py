"""A port that accepts: who may come in, what happens to those who should not, and how it ends.

Each connection that opens becomes one task running the service's handler. A mistake in it ends that session alone.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from mailhost.errors import MailhostError
from mailhost.limits import Places
from mailhost.network.addresses import household
from mailhost.network.crowd import Crowd
from mailhost.network.misdirected import Service, judge
from mailhost.network.stream import Deadlines, Stream
from mailhost.network.trouble import Kind, Trouble
from mailhost.observe import logger

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Handler = Callable[[Stream], Awaitable[None]]

log = logger()

_BACKLOG: Final = 1024
_REFUSALS: Final = 16


class CannotListen(MailhostError):
    """A port cannot be opened; the words say why and what to do."""


@dataclass(slots=True)
class Admission:
    """What all listeners of a process share: how many connections there may be, and who hears of their troubles.

    The numbers hold for all processes of a crowd together.
    """

    per_address: int
    in_all: int
    proxies: Sequence[Network] = ()  # who may say, by a PROXY header, for whom it speaks; and then has to
    crowd: Crowd = field(default_factory=Crowd)
    process: int = 0
    tell: Callable[[Trouble], None] | None = None  # who hears of connections that come to nothing
    listeners: list[Listener] = field(default_factory=list)
    sessions: Places[str] = field(init=False)
    refusals: Places[str] = field(init=False)  # those who are told that they are too many
    _open: Places[None] = field(init=False)

    def __post_init__(self) -> None:
        crowd, process = self.crowd, self.process
        self.sessions = Places(self.per_address, crowd.sessions, process)
        self.refusals = Places(min(self.per_address, _REFUSALS), crowd.refusals, process)
        self._open = Places(self.in_all, crowd.open, process)

    def is_proxy(self, address: str) -> bool:
        """Whether a PROXY header must come from there."""
        return bool(self.proxies) and any(ipaddress.ip_address(address) in network for network in self.proxies)

    def enter(self) -> bool:
        """Count one connection; False, and nothing counted, when there are enough in all."""
        return self._open.take(None)

    def leave(self) -> None:
        """Undo `enter`."""
        self._open.give_back(None)

    def pass_on(self, listener: Listener, stream: Stream) -> bool:
        """Give a newcomer to a process that is less busy, if there is one; our end of it is to be dropped then."""
        other = self.crowd.less_busy(self.process)
        return other is not None and self.crowd.hand_over(other, self.listeners.index(listener), stream.socket.fileno())

    def adopt(self) -> None:
        """Take in those whom other processes passed on; called when the crowd's `ears` are readable."""
        for number, accepted in self.crowd.handed_over(self.process):
            self.listeners[number].adopt(accepted)


class Listener:
    """One service on one port, on every address it is given."""

    def __init__(
        self,
        service: Service,
        handler: Handler,
        admission: Admission,
        *,
        context: ssl.SSLContext | None = None,
        deadlines: Deadlines = Deadlines(),  # noqa: B008 - it is frozen
    ) -> None:
        """With a context TLS comes before the first byte."""
        self.port = 0
        self._service = service
        self._handler = handler
        self._admission = admission
        self._context = context
        self._deadlines = deadlines
        self._servers: list[asyncio.Server] = []
        self._visitors: dict[Stream, _Visitor] = {}
        self._sessions: set[asyncio.Task[None]] = set()
        self._adoptions: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._is_crowded = admission.crowd.processes > 1
        admission.listeners.append(self)

    # Opening and ending

    async def open(self, hosts: Sequence[str], port: int) -> None:
        """Accept connections from now on; as `bind_all` and `accept_on`. Raises CannotListen."""
        await self.accept_on(bind_all(hosts, port))

    async def accept_on(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on sockets of `bind_all`, which are the listener's from now on."""
        loop = asyncio.get_running_loop()
        for bound in sockets:
            self.port = bound.getsockname()[1]
            self._servers.append(
                await loop.create_server(
                    lambda: Stream(self, self._deadlines, self._context), sock=bound, backlog=_BACKLOG
                )
            )
        log.debug("listener.opened", service=self._service.value, port=self.port, tls=self._context is not None)

    def adopt(self, accepted: socket.socket) -> None:
        """Serve a connection that another process accepted."""
        stream = Stream(self, self._deadlines, self._context)
        self._visitors[stream] = _Visitor()
        task = asyncio.get_running_loop().create_task(self._connect(stream, accepted))
        self._adoptions.add(task)
        task.add_done_callback(self._adoptions.discard)

    async def _connect(self, stream: Stream, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: stream, accepted)
        except OSError:  # gone on the way
            del self._visitors[stream]
            accepted.close()

    def stop(self) -> None:
        """Accept nobody any more, and ask the sessions to end at their next good moment."""
        for server in self._servers:
            server.close()
        for stream in list(self._visitors):
            stream.draining = True
            stream.interrupt()

    async def drain(self, seconds: float) -> None:
        """After `stop`: wait for the sessions to end, and end those that do not."""
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=seconds)
        for stream in list(self._visitors):
            stream.abort()
        for task in self._sessions:
            task.cancel()
        if self._sessions:
            await asyncio.wait(self._sessions)
        if self._visitors:  # their sockets close in the next turns of the loop
            self._empty.clear()
            await self._empty.wait()

    # What streams tell

    def arrived(self, stream: Stream) -> None:
        """Count the newcomer and, unless a PROXY header has to tell who it is, let it in."""
        visitor = self._visitors.get(stream)  # there already when another process passed it on
        if visitor is None:
            visitor = self._visitors[stream] = _Visitor()
            if self._is_crowded and self._admission.pass_on(self, stream):
                stream.abort()
                return
        if not self._admission.enter():
            self._refuse(stream, Kind.FULL)
            return
        visitor.is_counted = True
        if self._admission.is_proxy(stream.peer[0]):
            stream.expect_proxy()
        else:
            self.introduced(stream)

    def introduced(self, stream: Stream) -> None:
        """Count the address; one connection too many is let in to be told so, if there are not too many such."""
        visitor = self._visitors[stream]
        home = household(stream.peer[0])
        for places in (self._admission.sessions, self._admission.refusals):
            if places.take(home):
                visitor.held = places
                return
        self._refuse(stream, Kind.TOO_MANY)

    def judge(self, stream: Stream, first: bytes) -> bytes | None:
        """Words for a client that speaks another protocol."""
        expects_tls = self._context is not None and stream.tls is None
        verdict = judge(self._service, first, expects_tls=expects_tls, connection=stream.id)
        if verdict is None:
            return None
        spoken, words = verdict
        self._tell(Kind.MISDIRECTED, stream, spoken)
        log.info(
            "connection.misdirected",
            service=self._service.value,
            port=stream.local[1],
            peer=stream.peer[0],
            connection=stream.id,
            spoken=spoken,
        )
        return words

    def opened(self, stream: Stream) -> None:
        """Begin the session."""
        visitor = self._visitors[stream]
        task = asyncio.get_running_loop().create_task(
            self._serve(stream) if visitor.held is self._admission.sessions else self._turn_away(stream)
        )
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    def failed(self, stream: Stream, reason: str) -> None:
        """Tell the operator why a connection never opened."""
        offered, host = stream.offer
        self._tell(Kind.FAILED, stream, reason)
        log.info(
            "connection.failed",
            service=self._service.value,
            port=stream.local[1],
            peer=stream.peer[0],
            connection=stream.id,
            reason=reason,
            offered=offered,
            host=host,
        )

    def gone(self, stream: Stream) -> None:
        """Give back what the connection held."""
        visitor = self._visitors.pop(stream)
        if not self._visitors:
            self._empty.set()
        if visitor.is_counted:
            self._admission.leave()
        if visitor.held is not None:
            visitor.held.give_back(household(stream.peer[0]))

    # Sessions

    async def _serve(self, stream: Stream) -> None:
        try:
            await self._handler(stream)
        except ConnectionError:
            pass  # the peer is gone in the middle of something: an end like any other
        except Exception:  # one session's trouble is nobody else's
            log.exception("session.crashed", service=self._service.value, peer=stream.peer[0], connection=stream.id)
            stream.abort()
        await stream.close()

    def _tell(self, kind: Kind, stream: Stream, detail: str = "") -> None:
        if self._admission.tell is not None:
            offered, host = stream.offer if kind is Kind.FAILED else (None, "")
            where = (self._service, stream.local[1], stream.peer[0], stream.id)
            self._admission.tell(Trouble(kind, *where, detail, offered, host))

    def _refuse(self, stream: Stream, kind: Kind) -> None:
        self._tell(kind, stream)
        log.warning("connection.refused", service=self._service.value, peer=stream.peer[0])
        stream.abort()

    async def _turn_away(self, stream: Stream) -> None:
        self._tell(Kind.TOO_MANY, stream)
        log.warning("connection.refused", service=self._service.value, peer=stream.peer[0])
        words = f"Too many connections from your address, {stream.peer[0]}. Close some, or try again in a minute."
        try:
            await stream.write(self._service.farewell(f"{words} ({stream.id})"))
        except ConnectionError:
            return
        await stream.close()


@dataclass(slots=True)
class _Visitor:
    """What a connection holds: a place among all, and one of its address, be it only to be turned away in words."""

    is_counted: bool = False
    held: Places[str] | None = None


# Sockets

_TRIES: Final = 20
_NO_SUCH_ADDRESS: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def bind_all(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """One socket for every host, all of one port; port 0 takes one that is free on each of them. Raises CannotListen.

    An IPv6 address that this machine does not have is left out, as long as another one is there.
    """
    for _ in range(_TRIES):
        sockets: list[socket.socket] = []
        chosen = port
        try:
            for host in hosts:
                try:
                    sockets.append(_bind(host, chosen))
                except OSError as error:
                    if ":" in host and error.errno in _NO_SUCH_ADDRESS and len(hosts) > 1:
                        log.warning("listener.absent", host=host, port=chosen)
                        continue
                    raise _explain(error, host, chosen) from error
                chosen = sockets[-1].getsockname()[1]
        except CannotListen:
            for bound in sockets:
                bound.close()
            if port == 0 and sockets:  # free on one host and taken on the next
                continue
            raise
        return sockets
    raise CannotListen("No port is free on all of " + ", ".join(hosts) + ".")


def _bind(host: str, port: int) -> socket.socket:
    """A socket that listens on the address; IPv6 ones are for IPv6 alone, so that both can be open side by side."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bound.family is socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)  # a second server on the same port is told so here
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def _explain(error: OSError, host: str, port: int) -> CannotListen:
    where = f"port {port} on {host}"
    match error.errno:
        case errno.EADDRINUSE:
            return CannotListen(
                f"Cannot listen on {where}: another program uses it. Stop that one, or set another port."
            )
        case errno.EACCES | errno.EPERM:
            return CannotListen(f"Cannot listen on {where}: ports below 1024 are not permitted to this user.")
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return CannotListen(f"Cannot listen on {where}: this machine does not have that address.")
        case _:
            return CannotListen(f"Cannot listen on {where}: {os.strerror(error.errno or 0)}.")
