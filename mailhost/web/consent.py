"""The pages on which people let programs in: consent, the code that a device shows, and the list of programs."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost import oauth
from mailhost.language import N_
from mailhost.login.catalogue import shown_place, shown_time
from mailhost.login.model import Clock
from mailhost.login.names import read_user_name
from mailhost.login.programs import CodesUsedUp, answer_device, look_for_device, programs_of
from mailhost.login.tokens import revoke_program
from mailhost.network.atlas import Atlas
from mailhost.oauth import endpoints
from mailhost.oauth.endpoints import Asked
from mailhost.oauth.model import FULL_SCOPE
from mailhost.storage.database import Database
from mailhost.web.oauth import HouseOf
from mailhost.web.pages import Pages
from mailhost.web.visits import Form, Visit, Visits

_ALL: Final = N_("Read, change, delete and send your mail")
SCOPES: Final = {
    FULL_SCOPE: _ALL,
    "mail": _ALL,
    "imap": N_("Read, change and delete your mail (IMAP)"),
    "imap.readonly": N_("Read your mail, and change nothing (IMAP)"),
    "pop3": N_("Fetch and delete the mail of your inbox (POP3)"),
    "pop3.readonly": N_("Fetch the mail of your inbox, and delete nothing (POP3)"),
    "send-only": N_("Send mail from your addresses"),
}
"""What each scope lets a program do, in words."""

_ORDERS: Final = {
    "invalid_client": N_("The program is not known here. Perhaps the administrator removed it."),
    "invalid_request": N_("The program wants the answer to go to an address that was not made known for it."),
    "twice": N_("The program's request names a field twice."),
}
_OUT_OF_ORDER: Final = N_("The program's request is not in order ({error}).")
_PLAIN_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")


class ConsentPages:
    """Where people say what programs may."""

    def __init__(
        self, visits: Visits, pages: Pages, database: Database, house: HouseOf, atlas: Atlas, clock: Clock
    ) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._house = house
        self._atlas = atlas
        self._clock = clock
        self._ask_whoever_is_signed_in = visits.page(self._ask, fresh=True)

    def routes(self) -> list[Route]:
        """All of them."""
        visits = self._visits
        return [
            Route("/oauth/authorize", self._authorize),
            Route("/oauth/authorize", visits.action(self._decide, fresh=True), methods=["POST"]),
            Route("/oauth/device", self._device_by_its_other_name),
            Route("/device", visits.page(self._device, fresh=True)),
            Route("/device", visits.action(self._decide_device, fresh=True), methods=["POST"]),
            Route("/account/programs", visits.page(self._programs)),
            Route("/account/programs", visits.action(self._revoke), methods=["POST"]),
        ]

    # Consent

    async def _authorize(self, request: Request) -> Response:
        """What is not in order is answered before anybody signs in for it."""
        asked = await self._asked(request)
        if not isinstance(asked, Asked):
            return self._answered(request, asked)
        request.state.asked = asked
        return await self._ask_whoever_is_signed_in(request)

    async def _ask(self, request: Request, visit: Visit) -> Response:
        asked: Asked = request.state.asked
        return self._pages.show(
            request,
            "oauth/consent.html",
            leads_to=[_origin(asked.redirect_uri)],
            asked=asked,
            scopes=_in_words(asked.scopes),
            host=_shown_host(asked.redirect_uri),
            is_for_another=_names_another(request.query_params.get("login_hint", ""), visit.account.address),
        )

    async def _decide(self, request: Request, visit: Visit, form: Form) -> Response:
        fields = _fields(request)
        if fields is None:
            return self._out_of_order(request, "twice")
        answered = await self._database.write(
            endpoints.decide,
            self._house(),
            oauth.Request(fields),
            visit.account.id,
            allows=form.get("answer") == "allow",
            now=int(self._clock()),
        )
        return self._answered(request, answered)

    async def _asked(self, request: Request) -> Asked | oauth.Response | None:
        fields = _fields(request)
        if fields is None:
            return None
        now = int(self._clock())
        return await self._database.read(endpoints.consent, self._house(), oauth.Request(fields), now)

    def _answered(self, request: Request, answered: oauth.Response | None) -> Response:
        """On to the program, where it is clear who it is; else the person reads what is wrong."""
        if answered is None:
            return self._out_of_order(request, "twice")
        if not answered.location:
            return self._out_of_order(request, str(answered.json().get("error")))
        headers = self._pages.headers(request) | {"location": answered.location}
        return Response(status_code=303, headers=headers)

    def _out_of_order(self, request: Request, error: str) -> Response:
        """In our words alone: a page of ours is no place for those of whoever made the request."""
        sentence = self._pages.words_of(request).gettext(_ORDERS.get(error, _OUT_OF_ORDER)).format(error=error)
        return self._pages.show(request, "oauth/out_of_order.html", 400, sentence=sentence)

    # A device without a browser

    async def _device_by_its_other_name(self, request: Request) -> Response:
        return self._pages.redirect("/device" + (f"?{request.url.query}" if request.url.query else ""))

    async def _device(self, request: Request, visit: Visit) -> Response:
        code = request.query_params.get("user_code", "")[:_MAX_CODE]
        if not code:
            return self._show_device(request, code)
        now = int(self._clock())
        return self._show_device(
            request, code, await self._database.write(look_for_device, visit.account.id, code, now), is_looked_for=True
        )

    async def _decide_device(self, request: Request, visit: Visit, form: Form) -> Response:
        code, allows = form.get("user_code", "")[:_MAX_CODE], form.get("answer") == "allow"
        asked = await self._database.write(
            answer_device, self._house(), code, visit.account.id, allows=allows, now=int(self._clock())
        )
        if not isinstance(asked, Asked):
            return self._show_device(request, code, asked, is_looked_for=True)
        return self._pages.show(request, "oauth/device_answered.html", name=asked.name, allows=allows)

    def _show_device(
        self, request: Request, code: str, asked: Asked | CodesUsedUp | None = None, *, is_looked_for: bool = False
    ) -> Response:
        if isinstance(asked, Asked):
            scopes = _in_words(asked.scopes)
            return self._pages.show(request, "oauth/device.html", asked=asked, scopes=scopes, code=code)
        words, error, status = self._pages.words_of(request), "", 200
        if isinstance(asked, CodesUsedUp):
            sentence = words.gettext(N_("Too many codes were wrong. The next one is looked at from {until} on."))
            error, status = sentence.format(until=shown_time(int(asked.until))), 429
        elif is_looked_for:
            error = words.gettext(N_("No device waits under this code. Have the device show a new one."))
            status = 404
        return self._pages.show(request, "oauth/device_code.html", status, error=error, code=code)

    # Those who were let in

    async def _programs(self, request: Request, visit: Visit) -> Response:
        words = self._pages.words_of(request)
        found = await self._database.read(programs_of, visit.account.id)
        shown = [
            (
                each,
                _in_words(tuple(each.grant.scopes.split())),
                each.last and shown_place(each.last.network, words, self._atlas),
            )
            for each in found
        ]
        return self._pages.show(request, "account/programs.html", programs=shown)

    async def _revoke(self, _request: Request, visit: Visit, form: Form) -> Response:
        number = form.get("program", "")
        if number.isdecimal() and len(number) <= _MAX_NUMBER:
            with suppress(oauth.NoSuchGrant):  # withdrawn already: in another window
                await self._database.write(revoke_program, visit.account.id, int(number), int(self._clock()))
        return self._pages.redirect("/account/programs")


_MAX_CODE: Final = 40
_MAX_NUMBER: Final = 18


def _fields(request: Request) -> dict[str, str] | None:
    """The query; None when a field stands there twice (RFC 6749 §3.1)."""
    pairs = request.query_params.multi_items()
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def _names_another(hint: str, address: str) -> bool:
    """Whether a program is set up for another account, for which a token of this one would be of no use."""
    name = read_user_name(hint)
    return name is not None and name[1] is not None and "@".join((name[0], name[1])) != address


def _in_words(scopes: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(SCOPES[scope] for scope in scopes if scope in SCOPES))


def _origin(redirect_uri: str) -> str:
    """What a page's policy has to name, as browsers apply `form-action` to the redirects that follow a form, too: the
    origin, or the scheme alone where such a policy cannot spell the host ([::1])."""
    parts = urlsplit(redirect_uri)
    if parts.scheme in ("http", "https") and _PLAIN_HOST.fullmatch(parts.netloc):
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def _shown_host(redirect_uri: str) -> str:
    """The name of who gets the answer, as a person can judge it; empty for a program on their own device."""
    parts = urlsplit(redirect_uri)
    return (parts.hostname or "") if parts.scheme == "https" else ""
