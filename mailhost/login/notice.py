"""Messages to an owner about their sign-ins, in both languages: into the INBOX, from the server itself."""

from typing import Final

from mailhost.errors import MailhostError
from mailhost.language import LANGUAGES, N_, translations
from mailhost.login.model import Clock
from mailhost.mailstore.letters import Letter, post
from mailhost.observe import logger
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database

log = logger()

UNUSUAL: Final = N_("A sign-in to your mail that looks unusual")


class Messenger:
    """Puts messages into INBOXes, each with the address of the page on which its owner goes on; `base` is the server's.

    What cannot be put there is told to the operator; the page has it anyway.
    """

    def __init__(self, database: Database, blobs: Blobs, host: str, base: str, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._host = host
        self._base = base
        self._clock = clock

    async def tell(
        self,
        account_id: int,
        address: str,
        paragraphs: list[list[str]],
        *,
        subject: str = UNUSUAL,
        page: str = "/account/unusual",
    ) -> None:
        """Tell an owner; `paragraphs` are one list for each of LANGUAGES."""
        text = "\n\n-- \n\n".join("\n\n".join((*part, self._base + page)) for part in paragraphs)
        shown = " / ".join(translations(language).gettext(subject) for language in LANGUAGES)
        letter = Letter(account_id, address, shown, text, self._host)
        try:
            await post(self._database, self._blobs, letter, int(self._clock()))
        except MailhostError as error:  # full, or just removed
            log.warning("login.untold", account=account_id, reason=type(error).__name__)
