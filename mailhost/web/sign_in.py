"""Signing in and out: the account password, then the second step of those who have one; again before what is grave."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost.accounts.audit.model import Cause
from mailhost.accounts.second_steps.sql import Passkey, second_steps
from mailhost.accounts.web_sessions.sql import (
    NoSuchWebSession,
    Stage,
    end_web_session,
    open_session,
    prove,
    set_challenge,
)
from mailhost.language import N_
from mailhost.login import Clock, DoorKeeper, Reason, Refused
from mailhost.login import Visit as Attempt
from mailhost.login.catalogue import shown_time
from mailhost.login.names import read_user_name
from mailhost.login.passkeys import Options, Site, ask_to_sign, new_challenge
from mailhost.storage.database import Database, Tx
from mailhost.web.pages import Pages, own_path
from mailhost.web.visits import Form, Visit, Visits, new_token, who_asks

REFUSALS: Final = {
    Reason.WRONG_CREDENTIALS: N_("The address or the password is not right."),
    Reason.ACCOUNT_SUSPENDED: N_("This account is suspended. Ask the administrator of this server."),
    Reason.THROTTLED: N_("Too many wrong ones. The next one is looked at from {until} on."),
    Reason.TEMPORARY: N_("The server is busy. Try again in a minute."),
}
WRONG_STEP: Final = N_("That is not right, or was used already. Each code works once; wait for the next one.")
WRONG_PASSWORD: Final = N_("The password is not right.")
STATUS: Final = {Reason.THROTTLED: 429, Reason.TEMPORARY: 503}


class SignInPages:
    """The pages on which people say who they are."""

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
            Route("/sign-in", visits.open_page(self._ask_password)),
            Route("/sign-in", visits.open_action(self._take_password), methods=["POST"]),
            Route("/sign-in/second", visits.open_page(self._ask_second)),
            Route("/sign-in/second", visits.open_action(self._take_second), methods=["POST"]),
            Route("/sign-in/again", visits.page(self._ask_again)),
            Route("/sign-in/again", visits.action(self._take_again), methods=["POST"]),
            Route("/sign-out", visits.action(self._sign_out), methods=["POST"]),
        ]

    # The account password

    async def _ask_password(self, request: Request, visit: Visit | None) -> Response:
        to = own_path(request.query_params.get("next", ""))
        if visit is not None and visit.session.stage is Stage.OPEN:
            return self._pages.redirect(to)
        return self._pages.show(request, "sign_in/password.html", next=to, address=_hinted(to), error="")

    async def _take_password(self, request: Request, _visit: Visit | None, form: Form) -> Response:
        to, address, attempt = own_path(form.get("next", "")), form.get("address", "").strip(), attempt_of(request)
        try:
            candidate = await self._keeper.check_password(address, form.get("password", ""), attempt)
        except Refused as refused:
            error = words_of(self._pages, request, refused)
            status = STATUS.get(refused.reason, 403)
            return self._pages.show(request, "sign_in/password.html", status, next=to, address=address, error=error)
        stage = Stage.PASSWORD if candidate.has_two_step else Stage.OPEN
        token = new_token()
        await self._database.write(
            _open, candidate.account_id, self._visits.digest(token), stage, who_asks(request), int(self._clock())
        )
        if stage is Stage.PASSWORD:
            self._keeper.tell(Cause.SECOND_STEP_AWAITED, attempt, candidate.account_id)
            return self._visits.sign_in(second_path("/sign-in/second", to), token)
        await self._keeper.welcome(candidate.account_id, candidate.address, attempt)
        return self._visits.sign_in(to, token)

    # The second step

    async def _ask_second(self, request: Request, visit: Visit | None) -> Response:
        to = own_path(request.query_params.get("next", ""))
        if visit is None:
            return self._pages.redirect(second_path("/sign-in", to))
        if visit.session.stage is Stage.OPEN:
            return self._pages.redirect(to)
        return await self._show_second(request, visit, to)

    async def _take_second(self, request: Request, visit: Visit | None, form: Form) -> Response:
        to = own_path(form.get("next", ""))
        if visit is None:
            return self._pages.redirect(second_path("/sign-in", to))
        attempt = attempt_of(request)
        try:
            await self._check_second(request, visit, form, attempt)
        except Refused as refused:
            return await self._show_second(request, visit, to, refused)
        await self._keeper.welcome(visit.account.id, visit.account.address, attempt)
        return await self._go_on(visit, to)

    async def _check_second(self, request: Request, visit: Visit, form: Form, attempt: Attempt) -> None:
        answer, site = form.get("passkey", ""), site_of(request, self._pages)
        if answer and site is not None:
            await self._keeper.check_passkey(visit.account.id, visit.session.id, site, answer, attempt)
        else:
            await self._keeper.check_code(visit.account.id, visit.account.address, form.get("code", ""), attempt)

    async def _show_second(
        self, request: Request, visit: Visit, to: str, refused: Refused | None = None, *, again: bool = False
    ) -> Response:
        steps = await self._database.point(second_steps, visit.account.id)
        error = ""
        if refused is not None:
            error = words_of(self._pages, request, refused, {Reason.WRONG_CREDENTIALS: WRONG_STEP})
        return self._pages.show(
            request,
            "sign_in/second.html",
            200 if refused is None else STATUS.get(refused.reason, 403),
            next=to,
            error=error,
            again=again,
            action="/sign-in/again" if again else "/sign-in/second",
            address=visit.account.address,
            has_app=steps.app_since is not None,
            options=await self._options(request, visit, steps.passkeys),
        )

    async def _options(self, request: Request, visit: Visit, passkeys: list[Passkey]) -> str:
        """What a passkey is asked, for the script; empty where there is none or it cannot be used."""
        site = site_of(request, self._pages)
        if site is None or not passkeys:
            return ""
        challenge = new_challenge()
        await self._database.write_relaxed(set_challenge, visit.account.id, visit.session.id, challenge)
        return as_json(ask_to_sign(site, passkeys, challenge))

    # Once more, before what is grave

    async def _ask_again(self, request: Request, visit: Visit) -> Response:
        to = own_path(request.query_params.get("next", ""))
        if visit.has_two_step:
            return await self._show_second(request, visit, to, again=True)
        return self._pages.show(request, "sign_in/again.html", next=to, error="")

    async def _take_again(self, request: Request, visit: Visit, form: Form) -> Response:
        to, attempt = own_path(form.get("next", "")), attempt_of(request)
        try:
            if visit.has_two_step:
                await self._check_second(request, visit, form, attempt)
            else:
                await self._keeper.check_password(visit.account.address, form.get("password", ""), attempt)
        except Refused as refused:
            if visit.has_two_step:
                return await self._show_second(request, visit, to, refused, again=True)
            error = words_of(self._pages, request, refused, {Reason.WRONG_CREDENTIALS: WRONG_PASSWORD})
            status = STATUS.get(refused.reason, 403)
            return self._pages.show(request, "sign_in/again.html", status, next=to, error=error)
        return await self._go_on(visit, to)

    async def _go_on(self, visit: Visit, to: str) -> Response:
        """The session under another token; when it ended meanwhile, back to the beginning."""
        token = new_token()
        now = int(self._clock())
        try:
            await self._database.write(prove, visit.account.id, visit.session.id, self._visits.digest(token), now)
        except NoSuchWebSession:
            return self._visits.sign_out("/sign-in")
        return self._visits.sign_in(to, token)

    async def _sign_out(self, _request: Request, visit: Visit, form: Form) -> Response:
        """Away; `next` names the page that somebody wants to see as somebody else."""
        with suppress(NoSuchWebSession):
            await self._database.write(end_web_session, visit.account.id, visit.session.id)
        to = f"?next={quote(own_path(form['next']), safe='')}" if "next" in form else ""
        return self._visits.sign_out("/sign-in" + to)


def _open(tx: Tx, account_id: int, digest: bytes, stage: Stage, who: dict[str, str], now: int) -> None:
    open_session(tx, account_id, digest, stage=stage, **who, now=now)


def _hinted(path: str) -> str:
    """The address that a program named in its request for consent (`login_hint`), so that nobody types it twice."""
    parts = urlsplit(path)
    hints = parse_qs(parts.query).get("login_hint", [""]) if parts.path == "/oauth/authorize" else [""]
    return hints[0] if read_user_name(hints[0]) is not None else ""


def words_of(pages: Pages, request: Request, refused: Refused, sentences: dict[Reason, str] | None = None) -> str:
    """Why somebody is not let in, in their language."""
    sentence = pages.words_of(request).gettext((REFUSALS | (sentences or {}))[refused.reason])
    return sentence.format(until=shown_time(int(refused.until or 0)))


def second_path(path: str, to: str) -> str:
    """A page of the sign-in that leads on to another one."""
    return f"{path}?next={quote(to, safe='')}"


def site_of(request: Request, pages: Pages) -> Site | None:
    """Where passkeys can be used: only under the one name of ours, to which they are bound."""
    host = pages.facts.web_host
    if request.url.hostname != host:
        return None
    return Site(host, f"https://{request.headers.get('host', '')}")


def as_json(options: Options) -> str:
    """For the script."""
    return json.dumps(options, separators=(",", ":"))


def attempt_of(request: Request) -> Attempt:
    """A try to sign in, as the diary tells it."""
    who, tls = who_asks(request), request.state.tls
    return Attempt(
        "web",
        request.url.port or 443,
        who["peer"],
        request.state.connection_id,
        tls_version=tls.version if tls is not None else None,
        client_id=who["client"],
        server_name=tls.server_name if tls is not None else None,
    )
