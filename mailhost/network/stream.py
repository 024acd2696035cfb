"""One TCP connection as sessions see it: bytes in and out, with deadlines, bounded buffers and TLS.

It is a protocol of the event loop by itself, with TLS in a layer of its own (`tls.py`): so what was pipelined behind
STARTTLS can be thrown away, the first byte of a wrong protocol can be answered, and idle connections stay small.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
import threading
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol, cast

from mailhost.network.addresses import Address, address_of
from mailhost.network.tls import RECORD, RECORD_TYPES, TlsFailed, TlsInfo, TlsLayer
from mailhost.protocols.proxy import ProxyMalformed, parse_proxy

INBOX_BOUND: Final = 65536  # octets received and not yet read; above it the kernel's window closes
OUTBOX_BOUND: Final = 65536  # octets written and not yet sent; above it `write` waits


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long, in seconds, a peer may take for a handshake, for taking 64 KiB from us, and for closing."""

    handshake: float = 20.0
    write: float = 60.0
    close: float = 2.0


class Keeper(Protocol):
    """Who a stream belongs to and who is told what becomes of it, always on the loop's thread."""

    def arrived(self, stream: Stream) -> None:
        """The TCP connection stands; nothing was read from it."""

    def introduced(self, stream: Stream) -> None:
        """The PROXY header came: `stream.peer` is the client now."""

    def judge(self, stream: Stream, first: bytes) -> bytes | None:
        """The first bytes of the peer, before TLS and inside it: the words to part with, or None to go on."""

    def opened(self, stream: Stream) -> None:
        """The stream can be read and written; TLS stands where it was asked for."""

    def failed(self, stream: Stream, reason: str) -> None:
        """The stream never opened, and why."""

    def gone(self, stream: Stream) -> None:
        """The connection is lost, whatever came before."""


class _State(Enum):
    CONNECTING = auto()
    PROXY = auto()  # a PROXY header must come first
    PLAIN = auto()
    HANDSHAKE = auto()
    SECURE = auto()
    CLOSING = auto()  # our side said its last; what still comes is thrown away
    CLOSED = auto()


class _Windows(threading.local):
    """What one loop's sockets are received into: filled and emptied between two callbacks, so one serves them all."""

    def __init__(self) -> None:
        self.plain = memoryview(bytearray(INBOX_BOUND))
        self.secure = self.plain[:RECORD]


_windows = _Windows()


class Stream(asyncio.BufferedProtocol):
    """One connection, read and written by one task at a time; `interrupt` may come from elsewhere on the loop."""

    # fmt: off
    __slots__ = (
        "__weakref__", "_cut", "_deadline", "_deadlines", "_drained", "_eof", "_failure", "_fresh", "_inbox",
        "_interrupted", "_keeper", "_loop", "_paused", "_plans", "_state", "_timer", "_timer_at", "_tls", "_transport",
        "_upgrading", "_waiter", "_window", "draining", "id", "local", "peer", "tls",
    )
    # fmt: on

    def __init__(
        self,
        keeper: Keeper,
        deadlines: Deadlines,
        context: ssl.SSLContext | None = None,
        server_name: str | None = None,
        *,
        outbound: bool = False,
    ) -> None:
        """With a context TLS comes first; `outbound` makes us the client, who checks `server_name`."""
        self.peer: Address = ("", 0)
        self.local: Address = ("", 0)
        self.tls: TlsInfo | None = None
        self.id = base64.b32encode(os.urandom(5)).decode().lower()
        self.draining = False  # the server wants to stop: end at the next good moment
        self._keeper = keeper
        self._deadlines = deadlines
        self._plans = (context, server_name, outbound)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._state = _State.CONNECTING
        self._window = _windows.plain
        self._inbox = bytearray()
        self._fresh = not outbound  # the peer's first bytes are still to be judged
        self._eof = self._cut = False
        self._interrupted = False
        self._paused = False  # we stopped reading from the socket
        self._drained = True  # the socket takes what we write
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._deadline = 0.0
        self._tls: TlsLayer | None = None
        self._upgrading = False  # somebody waits in start_tls
        self._failure = "CLOSED_BY_PEER"  # why the handshake failed, when it did

    # What sessions call

    async def read(self, seconds: float) -> bytes | None:
        """The next bytes; b"" at the end; None after `interrupt`. Raises TimeoutError after `seconds` of nothing."""
        deadline = 0.0
        while not self._interrupted:
            if self._inbox:
                data = bytes(self._inbox)
                self._inbox.clear()
                if self._paused:
                    self._regulate()
                return data
            if self._eof:
                return b""
            deadline = deadline or self._loop.time() + seconds
            await self._wait(deadline)
        self._interrupted = False
        return None

    def interrupt(self) -> None:
        """Make the read that waits, or else the next one, return None."""
        self._interrupted = True
        self._wake()

    async def write(self, data: bytes) -> None:
        """Hand over `data`; waits while more than OUTBOX_BOUND is unsent. Raises ConnectionError when the peer is gone,
        or is cut off, for it does not take a bound's worth within the write deadline."""
        if len(data) <= RECORD:
            self._send(data)
        else:
            view = memoryview(data)
            for start in range(0, len(view), RECORD):
                if not self._drained:
                    await self._wait_until_drained()
                self._send(view[start : start + RECORD])
        if not self._drained:
            await self._wait_until_drained()

    async def start_tls(self, context: ssl.SSLContext, answer: bytes = b"", *, server_name: str | None = None) -> None:
        """Throw away what was received, say `answer` still in plain text, then shake hands. Raises TlsFailed.

        The answer belongs in here and not in a `write` before: so no byte of a ClientHello can be taken for plain text.
        """
        if self._state is not _State.PLAIN:
            raise TlsFailed("the connection is closed" if self._tls is None else "TLS is active already")
        self._inbox.clear()
        self._plans = (context, server_name, self._plans[2])
        self._transport.write(answer)
        self._regulate()
        self._upgrading = True
        self._begin_handshake()
        deadline = self._loop.time() + self._deadlines.handshake
        while self._is_opening:
            try:
                await self._wait(deadline)
            except TimeoutError:
                self._fail("HANDSHAKE_TIMEOUT")
        if self.tls is None:
            raise TlsFailed(self._failure)

    async def close(self) -> None:
        """Say goodbye (close_notify, FIN) and wait, bounded, until the peer has it."""
        self._begin_close()
        while self._state is not _State.CLOSED:
            try:
                await self._wait(self._deadline)
            except TimeoutError:
                self.abort()
                return

    def abort(self) -> None:
        """Drop the connection at once; what is unsent is lost."""
        if self._state is not _State.CONNECTING:
            self._transport.abort()

    @property
    def socket(self) -> socket.socket:
        """For its options and its descriptor; what goes through it is ours."""
        return cast(socket.socket, self._transport.get_extra_info("socket"))

    @property
    def is_open(self) -> bool:
        """Whether bytes written now may still reach the peer."""
        return (self._state is _State.PLAIN or self._state is _State.SECURE) and not self._transport.is_closing()

    @property
    def was_cut(self) -> bool:
        """Whether nobody waits for answers any more: a reset, or an end of TLS without close_notify (a killed peer)."""
        return self._cut or self._state is _State.CLOSED

    @property
    def is_flushed(self) -> bool:
        """Whether all that was written is on its way; then a line more is written without waiting."""
        return self._transport.get_write_buffer_size() == 0

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP connection stands."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's only behave like it
        transport.set_write_buffer_limits(OUTBOX_BOUND, OUTBOX_BOUND // 4)
        self.peer = address_of(transport.get_extra_info("peername"))
        self.local = address_of(transport.get_extra_info("sockname"))
        self._state = _State.PLAIN
        self._keeper.arrived(self)
        if self.is_open:
            self._open()

    def expect_proxy(self) -> None:
        """For `Keeper.arrived`: a PROXY header must come before anything else."""
        self._state = _State.PROXY
        self._arm(self._loop.time() + self._deadlines.handshake)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 (the loop's name for it)
        """Where the loop receives into."""
        return self._window

    def buffer_updated(self, nbytes: int) -> None:
        """`nbytes` were received."""
        self._receive(self._window[:nbytes])

    def eof_received(self) -> bool:
        """The peer sends no more; it may still read, so we stay open unless there is nobody to answer it."""
        self._cut = self._state is _State.SECURE and not self._eof
        self._eof = True
        if self._is_opening:
            self._fail("CLOSED_BY_PEER")
        self._wake()
        return self._state in (_State.PLAIN, _State.SECURE)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (an end is an end)
        """The connection is gone, by whichever side."""
        if self._is_opening:
            self._keeper.failed(self, self._failure)
        self._state = _State.CLOSED
        self._eof = self._drained = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()
        self._keeper.gone(self)

    def pause_writing(self) -> None:
        """More than OUTBOX_BOUND is unsent."""
        self._drained = False
        self._regulate()

    def resume_writing(self) -> None:
        """The peer took enough of it."""
        self._drained = True
        self._regulate()
        self._wake()

    # Opening

    def _open(self) -> None:
        if self._plans[0] is not None:
            self._begin_handshake()
            self._arm(self._loop.time() + self._deadlines.handshake)
        else:
            self._keeper.opened(self)

    @property
    def _is_opening(self) -> bool:
        return self._state is _State.HANDSHAKE or self._state is _State.PROXY

    def _receive_proxy(self, data: memoryview) -> None:
        self._inbox += data
        try:
            header = parse_proxy(bytes(self._inbox))
        except ProxyMalformed:
            self._fail("PROXY_MALFORMED")
            return
        if header is None:
            return
        rest = memoryview(self._inbox[header.length :])
        self._inbox = bytearray()
        if header.source is not None and header.destination is not None:
            self.peer, self.local = header.source, header.destination
        self._state = _State.PLAIN
        self._keeper.introduced(self)
        if self.is_open:
            self._open()
        for start in range(0, len(rest), RECORD):  # the ClientHello may have come in the same segment
            self._receive(rest[start : start + RECORD])

    def _begin_handshake(self) -> None:
        context, server_name, outbound = self._plans
        assert context is not None
        self._tls = TlsLayer(context, server_name, outbound=outbound)
        self._window = _windows.secure
        self._state = _State.HANDSHAKE
        if outbound:
            self._handshake(b"")

    def _handshake(self, data: memoryview | bytes) -> None:
        tls = self._tls
        assert tls is not None
        if self._fresh and tls.heard_nothing and data[0] not in RECORD_TYPES and self._is_misdirected(bytes(data)):
            return
        try:
            info = tls.handshake(data)
        except TlsFailed as failure:
            self._fail(str(failure), tls.pending_output())
            return
        self._transport.write(tls.pending_output())
        if info is None:
            return
        self.tls = info
        self._state = _State.SECURE
        if self._upgrading:
            self._wake()
        else:
            self._keeper.opened(self)
        if self._state is _State.SECURE:
            self._decrypt(b"")  # the client's first words may have come along

    @property
    def offer(self) -> tuple[str | None, str]:
        """For `Keeper.failed`: `TlsLayer.offer`, which version and which name the client's hello had."""
        return self._tls.offer if self._tls is not None else (None, "")

    def _fail(self, reason: str, last: bytes = b"") -> None:
        """The stream will never open: tell the keeper, send the alert, close."""
        self._failure = reason
        self._keeper.failed(self, reason)
        self._state = _State.PLAIN
        self._begin_close(last)

    def _is_misdirected(self, first: bytes) -> bool:
        """Whether the keeper has words for a peer that begins like this; then they are said, and the stream closes."""
        words = self._keeper.judge(self, first)
        if words is None:
            return False
        if self._is_opening:
            self._state = _State.PLAIN
        self._send(words)
        self._begin_close()
        return True

    # Receiving

    def _receive(self, data: memoryview) -> None:
        state = self._state
        if state is _State.SECURE:
            self._decrypt(data)
        elif state is _State.PLAIN:
            self._inbox += data
            self._received()
        elif state is _State.HANDSHAKE:
            self._handshake(data)
        elif state is _State.PROXY:
            self._receive_proxy(data)

    def _decrypt(self, data: memoryview | bytes) -> None:
        tls = self._tls
        assert tls is not None
        try:
            self._eof = not tls.decrypt(data, self._inbox)
        except TlsFailed:
            self._begin_close(tls.pending_output())
            return
        if output := tls.pending_output():  # a key update wants its answer
            self._transport.write(output)
        self._received()

    def _received(self) -> None:
        """The inbox may have grown."""
        if self._fresh and self._inbox:
            self._fresh = False
            if self._is_misdirected(bytes(self._inbox)):
                return
        if len(self._inbox) >= INBOX_BOUND:
            self._regulate()
        self._wake()

    def _regulate(self) -> None:
        """Read from the socket only while there is room for it, and while the peer takes what we send."""
        must_pause = (len(self._inbox) >= INBOX_BOUND or not self._drained) and self._state is not _State.CLOSING
        if must_pause == self._paused or self._state is _State.CLOSED or self._transport.is_closing():
            return
        self._paused = must_pause
        if must_pause:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # Sending

    def _send(self, data: bytes | memoryview) -> None:
        if self._transport.is_closing():  # lost, though the loop has not told us yet: a writer must not write on
            raise ConnectionResetError("the connection is lost")
        if self._state is _State.SECURE and self._tls is not None:
            self._transport.write(self._tls.encrypt(data))
        elif self._state is _State.PLAIN:
            self._transport.write(data)
        else:
            raise ConnectionResetError("the connection is closed")

    async def _wait_until_drained(self) -> None:
        deadline = self._loop.time() + self._deadlines.write
        while not self._drained:
            try:
                await self._wait(deadline)
            except TimeoutError:
                self.abort()
                raise ConnectionAbortedError("the peer does not read") from None
        if not self.is_open:
            raise ConnectionResetError("the connection is closed")

    # Closing

    def _begin_close(self, last: bytes = b"") -> None:
        """Send what ends our side, then read on for a moment: unread bytes would turn our last words into a reset."""
        if not self.is_open:
            return
        if self._state is _State.SECURE and self._tls is not None:
            last = last or self._tls.farewell()
        if last:
            self._transport.write(last)
        self._state = _State.CLOSING
        self._inbox.clear()
        self._arm(self._loop.time() + self._deadlines.close)
        if self._eof:
            self._transport.close()
        else:
            try:
                self._transport.write_eof()
            except OSError:  # reset a moment ago; the loop will tell
                self._transport.abort()
            self._regulate()
        self._eof = True
        self._wake()

    # Waiting

    async def _wait(self, deadline: float) -> None:
        """Sleep until anything happens to the stream; callers look again at what they wait for. Raises TimeoutError."""
        if self._waiter is not None:
            raise RuntimeError("two tasks wait on one stream")
        self._waiter = self._loop.create_future()
        self._arm(deadline)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _arm(self, deadline: float) -> None:
        """Have `_tick` called at the deadline or before: a timer that is early enough stays, and looks again."""
        self._deadline = deadline
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        waits = self._waiter is not None and not self._waiter.done()
        if not waits and self._state in (_State.PLAIN, _State.SECURE):
            return
        if self._loop.time() + 0.002 < self._deadline:  # loops round to a millisecond
            self._arm(self._deadline)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())
        elif self._state is _State.CLOSING:
            self._transport.abort()
        else:
            silent = self._tls is not None and self._tls.heard_nothing  # perhaps it waits for a greeting in plain text
            if not (silent and self._is_misdirected(b"")):
                self._fail("HANDSHAKE_TIMEOUT")
