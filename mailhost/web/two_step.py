"""Setting two-step verification up: an authenticator app, passkeys, backup codes, and switching it off."""

from __future__ import annotations

import secrets
from typing import Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost.accounts import BadName, list_app_passwords
from mailhost.accounts.second_steps.sql import (
    NoSuchPasskey,
    PasskeyExists,
    TooManyPasskeys,
    list_passkeys,
)
from mailhost.accounts.web_sessions.sql import set_challenge
from mailhost.autoconfig.codes import svg
from mailhost.crypto import SecretKey
from mailhost.errors import MailhostError
from mailhost.language import N_
from mailhost.login import Clock, DoorKeeper
from mailhost.login.owners import Change
from mailhost.login.passkeys import BadPasskey, ask_to_make, keep_passkey, new_challenge
from mailhost.login.second_step import (
    SALT_OCTETS,
    LastStep,
    add_app,
    app_secret,
    app_uri,
    drop_app,
    drop_passkey,
    end_two_step,
    new_codes,
)
from mailhost.storage.database import Database
from mailhost.web.pages import Pages
from mailhost.web.sign_in import as_json, attempt_of, site_of
from mailhost.web.visits import Form, Visit, Visits

_TROUBLES: Final[dict[type[MailhostError], str]] = {
    BadName: N_("A passkey's name has 1 to 100 characters that can be seen."),
    BadPasskey: N_("The passkey did not answer as it should. Try it again."),
    PasskeyExists: N_("This passkey is known already."),
    TooManyPasskeys: N_("You have as many passkeys as there may be; remove one first."),
}


class TwoStepPages:
    """All of them ask for the second step, or the password, anew when the last one is some time ago."""

    def __init__(
        self, visits: Visits, pages: Pages, database: Database, key: SecretKey, keeper: DoorKeeper, clock: Clock
    ) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._key = key
        self._keeper = keeper.web
        self._clock = clock

    def routes(self) -> list[Route]:
        """All of them."""
        visits, here = self._visits, "/account/two-step"
        return [
            Route(f"{here}/app", visits.page(self._show_app, fresh=True)),
            Route(f"{here}/app", visits.action(self._add_app, fresh=True), methods=["POST"]),
            Route(f"{here}/app/remove", visits.action(self._drop_app, fresh=True), methods=["POST"]),
            Route(f"{here}/passkey", visits.page(self._show_passkey, fresh=True)),
            Route(f"{here}/passkey", visits.action(self._add_passkey, fresh=True), methods=["POST"]),
            Route(f"{here}/passkey/{{id:int}}/remove", visits.action(self._drop_passkey, fresh=True), methods=["POST"]),
            Route(f"{here}/codes", visits.action(self._renew_codes, fresh=True), methods=["POST"]),
            Route(f"{here}/off", visits.page(self._ask_off, fresh=True)),
            Route(f"{here}/off", visits.action(self._switch_off, fresh=True), methods=["POST"]),
        ]

    # The authenticator app

    async def _show_app(self, request: Request, visit: Visit) -> Response:
        return self._app_page(request, visit, secrets.token_bytes(SALT_OCTETS))

    async def _add_app(self, request: Request, visit: Visit, form: Form) -> Response:
        salt = _salt(form.get("salt", ""))
        code = form.get("code", "")[:100]
        codes = await self._database.write(add_app, self._key, visit.account.id, salt, code, self._clock())
        if codes is None:
            return self._app_page(request, visit, salt, is_wrong=True)
        return self._done(request, visit, codes, Change.APP, "app-added")

    def _app_page(self, request: Request, visit: Visit, salt: bytes, *, is_wrong: bool = False) -> Response:
        secret = app_secret(self._key, visit.account.id, salt)
        grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        code = svg(app_uri(secret, visit.account.address, self._pages.facts.web_host))
        return self._pages.show(
            request,
            "account/app.html",
            403 if is_wrong else 200,
            salt=salt.hex(),
            secret=grouped,
            code=Markup(code),  # noqa: S704 - drawn by ourselves
            is_wrong=is_wrong,
        )

    async def _drop_app(self, request: Request, visit: Visit, _form: Form) -> Response:
        try:
            await self._database.write(drop_app, visit.account.id)
        except LastStep:
            return self._pages.redirect("/account/two-step/off")
        self._note(request, visit, Change.APP)
        return self._pages.redirect("/account?done=app-removed")

    # Passkeys

    async def _show_passkey(self, request: Request, visit: Visit) -> Response:
        return await self._passkey_page(request, visit)

    async def _add_passkey(self, request: Request, visit: Visit, form: Form) -> Response:
        site, name = site_of(request, self._pages), form.get("name", "")
        if site is None:
            return await self._passkey_page(request, visit, BadPasskey)
        work = (site, self._key, visit.account.id, visit.session.id, name, form.get("passkey", ""), int(self._clock()))
        try:
            codes = await self._database.write(keep_passkey, *work)
        except (BadPasskey, BadName, PasskeyExists, TooManyPasskeys) as trouble:
            return await self._passkey_page(request, visit, type(trouble), name)
        return self._done(request, visit, codes, Change.PASSKEY, "passkey-added")

    async def _passkey_page(
        self, request: Request, visit: Visit, trouble: type[MailhostError] | None = None, name: str = ""
    ) -> Response:
        options, site = "", site_of(request, self._pages)
        if site is not None:
            known = await self._database.point(list_passkeys, visit.account.id)
            challenge = new_challenge()
            await self._database.write_relaxed(set_challenge, visit.account.id, visit.session.id, challenge)
            asked = ask_to_make(site, self._key, visit.account.id, visit.account.address, known, challenge)
            options = as_json(asked)
        error = self._pages.words_of(request).gettext(_TROUBLES[trouble]) if trouble is not None else ""
        status = 403 if trouble is not None else 200
        return self._pages.show(request, "account/passkey.html", status, options=options, error=error, name=name)

    async def _drop_passkey(self, request: Request, visit: Visit, _form: Form) -> Response:
        try:
            await self._database.write(drop_passkey, visit.account.id, request.path_params["id"])
        except LastStep:
            return self._pages.redirect("/account/two-step/off")
        except NoSuchPasskey:
            return self._pages.redirect("/account")
        self._note(request, visit, Change.PASSKEY)
        return self._pages.redirect("/account?done=passkey-removed")

    # Backup codes, and the end of it

    async def _renew_codes(self, request: Request, visit: Visit, _form: Form) -> Response:
        if not visit.has_two_step:
            return self._pages.redirect("/account")
        codes = await self._database.write(new_codes, self._key, visit.account.id)
        self._note(request, visit, Change.CODES)
        return self._pages.show(request, "account/codes.html", codes=codes, is_new=False)

    def _note(self, request: Request, visit: Visit, change: Change) -> None:
        self._keeper.note_change(change, visit.account.id, visit.account.address, attempt_of(request))

    def _done(self, request: Request, visit: Visit, codes: list[str], change: Change, what: str) -> Response:
        """The backup codes of those who have just begun; they are shown this once."""
        self._note(request, visit, Change.TWO_STEP_ON if codes else change)
        if not codes:
            return self._pages.redirect(f"/account?done={what}")
        return self._pages.show(request, "account/codes.html", codes=codes, is_new=True)

    async def _ask_off(self, request: Request, visit: Visit) -> Response:
        if not visit.has_two_step:
            return self._pages.redirect("/account")
        passwords = await self._database.point(list_app_passwords, visit.account.id)
        return self._pages.show(request, "account/two_step_off.html", passwords=[each.name for each in passwords])

    async def _switch_off(self, request: Request, visit: Visit, _form: Form) -> Response:
        ended = await self._database.write(end_two_step, visit.account.id, int(self._clock()))
        self._note(request, visit, Change.TWO_STEP_OFF)
        return self._pages.redirect(f"/account?done=two-step-off&ended={ended}")


def _salt(typed: str) -> bytes:
    """What the page put into its form; anything else is another salt, whose codes nobody knows."""
    try:
        salt = bytes.fromhex(typed)
    except ValueError:
        salt = b""
    return salt if len(salt) == SALT_OCTETS else secrets.token_bytes(SALT_OCTETS)
