"""The security page: how an account is guarded, and who was at its door lately."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost.accounts.credentials.sql import two_step_and_password_since
from mailhost.accounts.held.sql import count_waiting
from mailhost.accounts.second_steps.sql import SecondSteps, second_steps
from mailhost.accounts.web_sessions.sql import end_web_sessions, list_web_sessions
from mailhost.language import N_
from mailhost.login import Clock
from mailhost.login.catalogue import Entry, explain
from mailhost.login.readers import Diary, own_diary
from mailhost.network.atlas import Atlas
from mailhost.storage.database import Database, Tx
from mailhost.web.pages import Pages
from mailhost.web.visits import Form, Visit, Visits

DONE: Final = {
    "app-added": N_("The authenticator app is set up."),
    "app-removed": N_("The authenticator app is removed."),
    "passkey-added": N_("The passkey is added."),
    "passkey-removed": N_("The passkey is removed."),
    "two-step-off": N_("Two-step verification is off. App passwords that ended with it: {ended}."),
    "password-changed": N_("The account password is changed. App passwords that ended with the old one: {ended}."),
    "signed-out": N_("Other browsers that were signed out: {ended}."),
}
_RECENT: Final = 5
_MOST_ENDED: Final = 5  # digits


class SecurityPages:
    """The first of an account's pages."""

    def __init__(self, visits: Visits, pages: Pages, database: Database, clock: Clock, atlas: Atlas) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._clock = clock
        self._atlas = atlas

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/account", self._visits.page(self._show)),
            Route("/account/sign-out-others", self._visits.action(self._sign_out_others), methods=["POST"]),
        ]

    async def _show(self, request: Request, visit: Visit) -> Response:
        words = self._pages.words_of(request)
        since, steps, browsers, diary = await self._database.read(_look, visit.account.id, int(self._clock()))
        waiting = await self._database.point(count_waiting, visit.account.id)
        recent: list[tuple[int, Entry]] = [
            (occurrence.at, explain(sign_in, occurrence, words, self._atlas)) for sign_in, occurrence in diary
        ]
        two_step_since, password_since = since
        return self._pages.show(
            request,
            "account/security.html",
            done=self._done(request),
            two_step_since=two_step_since,
            password_since=password_since or visit.account.created_at,
            steps=steps,
            others=browsers - 1,
            recent=recent,
            waiting=waiting,
        )

    def _done(self, request: Request) -> str:
        """What was just done, as the address says: one of our sentences and at most a number."""
        sentence = DONE.get(request.query_params.get("done", ""), "")
        ended = request.query_params.get("ended", "")
        is_number = ended.isascii() and ended.isdigit() and len(ended) <= _MOST_ENDED
        return (
            self._pages.words_of(request).gettext(sentence).format(ended=ended if is_number else "0")
            if sentence
            else ""
        )

    async def _sign_out_others(self, _request: Request, visit: Visit, _form: Form) -> Response:
        ended = await self._database.write(_end_others, visit.account.id, visit.session.id)
        return self._pages.redirect(f"/account?done=signed-out&ended={ended}")


def _end_others(tx: Tx, account_id: int, session_id: int) -> int:
    return end_web_sessions(tx, account_id, but=session_id)


def _look(tx: Tx, account_id: int, now: int) -> tuple[tuple[int | None, int | None], SecondSteps, int, Diary]:
    return (
        two_step_and_password_since(tx, account_id),
        second_steps(tx, account_id),
        len(list_web_sessions(tx, account_id, now)),
        own_diary(tx, account_id, now=now, at_most=_RECENT),
    )
