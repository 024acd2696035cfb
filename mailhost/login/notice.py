"""Messages to an owner about their sign-ins, in both languages: into the INBOX, from the server itself."""

from email.header import Header
from email.utils import formatdate
from uuid import uuid4

from mailhost.errors import MailhostError
from mailhost.language import LANGUAGES, N_, translations
from mailhost.login.model import Clock
from mailhost.mailstore import INBOX, Intake, NewMessage, append, find_selectable
from mailhost.observe import logger
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx

log = logger()

_SUBJECT = N_("A sign-in to your mail that looks unusual")
_MAX_OCTETS = 20_000


class Messenger:
    """Puts messages into INBOXes, with the address `page` on which their owners answer.

    What cannot be put there is told to the operator; the page has it anyway.
    """

    def __init__(self, database: Database, blobs: Blobs, host: str, page: str, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._host = host
        self._page = page
        self._clock = clock

    async def tell(self, account_id: int, address: str, paragraphs: list[list[str]]) -> None:
        """Tell an owner; `paragraphs` are one list for each of LANGUAGES."""
        now = int(self._clock())
        text = "\r\n\r\n-- \r\n\r\n".join("\r\n\r\n".join((*part, self._page)) for part in paragraphs)
        subject = " / ".join(translations(language).gettext(_SUBJECT) for language in LANGUAGES)
        lines = [
            f"From: Mailhost <postmaster@{address.rpartition('@')[2]}>",
            f"To: {address}",
            f"Subject: {Header(subject, 'utf-8').encode()}",
            f"Date: {formatdate(now)}",
            f"Message-ID: <{uuid4()}@{self._host}>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
            "Auto-Submitted: auto-generated",
            "",
            text,
            "",
        ]
        intake = Intake(self._blobs, _MAX_OCTETS, normalise=True)
        try:
            intake.write("\r\n".join(lines).replace("\r\n", "\n").replace("\n", "\r\n").encode())
            message = NewMessage(await intake.finish(), now)

            def place(tx: Tx) -> None:
                append(tx, self._blobs, account_id, find_selectable(tx, account_id, INBOX).id, [message], now)

            await self._database.write(place)
        except MailhostError as error:  # full, or just removed
            log.warning("login.untold", account=account_id, reason=type(error).__name__)
        finally:
            intake.discard()
