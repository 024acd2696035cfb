"""App passwords for their owners: made, shown once with the settings they go with, replaced, revoked."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost import accounts
from mailhost.accounts import (
    ALL_PROTOCOLS,
    AppPassword,
    BadName,
    BadScope,
    NoSuchAppPassword,
    Protocols,
    Scope,
    TooManyAppPasswords,
    TwoStepMissing,
)
from mailhost.accounts.sessions.sql import list_sessions
from mailhost.crypto import SecretKey
from mailhost.language import N_
from mailhost.login.catalogue import shown_place
from mailhost.login.enrol import issue_own_app_password, replace_app_password
from mailhost.login.model import Clock
from mailhost.network.atlas import Atlas
from mailhost.storage.database import Database, Tx
from mailhost.web.handover import Handover
from mailhost.web.numbers import number_in
from mailhost.web.pages import Pages
from mailhost.web.visits import Form, Visit, Visits

HERE: Final = "/account/app-passwords"
NAMES: Final = {"imap": Protocols.IMAP, "pop3": Protocols.POP3, "smtp": Protocols.SMTP}
_DAY: Final = 86_400
_DAYS: Final = {"1": N_("after a day"), "7": N_("after a week"), "90": N_("after 90 days"), "365": N_("after a year")}
_SAID: Final = {
    "revoked": N_("The app password is revoked. Whoever used it is signed out."),
    "made": N_("This form was sent already. What it made is in the list."),
    "expired": N_("This app password has expired, so it cannot be replaced. Make a new one."),
}
_WRONG_NAME: Final = N_("Give it a name of 1 to 100 characters, such as “Anna’s phone”.")
_NO_PROTOCOL: Final = N_("Choose at least one protocol that it may open.")
_WRONG_NETWORKS: Final = N_("Write networks like 192.0.2.0/24 or 2001:db8::/32, at most 20 of them.")
_TOO_MANY: Final = N_("There are as many app passwords as an account may have. Revoke one first.")


class AppPasswordPages:
    """The list, the form, and the one page on which a new app password can be read."""

    def __init__(
        self,
        visits: Visits,
        pages: Pages,
        database: Database,
        key: SecretKey,
        clock: Clock,
        handover: Handover,
        atlas: Atlas,
    ) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._key = key
        self._clock = clock
        self._handover = handover
        self._atlas = atlas

    def routes(self) -> list[Route]:
        """All of them. Whoever makes one has proved within ten minutes who they are; ending one is always allowed."""
        visits = self._visits
        return [
            Route(HERE, visits.page(self._list)),
            Route(f"{HERE}/new", visits.page(self._ask, fresh=True)),
            Route(f"{HERE}/new", visits.action(self._make, fresh=True), methods=["POST"]),
            Route(f"{HERE}/{{number}}/replace", visits.page(self._ask_replace, fresh=True)),
            Route(f"{HERE}/{{number}}/replace", visits.action(self._replace, fresh=True), methods=["POST"]),
            Route(f"{HERE}/{{number}}/revoke", visits.action(self._revoke), methods=["POST"]),
        ]

    async def _list(self, request: Request, visit: Visit) -> Response:
        words = self._pages.words_of(request)
        found, open_now = await self._database.read(_with_sessions, visit.account.id)
        return self._pages.show(
            request,
            "account/app_passwords.html",
            found=found,
            opens=shown_protocols,
            open_now=open_now,
            place=lambda address: shown_place(address, words, self._atlas),
            now=int(self._clock()),
            said=_SAID.get(request.query_params.get("said", "")),
        )

    # Making one

    async def _ask(self, request: Request, visit: Visit) -> Response:
        if not visit.has_two_step:
            return self._pages.redirect(HERE)
        last = await self._database.read(_last_made, visit.account.id)
        return self._form(request, Form({"last": str(last), "may": "all"}), ALL_PROTOCOLS, "")

    def _form(self, request: Request, form: Form, protocols: Protocols, error: str) -> Response:
        return self._pages.show(
            request,
            "account/app_password_new.html",
            422 if error else 200,
            form=form,
            protocols=protocols,
            names=NAMES,
            days=_DAYS,
            error=error,
            peer=request.client.host if request.client is not None else "",
        )

    async def _make(self, request: Request, visit: Visit, form: Form) -> Response:
        now = int(self._clock())
        scope = _scope(form, now)
        try:
            made = await self._database.write(_make, self._key, visit.account.id, form, scope, now)
        except BadName:
            return self._form(request, form, scope.protocols, _WRONG_NAME)
        except BadScope:
            return self._form(request, form, scope.protocols, _WRONG_NETWORKS if scope.protocols else _NO_PROTOCOL)
        except TooManyAppPasswords:
            return self._form(request, form, scope.protocols, _TOO_MANY)
        except TwoStepMissing:
            return self._pages.redirect(HERE)
        if made is None:
            return self._pages.redirect(f"{HERE}?said=made")
        return await self._show_made(request, visit, *made)

    async def _show_made(self, request: Request, visit: Visit, made: AppPassword, secret: str) -> Response:
        account = visit.account
        return self._pages.show(
            request,
            "account/app_password_made.html",
            made=made,
            opens=shown_protocols,
            secret=secret,
            offer=await self._handover.offer(account.address, account.display_name, made, secret),
        )

    # One that there is

    async def _ask_replace(self, request: Request, visit: Visit) -> Response:
        number = number_in(request.path_params["number"])
        try:
            old = await self._database.read(accounts.get_app_password, visit.account.id, number)
        except NoSuchAppPassword:
            raise HTTPException(404) from None
        return self._pages.show(request, "account/app_password_replace.html", old=old, opens=shown_protocols)

    async def _replace(self, request: Request, visit: Visit, _form: Form) -> Response:
        if not visit.has_two_step:
            return self._pages.redirect(HERE)
        number = number_in(request.path_params["number"])
        try:
            made = await self._database.write(
                replace_app_password, self._key, visit.account.id, number, int(self._clock())
            )
        except NoSuchAppPassword:
            raise HTTPException(404) from None
        except BadScope:
            return self._pages.redirect(f"{HERE}?said=expired")
        return await self._show_made(request, visit, *made)

    async def _revoke(self, request: Request, visit: Visit, _form: Form) -> Response:
        number = number_in(request.path_params["number"])
        try:
            await self._database.write(accounts.revoke_app_password, visit.account.id, number, int(self._clock()))
        except NoSuchAppPassword:
            raise HTTPException(404) from None
        return self._pages.redirect(f"{HERE}?said=revoked")


def shown_protocols(protocols: Protocols) -> str:
    """Their names, commas between."""
    return ", ".join(name.upper() for name, protocol in NAMES.items() if protocols & protocol)


def _with_sessions(tx: Tx, account_id: int) -> tuple[list[AppPassword], Counter[int]]:
    """The app passwords, the newest first, and how many sessions each has open."""
    sessions = Counter(session.credential_id for session in list_sessions(tx, account_id))
    return accounts.list_app_passwords(tx, account_id)[::-1], sessions


def _last_made(tx: Tx, account_id: int) -> int:
    return max((one.id for one in accounts.list_app_passwords(tx, account_id)), default=0)


def _make(
    tx: Tx, key: SecretKey, account_id: int, form: Form, scope: Scope, now: int
) -> tuple[AppPassword, str] | None:
    """Make one; None when the form was sent before, as by a page that is loaded again."""
    if form.get("last", "") != str(_last_made(tx, account_id)):
        return None
    return issue_own_app_password(tx, key, account_id, name=form.get("name", ""), now=now, scope=scope)


def _scope(form: Form, now: int) -> Scope:
    """What the form lets it do; protocols that do not go with reading or sending alone are left out."""
    chosen = Protocols(0)
    for name in form.getlist("protocols"):
        chosen |= NAMES.get(name, Protocols(0))
    may, days = form.get("may", "all"), form.get("days", "")
    if may == "send":
        chosen = Protocols.SMTP
    elif may == "read":
        chosen &= ~Protocols.SMTP
    networks = tuple(re.split(r"[\s,;]+", form.get("networks", "").strip())) if form.get("networks", "").strip() else ()
    return Scope(chosen, may == "read", networks, now + int(days) * _DAY if days in _DAYS else None)
