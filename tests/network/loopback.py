"""What tests of the network share: a handler that echoes, and clients that block."""

import socket
from collections.abc import Awaitable, Callable

from mailhost.network.listener import Listener
from mailhost.network.stream import Stream

Open = Callable[..., Awaitable[Listener]]


async def echo(stream: Stream) -> None:
    """A service that says what it hears."""
    while data := await stream.read(30):
        await stream.write(data)


def dial(listener: Listener, timeout: float = 10) -> socket.socket:
    """A plain client of it, that blocks: call it in a thread."""
    return socket.create_connection(("127.0.0.1", listener.port), timeout=timeout)


def read_all(client: socket.socket) -> bytes:
    """Everything until the peer's end."""
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)
