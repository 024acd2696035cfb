"""The diary of sign-ins for its owner: each attempt in a sentence, with what to do and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost.accounts.audit.model import LET_IN, PASSING, Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import NEWEST
from mailhost.accounts.held.sql import count_waiting
from mailhost.language import N_, Translations
from mailhost.login.catalogue import PROTOCOLS, Entry, explain
from mailhost.login.model import Clock
from mailhost.login.readers import Diary, own_diary
from mailhost.network.atlas import Atlas
from mailhost.storage.database import Database, Tx
from mailhost.web.help import TOPICS
from mailhost.web.numbers import number_in
from mailhost.web.pages import NAVIGATION, Pages
from mailhost.web.setup import UNUSUAL
from mailhost.web.visits import Visit, Visits

HERE: Final = "/account/sign-ins"
PAGE: Final = 50
_NAMES: Final = NAVIGATION | {UNUSUAL: N_("Unusual sign-ins")}
_INSTEAD: Final = {"bad-credentials": "/account/app-passwords"}
"""Topics of the help that send people to this very page, and where to go from here."""


@dataclass(frozen=True, slots=True)
class Told:
    """One row for the page. `remedy` is (path, name) of where it can be done, None where that is not here.

    `mark` is (class, word): whether somebody was let in.
    """

    sign_in: SignIn
    occurrence: Occurrence
    entry: Entry
    protocol: str
    mark: tuple[str, str]
    remedy: tuple[str, str] | None


class DiaryPages:
    """The diary, a page of it at a time."""

    def __init__(self, visits: Visits, pages: Pages, database: Database, clock: Clock, atlas: Atlas) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._clock = clock
        self._atlas = atlas

    def routes(self) -> list[Route]:
        """The page."""
        return [Route(HERE, self._visits.page(self._list))]

    async def _list(self, request: Request, visit: Visit) -> Response:
        query = request.query_params
        before = number_in(query["before"]) if query.get("before") else NEWEST
        failures_only = query.get("show") == "failures"
        rows, waiting = await self._database.read(
            _rows, visit.account.id, int(self._clock()), before=before, failures_only=failures_only
        )
        words = self._pages.words_of(request)
        told = [self._told(*row, words) for row in rows[:PAGE]]
        further = None
        if len(rows) > PAGE:
            kept = {"show": "failures"} if failures_only else {}
            further = f"{HERE}?{urlencode(kept | {'before': told[-1].occurrence.id})}"
        return self._pages.show(
            request,
            "account/sign_ins.html",
            told=told,
            failures_only=failures_only,
            is_first=before == NEWEST,
            further=further,
            waiting=waiting,
        )

    def _told(self, sign_in: SignIn, occurrence: Occurrence, words: Translations) -> Told:
        entry = explain(sign_in, occurrence, words, self._atlas)
        topic = TOPICS.get(entry.topic)
        page = _INSTEAD.get(entry.topic, topic.page if topic is not None else "")
        return Told(
            sign_in,
            occurrence,
            entry,
            PROTOCOLS.get(sign_in.protocol, sign_in.protocol),
            _mark(sign_in.cause),
            (page, _NAMES[page]) if page in self._pages.served and page in _NAMES and page != HERE else None,
        )


def _mark(cause: Cause) -> tuple[str, str]:
    if cause in LET_IN:
        return "on", N_("Signed in")
    return ("faint", N_("For your information")) if cause in PASSING else ("off", N_("Problem"))


def _rows(tx: Tx, account_id: int, now: int, *, before: int, failures_only: bool) -> tuple[Diary, int]:
    """A page of rows and one more, and how many sign-ins wait for their owner's word."""
    rows = own_diary(tx, account_id, now=now, at_most=PAGE + 1, before=before, failures_only=failures_only)
    return rows, count_waiting(tx, account_id)
