"""A message that came as a literal8: what no text can hold is encoded before it is stored (RFC 3516 §4.4)."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from mailhost.mailstore.intake import Intake, MessageTooLarge, NulInMessage, derive
from mailhost.mailstore.model import Incoming
from mailhost.message.binary import LineEnds, with_safe_encodings
from mailhost.message.scan import Scanner
from mailhost.message.sections import Range
from mailhost.storage.blobs import Blobs


class NulInText(NulInMessage):
    """NUL stands where no transfer encoding can carry it: in a header, say."""


class BinaryIntake:
    """An `Intake` for octets of any value. What is text in lines is stored as it came, the rest is rewritten once."""

    def __init__(self, blobs: Blobs, max_octets: int) -> None:
        self.size = 0
        self._blobs = blobs
        self._max_octets = max_octets
        self._writer = blobs.writer()
        self._scanner = Scanner()
        self._line_ends = LineEnds()

    def write(self, chunk: bytes) -> None:
        """Take the next octets. Raises MessageTooLarge and takes nothing more."""
        self.size += len(chunk)
        if self.size > self._max_octets:
            raise MessageTooLarge(self._max_octets)
        self._writer.write(chunk)
        self._scanner.feed(chunk)
        self._line_ends.feed(chunk)

    async def finish(self) -> Incoming:
        """The content as it will be kept. Raises NulInText, MessageTooLarge."""
        if not self._scanner.has_nul and self._line_ends.finish():
            digest = await derive(self._scanner)
            return Incoming(await self._writer.finish(), digest)
        root = self._scanner.finish()
        raw = await self._writer.finish()

        async def stream(place: Range) -> AsyncIterator[bytes]:
            async with aclosing(self._blobs.stream_new(raw, place.start, place.length)) as pieces:
                async for piece in pieces:
                    yield piece

        intake = Intake(self._blobs, self._max_octets, normalise=True)
        try:
            async with aclosing(with_safe_encodings(root, self.size, stream)) as pieces:
                async for piece in pieces:
                    intake.write(piece)
            return await intake.finish()
        except NulInMessage as error:
            raise NulInText("A NUL octet stands outside of the parts' bodies; it cannot be encoded there.") from error
        finally:
            intake.discard()
            await self._blobs.forget(raw)

    def discard(self) -> None:
        """Forget what came; nothing is left behind."""
        self._writer.discard()
