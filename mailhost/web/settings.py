"""An account's settings: its language, and another account password."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost.accounts import list_app_passwords
from mailhost.accounts.web_sessions.sql import NoSuchWebSession, choose_language, prove
from mailhost.crypto import hash_password
from mailhost.language import LANGUAGES, N_
from mailhost.login import Clock, DoorKeeper, Reason, Refused
from mailhost.login.enrol import UnfitPassword, change_password, check_new_password
from mailhost.login.owners import Change
from mailhost.storage.database import Database, Tx
from mailhost.web.pages import Pages
from mailhost.web.sign_in import STATUS, WRONG_PASSWORD, attempt_of, words_of
from mailhost.web.visits import Form, Visit, Visits, new_token

UNFIT: Final = N_("An account password has 8 to 256 characters that can be seen.")
SAME: Final = N_("That is the password you have.")


class SettingsPages:
    """What an owner may choose."""

    def __init__(self, visits: Visits, pages: Pages, database: Database, keeper: DoorKeeper, clock: Clock) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._keeper = keeper.web
        self._clock = clock

    def routes(self) -> list[Route]:
        """All of them."""
        visits = self._visits
        return [
            Route("/account/settings", visits.page(self._show)),
            Route("/account/settings", visits.action(self._choose), methods=["POST"]),
            Route("/account/password", visits.page(self._ask_password, fresh=True)),
            Route("/account/password", visits.action(self._change_password, fresh=True), methods=["POST"]),
        ]

    async def _show(self, request: Request, visit: Visit) -> Response:
        is_done = request.query_params.get("done") == "1"
        return self._pages.show(request, "account/settings.html", chosen=visit.language, is_done=is_done)

    async def _choose(self, _request: Request, visit: Visit, form: Form) -> Response:
        language = form.get("language", "")
        await self._database.write(choose_language, visit.account.id, language if language in LANGUAGES else "")
        return self._pages.redirect("/account/settings?done=1")

    async def _ask_password(self, request: Request, visit: Visit) -> Response:
        return await self._password_page(request, visit)

    async def _change_password(self, request: Request, visit: Visit, form: Form) -> Response:
        old, new = form.get("old", ""), form.get("new", "")
        words = self._pages.words_of(request)
        try:
            check_new_password(new)
        except UnfitPassword:
            return await self._password_page(request, visit, 403, error_of_new=words.gettext(UNFIT))
        if new == old:
            return await self._password_page(request, visit, 403, error_of_new=words.gettext(SAME))
        try:
            await self._keeper.check_password(visit.account.address, old, attempt_of(request))
        except Refused as refused:
            error = words_of(self._pages, request, refused, {Reason.WRONG_CREDENTIALS: WRONG_PASSWORD})
            return await self._password_page(request, visit, STATUS.get(refused.reason, 403), error_of_old=error)
        password_hash, token = await asyncio.to_thread(hash_password, new), new_token()
        digest, now = self._visits.digest(token), int(self._clock())
        try:
            ended = await self._database.write(_change, visit.account.id, visit.session.id, password_hash, digest, now)
        except NoSuchWebSession:
            return self._visits.sign_out("/sign-in")
        self._keeper.note_change(Change.PASSWORD, visit.account.id, visit.account.address, attempt_of(request))
        return self._visits.sign_in(f"/account?done=password-changed&ended={ended}", token)

    async def _password_page(
        self, request: Request, visit: Visit, status: int = 200, *, error_of_old: str = "", error_of_new: str = ""
    ) -> Response:
        passwords = await self._database.point(list_app_passwords, visit.account.id)
        return self._pages.show(
            request,
            "account/password.html",
            status,
            error_of_old=error_of_old,
            error_of_new=error_of_new,
            passwords=[each.name for each in passwords],
        )


def _change(tx: Tx, account_id: int, session_id: int, password_hash: str, digest: bytes, now: int) -> int:
    """The new password, and this browser's session under another token: the only one that stays."""
    prove(tx, account_id, session_id, digest, now)
    return change_password(tx, account_id, password_hash, now, but_session=session_id)
