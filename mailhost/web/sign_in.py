"""Signing in and out: the account password, then the second step of those who have one."""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost.accounts.model import Candidate
from mailhost.accounts.web_sessions.sql import NoSuchWebSession, Stage, end_web_session, open_session
from mailhost.language import N_
from mailhost.login import DoorKeeper
from mailhost.login import Visit as Attempt
from mailhost.login.catalogue import shown_time
from mailhost.login.model import Clock, Reason, Refused
from mailhost.storage.database import Database, Tx
from mailhost.web.pages import Pages, own_path
from mailhost.web.visits import Form, Visit, Visits, new_token, who_asks

REFUSALS: Final = {
    Reason.WRONG_CREDENTIALS: N_("The address or the password is not right."),
    Reason.ACCOUNT_SUSPENDED: N_("This account is suspended. Ask the administrator of this server."),
    Reason.THROTTLED: N_("Too many wrong passwords. The next one is looked at from {until} on."),
    Reason.TEMPORARY: N_("The server is busy. Try again in a minute."),
}
STATUS: Final = {Reason.THROTTLED: 429, Reason.TEMPORARY: 503}


class SignInPages:
    """The pages on which people sign in."""

    def __init__(self, visits: Visits, pages: Pages, database: Database, keeper: DoorKeeper, clock: Clock) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._keeper = keeper
        self._clock = clock

    def routes(self) -> list[Route]:
        """All of them."""
        visits = self._visits
        return [
            Route("/sign-in", visits.open_page(self._ask_password)),
            Route("/sign-in", visits.open_action(self._take_password), methods=["POST"]),
            Route("/sign-out", visits.action(self._sign_out), methods=["POST"]),
        ]

    async def _ask_password(self, request: Request, visit: Visit | None) -> Response:
        to = own_path(request.query_params.get("next", "/account"))
        if visit is not None and visit.session.stage is Stage.OPEN:
            return self._pages.redirect(to)
        return self._pages.show(request, "sign_in/password.html", next=to, address="", error="")

    async def _take_password(self, request: Request, _visit: Visit | None, form: Form) -> Response:
        to, address = own_path(form.get("next", "")), form.get("address", "").strip()
        try:
            attempt = attempt_of(request, "password")
            candidate = await self._keeper.web.check_password(address, form.get("password", ""), attempt)
        except Refused as refused:
            return self._pages.show(
                request,
                "sign_in/password.html",
                STATUS.get(refused.reason, 403),
                next=to,
                address=address,
                error=words_of(self._pages, request, refused),
            )
        token = new_token()
        await self._database.write(_open, candidate, self._visits.digest(token), who_asks(request), int(self._clock()))
        return self._visits.sign_in(to, token)

    async def _sign_out(self, _request: Request, visit: Visit, form: Form) -> Response:
        """Away; `next` names the page that somebody wants to see as somebody else."""
        with suppress(NoSuchWebSession):
            await self._database.write(end_web_session, visit.account.id, visit.session.id)
        to = f"?next={quote(own_path(form['next']), safe='')}" if "next" in form else ""
        return self._visits.sign_out("/sign-in" + to)


def _open(tx: Tx, candidate: Candidate, digest: bytes, who: dict[str, str], now: int) -> None:
    open_session(tx, candidate.account_id, digest, stage=Stage.OPEN, **who, now=now)


def words_of(pages: Pages, request: Request, refused: Refused) -> str:
    """Why somebody is not let in, in their language."""
    sentence = pages.words_of(request).gettext(REFUSALS[refused.reason])
    return sentence.format(until=shown_time(int(refused.until or 0)))


def attempt_of(request: Request, mechanism: str) -> Attempt:
    """A try to sign in, as the diary tells it."""
    who, tls = who_asks(request), request.state.tls
    return Attempt(
        "web",
        request.url.port or 443,
        who["peer"],
        request.state.connection_id,
        tls_version=tls.version if tls is not None else None,
        mechanism=mechanism,
        client_id=who["client"],
        server_name=tls.server_name if tls is not None else None,
    )
