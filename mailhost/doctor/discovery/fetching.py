"""One HTTP request over the doctor's own connections, so that it is known how it failed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

import h11

from mailhost.doctor.targets import is_host
from mailhost.doctor.wire import Closed, HandshakeFailed, Silent, TlsTrouble, Wire
from mailhost.doctor.world import World

_MAX_BODY: Final = 65536
_MAX_REDIRECTS: Final = 3


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of a request. `status` is 0 when no answer came, and `problem` says why."""

    url: str
    status: int = 0
    content_type: str = ""
    body: bytes = b""
    location: str = ""
    problem: str = ""
    is_certificate: bool = False
    """The server was there, and its certificate does not hold."""

    def __str__(self) -> str:
        if self.problem:
            return f"{self.url}: {self.problem}"
        kind = f", {self.content_type}" if self.content_type else ""
        return f"{self.url}: {self.status}{kind}"


async def fetch(world: World, url: str, *, method: str = "GET", body: bytes = b"", kind: str = "") -> Fetched:
    """One request within its time; redirects are followed a few times. Never raises for what the network does."""
    try:
        async with asyncio.timeout(world.deadlines.http):
            fetched = await _once(world, url, method, body, kind)
            for _ in range(_MAX_REDIRECTS):
                if not fetched.location:
                    break
                fetched = await _once(world, _joined(fetched), method, body, kind)
            return fetched
    except TimeoutError:
        return Fetched(url, problem=f"no answer within {world.deadlines.http:g} s")


def _joined(redirect: Fetched) -> str:
    """Where a redirect leads, as a whole address; what cannot be one stays as it is."""
    try:
        return urljoin(redirect.url, redirect.location)
    except ValueError:
        return redirect.location


async def _once(world: World, url: str, method: str, body: bytes, kind: str) -> Fetched:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port = "", 0
    if not is_host(host) or parts.scheme not in ("http", "https"):
        return Fetched(url, problem="it leads to what is no web address")
    addresses = await world.resolver.addresses(host)
    if not addresses.all:
        said = addresses.answers[0].status.value if addresses.answers else "no address"
        return Fetched(url, problem=said)
    try:
        wire = await Wire.open(world, addresses.all[0], port)
    except OSError as error:
        return Fetched(url, problem=error.strerror or str(error))
    try:
        if parts.scheme == "https":
            await wire.start_tls(world.checking_context(), host)
        return await _exchange(world, wire, url, method, body, kind)
    except HandshakeFailed as failed:
        is_certificate = failed.trouble is TlsTrouble.CERTIFICATE
        return Fetched(url, problem=f"TLS: {failed.reason}", is_certificate=is_certificate)
    except (Closed, Silent, h11.ProtocolError) as error:
        return Fetched(url, problem=str(error))
    finally:
        wire.close()


async def _exchange(world: World, wire: Wire, url: str, method: str, body: bytes, kind: str) -> Fetched:
    parts = urlsplit(url)
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_BODY)
    fields = [("host", parts.netloc), ("user-agent", "mailhost-doctor"), ("accept", "*/*"), ("connection", "close")]
    if body:
        fields += [("content-type", kind), ("content-length", str(len(body)))]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = connection.send(h11.Request(method=method, target=target, headers=fields)) or b""
    request += (connection.send(h11.Data(data=body)) or b"") if body else b""
    await wire.write(request + (connection.send(h11.EndOfMessage()) or b""))
    status, content_type, location, content = 0, "", "", bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            try:
                connection.receive_data(await wire.read(world.deadlines.http))
            except Closed:
                connection.receive_data(b"")
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in event.headers}
            content_type = headers.get("content-type", "")
            location = headers.get("location", "") if 300 <= status < 400 else ""
        elif isinstance(event, h11.Data):
            content += event.data
            if len(content) > _MAX_BODY:
                return Fetched(url, status, content_type, problem="the answer is longer than 64 KiB")
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return Fetched(url, status, content_type, bytes(content), location)
