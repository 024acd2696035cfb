"""The doctor's pages and its JSON API, for people with an account: why a mail program does not connect, anywhere.

A diagnosis runs behind its page, which looks again every other second; so it needs no script, and a page that is
loaded anew asks nothing twice.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import replace
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mailhost.doctor.catalogue import Language
from mailhost.doctor.client import NoAddress
from mailhost.doctor.evidence import all_said, said
from mailhost.doctor.sql import (
    LONGEST_SECONDS,
    DiagnosisRunning,
    TooManyDiagnoses,
    find_diagnosis,
    list_diagnoses,
)
from mailhost.doctor.targets import BadSetting, Encryption, Protocol
from mailhost.doctor.watch import explain, newest
from mailhost.domains import BadDomainName
from mailhost.errors import MailhostError
from mailhost.findings import Finding
from mailhost.language import N_
from mailhost.login.catalogue import explain as explain_sign_in
from mailhost.login.model import Clock
from mailhost.login.tokens import account_of_token
from mailhost.network.atlas import Atlas
from mailhost.storage.database import Database
from mailhost.web.diagnoses import Asked, Busy, Diagnoses
from mailhost.web.oauth import HouseOf
from mailhost.web.pages import Pages
from mailhost.web.visits import Form, Visit, Visits

_TROUBLES: Final[dict[type[MailhostError], str]] = {
    NoAddress: N_("This is no mail address: it has the form name@domain."),
    BadDomainName: N_("The part after @ is no domain."),
    BadSetting: N_("A server is a host name; its port is a number up to 65535."),
    TooManyDiagnoses: N_("You asked as often as one may in an hour. Ask again later."),
    DiagnosisRunning: N_("Your last question is still being looked into."),
}
_WATCH_SECONDS: Final = 900  # how long a page looks again by itself


class DoctorPages:
    """Everything under /doctor."""

    def __init__(
        self,
        visits: Visits,
        pages: Pages,
        database: Database,
        house: HouseOf,
        atlas: Atlas,
        diagnoses: Diagnoses,
        clock: Clock,
    ) -> None:
        self._visits = visits
        self._pages = pages
        self._database = database
        self._house = house
        self._atlas = atlas
        self._diagnoses = diagnoses
        self._clock = clock

    def routes(self) -> list[Route]:
        """All of them."""
        visits = self._visits
        return [
            Route("/doctor", visits.page(self._form)),
            Route("/doctor/ask", visits.action(self._ask), methods=["POST"]),
            Route("/doctor/watch", visits.page(self._watch)),
            Route("/doctor/{id:int}", visits.page(self._show)),
            Route("/api/doctor", self._answer, methods=["POST"]),
        ]

    # Pages

    async def _form(self, request: Request, visit: Visit) -> Response:
        typed = Form({"address": visit.account.address, **request.query_params})
        return await self._show_form(request, visit, typed)

    async def _show_form(
        self, request: Request, visit: Visit, typed: Form, error: str = "", status: int = 200
    ) -> Response:
        own = [each for each in self._diagnoses.providers().values() if each.rules is not None]
        return self._pages.show(
            request,
            "doctor/ask.html",
            status,
            typed=typed,
            error=error,
            providers=sorted(own, key=lambda each: each.title.casefold()),
            protocols=[each.value for each in Protocol],
            chosen=typed.getlist("protocols") or ["imap", "smtp"],
            encryptions=[(each.value, each.label) for each in Encryption],
            earlier=await self._database.read(list_diagnoses, visit.account.id),
        )

    async def _ask(self, request: Request, visit: Visit, form: Form) -> Response:
        words = self._pages.words_of(request)
        try:
            question = self._diagnoses.question(_asked(form))
            number = await self._diagnoses.begin(visit.account.id, question)
        except DiagnosisRunning:
            running = await self._database.read(list_diagnoses, visit.account.id)
            return self._pages.redirect(f"/doctor/{running[0].id}" if running else "/doctor")
        except MailhostError as error:
            told = words.gettext(_TROUBLES.get(type(error), str(error)))
            return await self._show_form(request, visit, form, told, 503 if isinstance(error, Busy) else 422)
        self._diagnoses.start(visit.account.id, number, question)
        return self._pages.redirect(f"/doctor/{number}")

    async def _show(self, request: Request, visit: Visit) -> Response:
        found = await self._database.read(find_diagnosis, visit.account.id, request.path_params["id"])
        if found is None:
            raise HTTPException(404)
        if found.ended_at is None and self._clock() - found.asked_at < LONGEST_SECONDS:
            language = self._language(request)
            return self._pages.show(request, "doctor/running.html", case=found, progress=said(found.progress, language))
        if not found.reports:
            return self._pages.show(request, "doctor/interrupted.html", case=found)
        report = json.loads(found.reports)[self._language(request).value]
        return self._pages.show(request, "doctor/report.html", case=found, report=report)

    async def _watch(self, request: Request, visit: Visit) -> Response:
        """The sign-ins to the reader's own account since the page was opened, the newest first."""
        now = int(self._clock())
        since = request.query_params.get("since", "")
        if not since.isdecimal() or not now - 86_400 <= int(since) <= now:
            return self._pages.redirect(f"/doctor/watch?since={now}")
        rows = await self._database.read(newest, visit.account.id, "", now)
        words = self._pages.words_of(request)
        attempts = [
            (
                _shown(explain(*row).finding, self._language(request)),
                row[1].at,
                explain_sign_in(*row, words, self._atlas),
            )
            for row in sorted(rows, key=lambda row: -row[1].at)
            if row[1].at >= int(since) and row[0].protocol != "web"
        ]
        return self._pages.show(
            request, "doctor/watch.html", attempts=attempts, waits=now - int(since) < _WATCH_SECONDS, since=int(since)
        )

    def _language(self, request: Request) -> Language:
        return Language.CHINESE if self._pages.language_of(request) == "zh-CN" else Language.ENGLISH

    # For programs

    async def _answer(self, request: Request) -> Response:
        """JSON in, the report as JSON out, once it is there: within two minutes."""
        account_id = await self._who(request)
        if account_id is None:
            return _refused(
                401, "unauthorized", "Send an OAuth access token, or the session's cookie and X-CSRF-Token."
            )
        try:
            asked = msgspec.json.decode(await request.body(), type=Asked)
            question = self._diagnoses.question(asked)
            number = await self._diagnoses.begin(account_id, question)
        except msgspec.DecodeError as error:
            return _refused(400, "bad_question", str(error))
        except DiagnosisRunning as error:
            return _refused(409, "running", str(error))
        except (Busy, TooManyDiagnoses) as error:
            return _refused(429, "too_many", str(error))
        except MailhostError as error:
            return _refused(400, "bad_question", str(error))
        reports = await self._diagnoses.start(account_id, number, question)
        if not reports:
            return _refused(504, "unfinished", "The diagnosis did not end in time; ask again.")
        return JSONResponse(json.loads(reports)[asked.language], headers={"cache-control": "no-store"})

    async def _who(self, request: Request) -> int | None:
        if request.url.scheme != "https":
            return None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            digest = self._house().digest(token.strip())
            return await self._database.read(account_of_token, digest, int(self._clock()))
        visit = await self._visits.current(request)
        shown = request.headers.get("x-csrf-token", "").encode("utf-8", "surrogatepass")
        if visit is None or request.state.visit is None or not hmac.compare_digest(shown, visit.csrf.encode()):
            return None
        return visit.account.id


def _asked(form: Form) -> Asked:
    """The fields of the page as a program would send them."""
    servers = []
    for protocol in Protocol:
        name = protocol.value
        if host := form.get(f"{name}_host", "").strip():
            port, encryption = form.get(f"{name}_port", "").strip(), form.get(f"{name}_encryption", "")
            host = f"[{host}]" if ":" in host.strip("[]") else host
            servers.append(f"{name}={host}{f':{port}' if port else ''}{f'/{encryption}' if encryption else ''}")
    return msgspec.convert(
        {
            "address": form.get("address", ""),
            "provider": form.get("provider", "auto"),
            "protocols": [each.value for each in Protocol if each.value in form.getlist("protocols")],
            "servers": servers,
            "message": form.get("message", ""),
        },
        Asked,
    )


def _shown(finding: Finding | None, language: Language) -> Finding | None:
    if finding is None:
        return None
    return replace(finding, where=said(finding.where, language), evidence=tuple(all_said(finding.evidence, language)))


def _refused(status: int, error: str, message: str) -> Response:
    return JSONResponse({"error": error, "message": message}, status, headers={"cache-control": "no-store"})
