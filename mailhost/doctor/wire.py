"""One connection of the doctor's, on which nothing is lost: first bytes, alerts, reasons, the chain as it was sent.

It reads plain sockets and does TLS over memory BIOs, because the event loop's own TLS swallows alerts.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from enum import Enum
from typing import Final, Protocol, cast

from mailhost.doctor.world import World

_MAX_LINE: Final = 65536
_FIRST: Final = 64  # octets of the peer's first words that are kept as evidence


class Closed(ConnectionError):
    """The peer ended the connection; the words say how."""


class Silent(TimeoutError):
    """The peer said nothing in time."""


class TlsTrouble(Enum):
    """How a handshake can fail."""

    NOT_TLS = "what came is not TLS"
    CERTIFICATE = "the certificate does not hold"
    ALERT = "one side refused the handshake"
    CLOSED = "the connection ended in the handshake"
    SILENT = "no answer to the ClientHello"


class HandshakeFailed(ConnectionError):
    """TLS did not come up. `reason` is OpenSSL's word, `first` what the peer sent first, `code` of the verification."""

    def __init__(self, trouble: TlsTrouble, reason: str, first: bytes, code: int = 0) -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason
        self.first = first
        self.code = code


class _SentCertificate(Protocol):
    def public_bytes(self, encoding: int = ..., /) -> bytes:
        """In DER for encoding 2."""


class _ChainHolder(Protocol):
    def get_unverified_chain(self) -> list[_SentCertificate] | None:
        """What the peer sent, leaf first."""


class Wire:
    """A connected socket with deadlines, and TLS when asked for."""

    def __init__(self, sock: socket.socket, world: World) -> None:
        self._sock = sock
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self.first = b""
        """The first raw bytes of the peer since the connection opened, or since TLS was asked for."""

    @classmethod
    async def open(cls, world: World, address: str, port: int) -> Wire:
        """Connect. Raises OSError; Silent in time."""
        try:
            async with asyncio.timeout(world.deadlines.connect):
                return cls(await world.connect(address, port), world)
        except TimeoutError as error:
            if isinstance(error, OSError) and error.errno is not None:  # the system's own ETIMEDOUT says the same
                raise Silent(f"no answer: {error.strerror}") from error
            raise Silent(f"no answer within {world.deadlines.connect:g} s") from error

    # Reading and writing

    async def read(self, seconds: float) -> bytes:
        """What comes next. Raises Silent, Closed; HandshakeFailed for an alert that comes late (TLS 1.3)."""
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            return data
        deadline = self._loop.time() + seconds
        while True:
            raw = await self._receive(deadline)
            if self._tls is None:
                return raw
            self._incoming.write(raw)
            if plain := self._decrypt():
                return plain

    def _decrypt(self) -> bytes:
        assert self._tls is not None
        plain = bytearray()
        try:
            while piece := self._tls.read(16384):
                plain += piece
            if not plain:
                raise Closed("the server closed the connection")
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise HandshakeFailed(TlsTrouble.ALERT, error.reason or str(error), self.first) from error
        return bytes(plain)

    async def read_line(self, seconds: float) -> bytes:
        """The next line, without its end. Raises as `read` does; Closed for a line without end."""
        deadline = self._loop.time() + seconds
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _MAX_LINE:
                raise Closed("the server sends a line without end")
            held = bytes(self._buffer)
            self._buffer.clear()
            try:
                more = await self.read(max(0.001, deadline - self._loop.time()))
            finally:
                self._buffer[:0] = held
            self._buffer += more
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.rstrip(b"\r")

    async def write(self, data: bytes) -> None:
        """Send. Raises Closed, Silent."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        await self._send(data)

    async def _send(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._world.deadlines.reply):
                await self._loop.sock_sendall(self._sock, data)
        except TimeoutError as error:
            raise Silent("the server takes nothing") from error
        except OSError as error:
            raise Closed(f"the connection broke while sending: {error.strerror}") from error

    async def _receive(self, deadline: float) -> bytes:
        """Raw bytes of the peer."""
        try:
            async with asyncio.timeout_at(deadline):
                data = await self._loop.sock_recv(self._sock, 65536)
        except TimeoutError as error:
            raise Silent("nothing came in time") from error
        except OSError as error:
            raise Closed(f"the connection was reset ({error.strerror})") from error
        if not data:
            raise Closed("the server closed the connection")
        if len(self.first) < _FIRST:
            self.first += data[: _FIRST - len(self.first)]
        return data

    # TLS

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Shake hands. Raises HandshakeFailed."""
        self.first = b""
        self._buffer.clear()
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        deadline = self._loop.time() + self._world.deadlines.handshake
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._exchange(deadline)
            except ssl.SSLCertVerificationError as error:
                await self._say_last()
                failed = HandshakeFailed(
                    TlsTrouble.CERTIFICATE, error.verify_message, self.first, int(error.verify_code)
                )
                raise failed from error
            except ssl.SSLError as error:
                await self._say_last()
                trouble = TlsTrouble.ALERT if self.first[:1] in (b"\x15", b"\x16") else TlsTrouble.NOT_TLS
                raise HandshakeFailed(trouble, error.reason or str(error), self.first) from error
        if last := self._outgoing.read():
            await self._send(last)
        self._tls = tls

    async def _exchange(self, deadline: float) -> None:
        """Our bytes out, the peer's bytes in."""
        try:
            if ours := self._outgoing.read():
                await self._send(ours)
            self._incoming.write(await self._receive(deadline))
        except Silent as error:
            raise HandshakeFailed(TlsTrouble.SILENT, str(error), self.first) from error
        except Closed as error:
            raise HandshakeFailed(TlsTrouble.CLOSED, str(error), self.first) from error

    async def _say_last(self) -> None:
        with contextlib.suppress(OSError):
            await self._send(self._outgoing.read())

    @property
    def tls_words(self) -> str:
        """Version and cipher of the connection, such as `TLSv1.3 TLS_AES_256_GCM_SHA384`."""
        if self._tls is None:
            return "no TLS"
        cipher = self._tls.cipher()
        return f"{self._tls.version()} {cipher[0] if cipher else ''}".strip()

    def chain(self) -> list[bytes]:
        """The certificates as the server sent them, leaf first, in DER."""
        if self._tls is None:
            return []
        # Public from Python 3.13 on; before, the same method stands on the inner object.
        holder = cast(_ChainHolder, getattr(self._tls, "_sslobj", self._tls))
        sent = holder.get_unverified_chain() or []
        return [each if isinstance(each, bytes) else each.public_bytes(2) for each in sent]

    def close(self) -> None:
        """Hang up."""
        self._sock.close()
