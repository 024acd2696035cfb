"""Connections that we make, to other mail hosts, as the same Stream."""

from __future__ import annotations

import asyncio
import ssl

from mailhost.network.stream import Deadlines, Stream
from mailhost.network.tls import TlsFailed


class _Dialled:
    """The keeper of one stream of ours: waits for it to open."""

    def __init__(self) -> None:
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def arrived(self, stream: Stream) -> None:
        """Nothing to count."""

    def introduced(self, stream: Stream) -> None:
        """Never called: nobody speaks for another towards us."""

    def judge(self, stream: Stream, first: bytes) -> bytes | None:
        """Never called: what a server says first is for the protocol to judge."""

    def opened(self, stream: Stream) -> None:  # noqa: ARG002 - the Keeper's signature
        """It can be used."""
        if not self.open.done():
            self.open.set_result(None)

    def failed(self, stream: Stream, reason: str) -> None:  # noqa: ARG002 - the Keeper's signature
        """It will never be."""
        if not self.open.done():
            self.open.set_exception(TlsFailed(reason))

    def gone(self, stream: Stream) -> None:
        """It is over."""
        self.failed(stream, "the connection was closed")


async def dial(
    host: str,
    port: int,
    context: ssl.SSLContext | None = None,
    *,
    server_name: str | None = None,
    deadlines: Deadlines = Deadlines(),  # noqa: B008 - it is frozen
) -> Stream:
    """A stream to the port; with a context TLS comes first and checks `server_name`, or else `host`.

    Raises TlsFailed or another OSError; TimeoutError, which is one, when it takes longer than a handshake may.
    """
    keeper = _Dialled()
    async with asyncio.timeout(deadlines.handshake):
        _, stream = await asyncio.get_running_loop().create_connection(
            lambda: Stream(keeper, deadlines, context, (server_name or host) if context else None, outbound=True),
            host,
            port,
        )
        try:
            await keeper.open
        except asyncio.CancelledError:
            stream.abort()
            raise
    return stream
