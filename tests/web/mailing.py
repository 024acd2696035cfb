"""An IMAP door beside the pages, and Python's own client in front of it."""

import asyncio
import imaplib
import ssl
import time
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")


class Phone:
    """A mail program that is signed in, until somebody ends that."""

    def __init__(self, port: int, tls: ssl.SSLContext, address: str, secret: str) -> None:
        self._port = port
        self._tls = tls
        self._address = address
        self._secret = secret
        self.client: imaplib.IMAP4_SSL | None = None

    async def call(self, work: Callable[[imaplib.IMAP4_SSL], R]) -> R:
        """Let the client do something."""
        assert self.client is not None
        return await asyncio.to_thread(work, self.client)

    async def sign_in(self) -> str:
        """What the server says: OK, or why not."""
        self.close()
        self.client = await asyncio.to_thread(
            imaplib.IMAP4_SSL, "localhost", self._port, ssl_context=self._tls, timeout=20
        )
        try:
            await self.call(lambda client: client.login(self._address, self._secret))
        except imaplib.IMAP4.error as error:
            self.close()
            return str(error)
        await self.call(lambda client: client.xatom("ID", '("name" "phone<b>" "version" "1")'))
        return "OK"

    async def ends(self) -> float:
        """Seconds until the server ends the session by itself."""

        def wait(client: imaplib.IMAP4_SSL) -> float:
            began = time.monotonic()
            while client.readline():
                pass
            return time.monotonic() - began

        return await self.call(wait)

    def close(self) -> None:
        """Hang up."""
        if self.client is not None:
            self.client.shutdown()
            self.client = None
