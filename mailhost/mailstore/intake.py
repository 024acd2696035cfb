"""A message's content on its way in: stored, hashed and scanned in one pass, in bounded memory."""

import asyncio
from typing import Final

from mailhost.errors import MailhostError
from mailhost.mailstore.model import Incoming
from mailhost.mailstore.traced import TraceWatch
from mailhost.message.digest import Digest, digest_of
from mailhost.message.scan import Scanner
from mailhost.storage.blobs import Blobs

_SMALL: Final = 32 * 1024


class MessageTooLarge(MailhostError):
    """The message is larger than `limit` octets."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"A message holds at most {limit} octets.")
        self.limit = limit


class NulInMessage(MailhostError):
    """The content holds NUL, which only BINARY may carry."""


async def derive(scanner: Scanner) -> Digest:
    """`digest_of`: of what is large in a thread, for a hostile header of some hundred kilobytes takes long to read."""
    return await asyncio.to_thread(digest_of, scanner) if scanner.size > _SMALL else digest_of(scanner)


class Intake:
    """Takes the chunks of one message and ends as an `Incoming`, or is discarded.

    With `normalise` set, a bare CR or LF becomes CRLF before anything else sees it (APPEND, LMTP, import).
    """

    def __init__(self, blobs: Blobs, max_octets: int, *, normalise: bool) -> None:
        self.size = 0
        self._max_octets = max_octets
        self._writer = blobs.writer()
        self._scanner = Scanner()
        self._trace = TraceWatch() if normalise else None
        self._normalise = normalise
        self._ends_in_cr = False
        self._open_end = False

    def write(self, chunk: bytes) -> None:
        """Take the next octets. Raises MessageTooLarge and takes nothing more."""
        if self._normalise:
            chunk = self._with_crlf(chunk)
        self.size += len(chunk)
        if self.size > self._max_octets:
            raise MessageTooLarge(self._max_octets)
        self._keep(chunk)
        if chunk:
            self._open_end = not chunk.endswith(b"\n")

    async def finish(self) -> Incoming:
        """The content is on disk, or rides in the row to come. Raises NulInMessage."""
        if self._ends_in_cr:
            self._ends_in_cr = self._open_end = False
            self._keep(b"\r\n")
            self.size += 2
        digest = await derive(self._scanner)
        if digest.has_nul and self._normalise:
            self.discard()
            raise NulInMessage("The message holds a NUL octet; encode it as base64.")
        traced = None if self._trace is None else self._trace.finish()
        return Incoming(await self._writer.finish(), digest, self._open_end, traced)

    def discard(self) -> None:
        """Forget what came; nothing is left behind."""
        self._writer.discard()

    def _keep(self, chunk: bytes) -> None:
        self._writer.write(chunk)
        self._scanner.feed(chunk)
        if self._trace is not None:
            self._trace.feed(chunk)

    def _with_crlf(self, chunk: bytes) -> bytes:
        if self._ends_in_cr:
            # A CR at the end of the last chunk was held back until its LF, or the lack of one, is seen.
            chunk = b"\r" + chunk
        self._ends_in_cr = chunk.endswith(b"\r")
        if self._ends_in_cr:
            chunk = chunk[:-1]
        if chunk.count(b"\r\n") == chunk.count(b"\n") == chunk.count(b"\r"):
            return chunk
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
