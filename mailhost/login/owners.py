"""What owners are told by a message: sign-ins that look like somebody else's, changes of what guards their account."""

import asyncio
from collections.abc import Coroutine
from enum import Enum
from typing import Final

from mailhost.accounts.audit.model import Occurrence
from mailhost.language import LANGUAGES, N_, translations
from mailhost.login.catalogue import explain, shown_time
from mailhost.login.diary import sign_in_of
from mailhost.login.judge import Verdict
from mailhost.login.model import Clock, Visit
from mailhost.login.notice import Messenger
from mailhost.network.atlas import NOWHERE, Atlas
from mailhost.observe import logger

log = logger()


class Change(Enum):
    """What was changed, as the log tells it."""

    PASSWORD = "password"  # noqa: S105 - a change
    TWO_STEP_ON = "two-step-on"
    TWO_STEP_OFF = "two-step-off"
    APP = "authenticator-app"
    PASSKEY = "passkey"
    CODES = "backup-codes"


CHANGES: Final[dict[Change, str]] = {
    Change.PASSWORD: N_("The account password of {address} was changed."),
    Change.TWO_STEP_ON: N_("Two-step verification of {address} was switched on."),
    Change.TWO_STEP_OFF: N_("Two-step verification of {address} was switched off."),
    Change.APP: N_("The authenticator app of {address} was set up anew, or removed."),
    Change.PASSKEY: N_("A passkey of {address} was added or removed."),
    Change.CODES: N_("New backup codes of {address} were made; the old ones work no longer."),
}
_SUBJECT: Final = N_("What guards your mail account was changed")
_HOW: Final = N_("It was done on {at} from {peer}, with {client}.")
_REMEDY: Final = N_(
    "If it was not you, change the account password at once, and tell the administrator of this server."
)


class Owners:
    """Tells them, in every language, without anybody waiting for it. Without a messenger nobody is told anything."""

    def __init__(self, messenger: Messenger | None, clock: Clock, atlas: Atlas = NOWHERE) -> None:
        self._messenger = messenger
        self._clock = clock
        self._atlas = atlas
        self._telling: set[asyncio.Task[None]] = set()

    def note_change(self, change: Change, account_id: int, address: str, visit: Visit) -> None:
        """Something that guards an account was changed on a page."""
        log.info("account.changed", change=change.value, account=account_id, peer=visit.peer)
        self.soon(self._tell_change(change, account_id, address, visit))

    async def tell_sign_in(
        self, verdict: Verdict, visit: Visit, account_id: int, address: str, credential_id: int
    ) -> None:
        """A sign-in, as the diary explains it."""
        if self._messenger is None:
            return
        sign_in = sign_in_of(verdict, visit, account_id, credential_id)
        occurrence = Occurrence(int(self._clock()), visit.connection_id, 1, verdict.facts)
        told = [explain(sign_in, occurrence, translations(language), self._atlas) for language in LANGUAGES]
        await self._messenger.tell(account_id, address, [[one.sentence, one.remedy] for one in told])

    async def _tell_change(self, change: Change, account_id: int, address: str, visit: Visit) -> None:
        if self._messenger is None:
            return
        facts = {
            "address": address,
            "at": shown_time(int(self._clock())),
            "peer": visit.peer,
            "client": visit.client_id,
        }
        paragraphs = [
            [translations(language).gettext(each).format_map(facts) for each in (CHANGES[change], _HOW, _REMEDY)]
            for language in LANGUAGES
        ]
        await self._messenger.tell(account_id, address, paragraphs, subject=_SUBJECT, page="/account")

    def soon(self, telling: Coroutine[object, object, None]) -> None:
        """Have it told while whoever caused it goes on."""
        task = asyncio.get_running_loop().create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Wait for what is being told."""
        if self._telling:
            await asyncio.wait(self._telling)
