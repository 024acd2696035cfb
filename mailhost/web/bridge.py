"""HTTP/1.1 over our Stream, for an ASGI application: h11 reads and writes the bytes, this file moves them.

So the web has the same deadlines, caps, back-pressure and TLS as mail has, and no second server inside.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

import h11
from starlette.types import ASGIApp, Message, Scope

from mailhost import observe
from mailhost.network.stream import Stream

log = observe.logger()

MAX_HEAD: Final = 16384  # octets of a request line and its header fields
MAX_BODY: Final = 65536
_REQUEST_SECONDS: Final = 20.0  # for one request, from its first byte to the last of its body
_IDLE_SECONDS: Final = 30.0  # for the first byte of the next one


class HttpServer:
    """Serves an ASGI application, each client in the task that the listener made for it."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def serve(self, stream: Stream) -> None:
        """The requests of one connection, one after the other, until either side ends it."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        reader = _Reader(stream, connection)
        try:
            while (request := await reader.next_request()) is not None:
                exchange = _Exchange(stream, connection, reader, request)
                await exchange.run(self._application)
                if connection.our_state in (h11.MUST_CLOSE, h11.ERROR) or stream.draining:
                    return
                await reader.skip_body()
                connection.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await _refuse(stream, connection, error.error_status_hint)
        except TimeoutError:
            await _refuse(stream, connection, 408)


class _Reader:
    """Events of the client, each within its time."""

    def __init__(self, stream: Stream, connection: h11.Connection) -> None:
        self._stream = stream
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._deadline = 0.0
        self._body_left = 0

    async def next_request(self) -> h11.Request | None:
        """The next request, or None when there will be none. Raises TimeoutError, RemoteProtocolError."""
        self._body_left = MAX_BODY
        self._deadline = self._loop.time() + _REQUEST_SECONDS
        if not self._connection.trailing_data[0]:
            try:
                data = await self._stream.read(_IDLE_SECONDS)
            except TimeoutError:
                return None
            if not data:
                return None
            self._connection.receive_data(data)
            self._deadline = self._loop.time() + _REQUEST_SECONDS
        event = await self._next_event()
        return event if isinstance(event, h11.Request) else None

    async def next_piece(self) -> bytes | None:
        """A piece of the request's body; None at its end. Raises as `next_request` does, for too large ones as well."""
        event = await self._next_event()
        if not isinstance(event, h11.Data):
            return None
        self._body_left -= len(event.data)
        if self._body_left < 0:
            raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        return bytes(event.data)

    async def skip_body(self) -> None:
        """What the application did not ask for."""
        while self._connection.their_state is h11.SEND_BODY and await self.next_piece() is not None:
            pass

    async def _next_event(self) -> object:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            if self._connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self._stream.write(self._connection.send(go_on) or b"")
            data = await self._stream.read(max(0.001, self._deadline - self._loop.time()))
            if data is not None:  # an interruption is no news here: draining waits for the response
                self._connection.receive_data(data)
        return event


class _Exchange:
    """One request and its response, as the application sees them."""

    def __init__(self, stream: Stream, connection: h11.Connection, reader: _Reader, request: h11.Request) -> None:
        self._stream = stream
        self._connection = connection
        self._reader = reader
        self._request = request
        self._has_started = False

    async def run(self, application: ASGIApp) -> None:
        """Call the application; its mistake becomes a 500, or the end of the connection."""
        try:
            await application(self._scope(), self._receive, self._send)
        except (ConnectionError, TimeoutError, h11.RemoteProtocolError):
            raise
        except Exception:
            log.exception("session.crashed", protocol="http", connection=self._stream.id)
            await _refuse(self._stream, self._connection, 500)
            return
        if self._connection.our_state is h11.SEND_BODY or self._connection.our_state is h11.SEND_RESPONSE:
            await _refuse(self._stream, self._connection, 500)  # it left without saying all

    def _scope(self) -> Scope:
        path, _, query = self._request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self._request.http_version.decode("ascii"),
            "method": self._request.method.decode("ascii"),
            "scheme": "https" if self._stream.tls else "http",
            "path": _unquoted(path),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(self._request.headers),
            "client": self._stream.peer,
            "server": self._stream.local,
            "state": {"connection_id": self._stream.id, "tls": self._stream.tls},
        }

    async def _receive(self) -> Message:
        if self._connection.their_state is not h11.SEND_BODY:
            return {"type": "http.disconnect"} if self._has_started else {"type": "http.request", "body": b""}
        piece = await self._reader.next_piece()
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_started = True
            fields = [*message.get("headers", ()), (b"date", formatdate(usegmt=True).encode())]
            if self._stream.draining:
                fields.append((b"connection", b"close"))
            response = _response(message["status"], fields)
            await self._stream.write(self._connection.send(response) or b"")
            return
        body, data = message.get("body", b""), b""
        if body and self._request.method != b"HEAD":
            data += self._connection.send(h11.Data(data=body)) or b""
        if not message.get("more_body", False):
            data += self._connection.send(h11.EndOfMessage()) or b""
        if data:
            await self._stream.write(data)


async def _refuse(stream: Stream, connection: h11.Connection, status: int) -> None:
    """Answer by ourselves, if no answer began, and have the connection end."""
    if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
        words = f"{status}\n".encode()
        fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(words)), (b"connection", b"close")]
        data = connection.send(_response(status, fields)) or b""
        await stream.write(data + words)
    connection.send_failed()


def _response(status: int, fields: list[tuple[bytes, bytes]]) -> h11.Response:
    return h11.Response(status_code=status, headers=fields, reason=HTTPStatus(status).phrase)


def _unquoted(path: bytes) -> str:
    return unquote_to_bytes(path).decode("utf-8", "replace")
