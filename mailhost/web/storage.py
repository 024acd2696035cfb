"""What takes the space in an account, and how its owner makes room and undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost import mailstore
from mailhost.language import N_
from mailhost.limits import shown_size
from mailhost.login.model import Clock
from mailhost.mailstore import Layout, Mailbox, NoSuchMessage, OverQuota
from mailhost.mailstore.overview import Listed, Overview, discard, largest_messages, overview, undeletable
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from mailhost.web.numbers import number_in
from mailhost.web.pages import Pages
from mailhost.web.visits import Form, Visit, Visits

HERE: Final = "/account/storage"
_ENDS: Final = {"trash": "\\Trash", "spam": "\\Junk"}
_MOST_MAILBOXES: Final = 100
_KINDS: Final = (
    N_("Messages of 10 MB and more"),
    N_("Messages of 1 MB and more"),
    N_("Messages of 100 kB and more"),
    N_("Smaller messages"),
)
_SAID: Final = {
    "trashed": N_("The message is in the Trash."),
    "removed": N_("The message is removed. It can be put back for 30 days."),
    "emptied": N_("It is empty. What was in it can be put back for 30 days."),
    "restored": N_("The messages are back where they were."),
    "full": N_("There is not enough room to put them back."),
    "none": N_("No message was chosen."),
    "erased": N_("What was removed is erased for good."),
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the page tells; `mailboxes` are those that hold most, `others` how many more hold anything."""

    overview: Overview
    mailboxes: list[Mailbox]
    others: int
    largest: list[Listed]
    removed: list[Listed]
    trash: Mailbox | None
    spam: Mailbox | None
    shows_labels: bool


class StoragePages:
    """The page, and what its buttons do."""

    def __init__(self, visits: Visits, pages: Pages, database: Database, blobs: Blobs, clock: Clock) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._blobs = blobs
        self._clock = clock

    def routes(self) -> list[Route]:
        """All of them. What cannot be undone is done by those only who have proved lately who they are."""
        visits = self._visits
        return [
            Route(HERE, visits.page(self._show)),
            Route(f"{HERE}/discard/{{number}}", visits.action(self._discard), methods=["POST"]),
            Route(f"{HERE}/empty/{{which}}", visits.action(self._empty), methods=["POST"]),
            Route(f"{HERE}/restore", visits.action(self._restore), methods=["POST"]),
            Route(f"{HERE}/erase", visits.action(self._erase, fresh=True), methods=["POST"]),
        ]

    async def _show(self, request: Request, visit: Visit) -> Response:
        shown = await self._database.read(_shown, visit.account.id, int(self._clock()))
        return self._pages.show(
            request,
            "account/storage.html",
            shown=shown,
            usage=shown.overview.usage,
            kinds=list(zip(_KINDS, shown.overview.kinds, strict=True)),
            size=shown_size,
            said=_SAID.get(request.query_params.get("said", "")),
        )

    async def _discard(self, request: Request, visit: Visit, _form: Form) -> Response:
        number = number_in(request.path_params["number"])
        try:
            is_removed = await self._database.write(discard, visit.account.id, number, int(self._clock()))
        except NoSuchMessage:
            raise HTTPException(404) from None
        return self._pages.redirect(f"{HERE}?said={'removed' if is_removed else 'trashed'}")

    async def _empty(self, request: Request, visit: Visit, _form: Form) -> Response:
        special_use = _ENDS.get(request.path_params["which"])
        if special_use is None:
            raise HTTPException(404)
        account_id, now = visit.account.id, int(self._clock())
        is_more = await self._database.write(mailstore.empty_special, account_id, special_use, now)
        while is_more:  # maintenance goes on where the browser goes away
            is_more = await self._database.write(mailstore.empty_more, account_id, now)
        return self._pages.redirect(f"{HERE}?said=emptied")

    async def _restore(self, _request: Request, visit: Visit, form: Form) -> Response:
        numbers = [number_in(text) for text in form.getlist("message")]
        if not numbers:
            return self._pages.redirect(f"{HERE}?said=none")
        try:
            await self._database.write(mailstore.restore_removed, visit.account.id, numbers, int(self._clock()))
        except OverQuota:
            return self._pages.redirect(f"{HERE}?said=full")
        return self._pages.redirect(f"{HERE}?said=restored")

    async def _erase(self, _request: Request, visit: Visit, _form: Form) -> Response:
        account_id, now = visit.account.id, int(self._clock())
        while await self._database.write(mailstore.erase_expired, self._blobs, account_id, now, everything=True):
            pass
        return self._pages.redirect(f"{HERE}?said=erased")


def _shown(tx: Tx, account_id: int, now: int) -> _Shown:
    seen = overview(tx, account_id)
    filled = sorted((box for box in seen.mailboxes if box.messages), key=lambda box: box.octets, reverse=True)
    special = {box.special_use: box for box in filled}
    return _Shown(
        seen,
        filled[:_MOST_MAILBOXES],
        len(filled[_MOST_MAILBOXES:]),
        largest_messages(tx, account_id),
        undeletable(tx, account_id, now),
        special.get("\\Trash"),
        special.get("\\Junk"),
        mailstore.layout_of(tx, account_id) is Layout.GMAIL,
    )
