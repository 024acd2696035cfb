"""A message coming in by MX or LMTP: header checked, content stored and scanned once, whoever gets it."""

from mailhost.delivery.header import HeaderGate, refuse_loop, without_our_results
from mailhost.delivery.model import Office
from mailhost.mailstore.intake import Intake
from mailhost.mailstore.model import Incoming


class Reception:
    """Takes the content of one message. What is wrong with it shows as an exception of `write` or `finish`."""

    def __init__(self, office: Office, *, mend: bool) -> None:
        """`mend` makes bare newlines CRLF, for LMTP; elsewhere they never come this far."""
        self._office = office
        self._gate = HeaderGate(self._rewrite, mend=mend)
        self._intake = Intake(office.blobs, office.max_message, normalise=mend)

    def write(self, chunk: bytes) -> None:
        """Take the next octets. Raises MailLoop, HeaderTooLarge, MessageTooLarge, StorageError."""
        content = self._gate.feed(chunk)
        if content:
            self._intake.write(content)

    async def finish(self) -> Incoming:
        """The content, stored. Raises as `write` does, and NulInMessage."""
        rest = self._gate.finish()
        if rest:
            self._intake.write(rest)
        return await self._intake.finish()

    def discard(self) -> None:
        """Forget what came; harmless at any time."""
        self._intake.discard()

    def _rewrite(self, header: bytes) -> bytes:
        refuse_loop(header)
        return without_our_results(header, self._office.host)
