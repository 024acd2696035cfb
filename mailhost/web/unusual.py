"""Sign-ins that look like somebody else's: their owner says that it was them, or that it was not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost import accounts, oauth
from mailhost.accounts import NoSuchAppPassword
from mailhost.accounts.audit.sql import list_unusual
from mailhost.accounts.held.sql import Held, NoSuchHeld, State, list_held
from mailhost.language import N_, Translations
from mailhost.login.catalogue import explain, explain_signs, shown_place
from mailhost.login.model import Clock
from mailhost.login.unusual import approve, deny, disown
from mailhost.network.atlas import Atlas
from mailhost.storage.database import Database, Tx
from mailhost.web.numbers import number_in
from mailhost.web.pages import Pages
from mailhost.web.setup import UNUSUAL
from mailhost.web.visits import Form, Visit, Visits

_SAID: Final = {
    "mine": N_("The program may sign in from there now. Have it try again."),
    "ended": N_("That password has ended meanwhile, so it opens nothing."),
    "settled": N_("That sign-in was decided already."),
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A held sign-in for the page. `name` is what its credential is called, empty once that has ended."""

    held: Held
    name: str
    is_app_password: bool
    why: str
    network: str

    @property
    def is_waiting(self) -> bool:
        """Whether there is anything to decide."""
        return self.held.state is State.WAITING and self.name != ""


class UnusualPages:
    """The page, and the two answers."""

    def __init__(self, visits: Visits, pages: Pages, database: Database, clock: Clock, atlas: Atlas) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._clock = clock
        self._atlas = atlas

    def routes(self) -> list[Route]:
        """All of them. Who lets somebody in has proved lately who they are; keeping somebody out is always allowed."""
        visits = self._visits
        return [
            Route(UNUSUAL, visits.page(self._list)),
            Route(f"{UNUSUAL}/{{number}}/mine", visits.action(self._mine, fresh=True), methods=["POST"]),
            Route(f"{UNUSUAL}/{{number}}/not-mine", visits.action(self._not_mine), methods=["POST"]),
            Route(f"{UNUSUAL}/password/{{number}}/not-mine", visits.action(self._disown), methods=["POST"]),
        ]

    async def _list(self, request: Request, visit: Visit) -> Response:
        held, names, passwords = await self._database.read(_held, visit.account.id)
        let_in = await self._database.read(list_unusual, visit.account.id)
        words = self._pages.words_of(request)
        shown = [self._shown(one, names, one.credential_id in passwords, words) for one in held]
        return self._pages.show(
            request,
            "account/unusual.html",
            waiting=[one for one in shown if one.is_waiting],
            decided=[one for one in shown if not one.is_waiting],
            let_in=[(row[0], row[1], explain(*row, words, self._atlas).sentence) for row in let_in],
            names=names,
            said=_SAID.get(request.query_params.get("said", "")),
        )

    def _shown(self, held: Held, names: dict[int, str], is_app_password: bool, words: Translations) -> _Shown:
        return _Shown(
            held,
            names.get(held.credential_id, ""),
            is_app_password,
            explain_signs(held.why, words),
            shown_place(held.network, words, self._atlas),
        )

    async def _mine(self, request: Request, visit: Visit, form: Form) -> Response:
        number = number_in(request.path_params["number"])
        everywhere = form.get("everywhere") == "yes"
        try:
            await self._database.write(approve, visit.account.id, number, int(self._clock()), everywhere=everywhere)
        except NoSuchHeld:
            return await self._not_waiting(visit, number)
        except NoSuchAppPassword:
            return self._pages.redirect(f"{UNUSUAL}?said=ended")
        return self._pages.redirect(f"{UNUSUAL}?said=mine")

    async def _not_mine(self, request: Request, visit: Visit, _form: Form) -> Response:
        number = number_in(request.path_params["number"])
        try:
            held = await self._database.write(deny, visit.account.id, number, int(self._clock()))
        except NoSuchHeld:
            return await self._not_waiting(visit, number)
        return self._pages.show(request, "account/unusual_denied.html", peer=held.peer)

    async def _disown(self, request: Request, visit: Visit, _form: Form) -> Response:
        number = number_in(request.path_params["number"])
        try:
            await self._database.write(disown, visit.account.id, number, int(self._clock()))
        except NoSuchAppPassword:
            raise HTTPException(404) from None
        return self._pages.show(request, "account/unusual_denied.html", peer="")

    async def _not_waiting(self, visit: Visit, number: int) -> Response:
        """A form was sent twice, or the number is nobody's, or somebody else's."""
        held, _, _ = await self._database.read(_held, visit.account.id)
        if number not in {one.id for one in held}:
            raise HTTPException(404)
        return self._pages.redirect(f"{UNUSUAL}?said=settled")


def _held(tx: Tx, account_id: int) -> tuple[list[Held], dict[int, str], frozenset[int]]:
    """The held sign-ins, the names of live credentials, and which of these are app passwords."""
    passwords = {one.id: one.name for one in accounts.list_app_passwords(tx, account_id)}
    programs = {one.id: one.name for one in oauth.list_grants(tx, account_id)}
    return list_held(tx, account_id), programs | passwords, frozenset(passwords)
