"""Who is signed in: the cookie, what it opens, and which form comes from a page of ours.

One cookie holds a random token, of which the store keeps a keyed digest. Every step of signing in draws another token,
so that none that somebody knew before opens anything afterwards. What a form has to show is made of the token, too.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mailhost.accounts.model import Account
from mailhost.accounts.web_sessions.sql import WHOLE_SECONDS, Stage, WebSession, find_guest, touch
from mailhost.crypto import SecretKey
from mailhost.login.model import Clock
from mailhost.login.names import printable
from mailhost.storage.database import Database
from mailhost.web.pages import Pages, own_path

COOKIE: Final = "__Host-session"
FRESH_SECONDS: Final = 600
_SEEN_EVERY: Final = 300
_MAX_FIELDS: Final = 200
_TOKEN: Final = "web-session"  # noqa: S105 - the purpose of a digest
_FORM: Final = "web-form"

Form = ImmutableMultiDict[str, str]
"""What was typed: `form.get("name", "")`, `form.getlist("protocols")`."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request by somebody who is signed in. `is_fresh`: they proved who they are within ten minutes."""

    account: Account
    session: WebSession
    has_two_step: bool
    language: str
    is_fresh: bool
    csrf: str = field(repr=False)


PageHandler = Callable[[Request, Visit], Awaitable[Response]]
ActionHandler = Callable[[Request, Visit, Form], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Visits:
    """Wraps what makes pages and what forms do into endpoints for those who may."""

    def __init__(self, database: Database, key: SecretKey, pages: Pages, clock: Clock) -> None:
        self._database = database
        self._key = key
        self._pages = pages
        self._clock = clock

    # For those who are signed in

    def page(self, handler: PageHandler, *, fresh: bool = False) -> Endpoint:
        """A page by GET; others are led to the sign-in and back."""

        async def endpoint(request: Request) -> Response:
            if (elsewhere := self._leads_elsewhere(request)) is not None:
                return elsewhere
            visit = await self.current(request)
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            if visit is None or visit.session.stage is not Stage.OPEN:
                return self._pages.redirect(f"/sign-in?next={quote(own_path(here), safe='')}")
            if fresh and not visit.is_fresh:
                return self._pages.redirect(f"/sign-in/again?next={quote(own_path(here), safe='')}")
            return await handler(request, visit)

        return endpoint

    def action(self, handler: ActionHandler, *, fresh: bool = False) -> Endpoint:
        """What a form of ours does by POST; others are led to the sign-in, and then to the page the form stood on."""

        async def endpoint(request: Request) -> Response:
            if (elsewhere := self._leads_elsewhere(request)) is not None:
                return elsewhere
            visit = await self.current(request)
            form = await self.own_form(request)
            if form is None:
                return self.foreign_form(request)
            if visit is None or visit.session.stage is not Stage.OPEN:
                return self._pages.redirect(f"/sign-in?next={quote(_page_before(request), safe='')}")
            if fresh and not visit.is_fresh:
                return self._pages.redirect(f"/sign-in/again?next={quote(_page_before(request), safe='')}")
            return await handler(request, visit, form)

        return endpoint

    # For pages that anybody may see

    def open_page(self, handler: Callable[[Request, Visit | None], Awaitable[Response]]) -> Endpoint:
        """A page by GET for everybody, over HTTPS; the visit may be at the first stage only."""

        async def endpoint(request: Request) -> Response:
            if (elsewhere := self._leads_elsewhere(request)) is not None:
                return elsewhere
            visit = await self.current(request)
            response = await handler(request, visit)
            if COOKIE not in request.cookies:
                self._give(response, request.state.token)
            return response

        return endpoint

    def open_action(self, handler: Callable[[Request, Visit | None, Form], Awaitable[Response]]) -> Endpoint:
        """What a form on such a page does."""

        async def endpoint(request: Request) -> Response:
            if (elsewhere := self._leads_elsewhere(request)) is not None:
                return elsewhere
            visit = await self.current(request)
            form = await self.own_form(request)
            return self.foreign_form(request) if form is None else await handler(request, visit, form)

        return endpoint

    # The parts of it

    async def current(self, request: Request) -> Visit | None:
        """Whose browser asks, at whatever stage; notes it and the word for its forms in the request."""
        token = request.cookies.get(COOKIE, "")
        request.state.token = token or new_token()
        request.state.csrf = self._key.digest(_FORM, request.state.token.encode()).hex()
        if not token:
            return None
        now = int(self._clock())
        guest = await self._database.point(find_guest, self.digest(token), now)
        if guest is None:
            return None
        session = guest.session
        if session.stage is Stage.OPEN and now - session.seen_at >= _SEEN_EVERY:
            await self._database.write_relaxed(touch, guest.account.id, session.id, **who_asks(request), now=now)
        visit = Visit(
            guest.account,
            session,
            guest.has_two_step,
            guest.language,
            session.stage is Stage.OPEN and now - session.proved_at < FRESH_SECONDS,
            request.state.csrf,
        )
        request.state.visit = visit if session.stage is Stage.OPEN else None
        return visit

    async def own_form(self, request: Request) -> Form | None:
        """The fields of a form that stood on a page of ours in this browser; None for any other.

        Browsers say where a form stood; a program that does not has read the word for forms all the same.
        """
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if site not in (None, "same-origin") or origin not in (None, f"https://{request.headers.get('host', '')}"):
            return None
        try:  # the bridge bounds the body
            pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError:
            return None
        form = Form(pairs)
        shown = form.get("csrf", "").encode("utf-8", "surrogatepass")
        return form if hmac.compare_digest(shown, request.state.csrf.encode()) else None

    def foreign_form(self, request: Request) -> Response:
        """The answer to a form that is not ours, or was ours before somebody signed in or out."""
        return self._pages.show(request, "foreign_form.html", 403, back=_page_before(request))

    def digest(self, token: str) -> bytes:
        """What the store keeps of a token."""
        return self._key.digest(_TOKEN, token.encode("utf-8", "surrogatepass"))

    def sign_in(self, path: str, token: str) -> Response:
        """On to a page of ours, with another token from now on."""
        response = self._pages.redirect(path)
        self._give(response, token)
        return response

    def sign_out(self, path: str) -> Response:
        """On to a page of ours, with no token any more."""
        response = self._pages.redirect(path)
        response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
        return response

    def _give(self, response: Response, token: str) -> None:
        response.set_cookie(COOKIE, token, max_age=WHOLE_SECONDS, secure=True, httponly=True, samesite="lax")

    def _leads_elsewhere(self, request: Request) -> Response | None:
        """Without TLS nothing of this is shown or taken: on to the same page with it."""
        if request.url.scheme == "https":
            return None
        path = own_path(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
        return RedirectResponse(self._pages.facts.base_url_from(request.url.hostname or "") + path, 303)


def new_token() -> str:
    """What a browser holds: 256 random bits."""
    return secrets.token_urlsafe(32)


def who_asks(request: Request) -> dict[str, str]:
    """The address of a browser and what it calls itself, as the store keeps them."""
    peer = request.client.host if request.client is not None else ""
    return {"peer": peer, "client": printable(request.headers.get("user-agent", ""))}


def _page_before(request: Request) -> str:
    """The page of ours on which a form stood."""
    parts = urlsplit(request.headers.get("referer", ""))
    is_ours = parts.netloc == request.headers.get("host", "")
    return own_path(parts.path + (f"?{parts.query}" if parts.query else "")) if is_ours else "/account"
