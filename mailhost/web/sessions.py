"""Who is signed in to an account, in mail programs and in browsers, and what is left of its limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost import accounts, oauth
from mailhost.accounts.sessions.sql import NoSuchSession, sign_out, sign_out_all
from mailhost.accounts.web_sessions.sql import (
    NoSuchWebSession,
    WebSession,
    end_web_session,
    end_web_sessions,
    list_web_sessions,
)
from mailhost.delivery.sql import count_submissions
from mailhost.language import N_
from mailhost.limits import Rules
from mailhost.login.catalogue import shown_place
from mailhost.login.model import Clock
from mailhost.login.names import browser_of
from mailhost.login.quantities import IMAP_DOWN, IMAP_UP, POP3_DOWN, shown_amount
from mailhost.login.standing import Standing, standing_of
from mailhost.network.atlas import Atlas
from mailhost.storage.database import Database, Tx
from mailhost.web.numbers import number_in
from mailhost.web.pages import Pages
from mailhost.web.visits import Form, Visit, Visits

HERE: Final = "/account/sessions"
_KINDS: Final = {
    IMAP_DOWN: N_("Fetched over IMAP today"),
    IMAP_UP: N_("Stored over IMAP today"),
    POP3_DOWN: N_("Fetched over POP3 today"),
}
_SAID: Final = {
    "one": N_("It is signed out."),
    "all": N_("Every mail program and every other browser is signed out."),
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the page tells. `names`: what a credential is called; `devices`: (program, address) → IMAP connections."""

    standing: Standing
    names: dict[int, str]
    browsers: list[WebSession]
    devices: list[tuple[tuple[str, str], int]]
    sent_today: int


class SessionPages:
    """The page, and what its buttons do. `settings` are the server's rules, `daily_messages` may be sent in a day."""

    def __init__(
        self,
        visits: Visits,
        pages: Pages,
        database: Database,
        clock: Clock,
        settings: Rules,
        daily_messages: int,
        atlas: Atlas,
    ) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._clock = clock
        self._settings = settings
        self._daily_messages = daily_messages
        self._atlas = atlas

    def routes(self) -> list[Route]:
        """All of them."""
        visits = self._visits
        return [
            Route(HERE, visits.page(self._list)),
            Route(f"{HERE}/mail/{{id}}/end", visits.action(self._end_mail), methods=["POST"]),
            Route(f"{HERE}/web/{{number}}/end", visits.action(self._end_web), methods=["POST"]),
            Route(f"{HERE}/end", visits.action(self._end_all), methods=["POST"]),
        ]

    async def _list(self, request: Request, visit: Visit) -> Response:
        now, words = int(self._clock()), self._pages.words_of(request)
        shown = await self._database.read(_shown, visit.account.id, self._settings, now)
        return self._pages.show(
            request,
            "account/sessions.html",
            shown=shown,
            kinds=_KINDS,
            amount=shown_amount,
            browser=browser_of,
            place=lambda address: shown_place(address, words, self._atlas),
            daily_messages=self._daily_messages,
            said=_SAID.get(request.query_params.get("said", "")),
        )

    async def _end_mail(self, request: Request, visit: Visit, _form: Form) -> Response:
        try:
            await self._database.write(sign_out, visit.account.id, request.path_params["id"])
        except NoSuchSession:
            raise HTTPException(404) from None
        return self._pages.redirect(f"{HERE}?said=one")

    async def _end_web(self, request: Request, visit: Visit, _form: Form) -> Response:
        try:
            await self._database.write(end_web_session, visit.account.id, number_in(request.path_params["number"]))
        except NoSuchWebSession:
            raise HTTPException(404) from None
        return self._pages.redirect(f"{HERE}?said=one")

    async def _end_all(self, _request: Request, visit: Visit, _form: Form) -> Response:
        await self._database.write(_end_others, visit.account.id, visit.session.id)
        return self._pages.redirect(f"{HERE}?said=all")


def _shown(tx: Tx, account_id: int, settings: Rules, now: int) -> _Shown:
    standing = standing_of(tx, account_id, settings, now)
    names = {one.id: one.name for one in accounts.list_app_passwords(tx, account_id)}
    names |= {one.id: one.name for one in oauth.list_grants(tx, account_id)}
    devices = Counter((one.client_id, one.peer) for one in standing.sessions if one.protocol == "imap")
    browsers = list_web_sessions(tx, account_id, now)
    return _Shown(standing, names, browsers, devices.most_common(), count_submissions(tx, account_id, now))


def _end_others(tx: Tx, account_id: int, web_session_id: int) -> None:
    sign_out_all(tx, account_id)
    end_web_sessions(tx, account_id, but=web_session_id)
