"""What programs ask for by themselves, over http and https: the same answer for every name in a domain of ours."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from mailhost.autoconfig import addon, apple, autodiscover, mozilla, pacc
from mailhost.autoconfig.desk import Desk
from mailhost.autoconfig.settings import ClientSettings
from mailhost.login.model import Clock

_PREFIXES: Final = ("autoconfig.", "autodiscover.", "ua-auto-config.", "mail.")
_MAX_AGE: Final = "max-age=3600"
_PUBLIC: Final = {"x-content-type-options": "nosniff", "access-control-allow-origin": "*"}
"""Nothing here is secret: mail programs that run in a browser may read it, too."""
_ADDRESS: Final = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,253}")
_UNKNOWN: Final = "This domain's mail is not here. The address in the question, or the name of the host, says which.\n"


class AnyCase(Route):
    """A route whose path may be written with any capitals, as programs of Microsoft do."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As every route, with the path in small letters."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].lower()}
        return super().matches(scope)


class AutoconfigRoutes:
    """Settings in each format."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    def routes(self) -> list[Route]:
        """All of them. HEAD is GET without the body."""
        return [
            *(Route(path, self._mozilla) for path in mozilla.PATHS),
            Route(pacc.PATH, self._pacc),
            AnyCase("/autodiscover/autodiscover.xml", self._autodiscover, methods=["GET", "POST"]),
            AnyCase("/autodiscover/autodiscover.json", self._autodiscover_json),
            AnyCase("/autodiscover/autodiscover.json/v1.0/{address}", self._autodiscover_json),
            Route("/setup/mail.mobileconfig", self._profile),
            Route("/setup/thunderbird.xpi", self._add_on),
        ]

    async def _mozilla(self, request: Request) -> Response:
        settings = await self._settings(request, request.query_params.get("emailaddress", ""))
        if settings is None:
            return _unknown()
        return _conditional(request, mozilla.autoconfig(settings), f"{mozilla.MEDIA_TYPE}; charset=utf-8")

    async def _pacc(self, request: Request) -> Response:
        settings = await self._settings(request)
        if settings is None:
            return _unknown()
        return _conditional(request, pacc.document(settings), "application/json")

    async def _autodiscover(self, request: Request) -> Response:
        if (elsewhere := self._to_https(request)) is not None:
            return elsewhere
        asked = autodiscover.Asked("", "")
        if request.method == "POST":
            read = autodiscover.read_request(await request.body())
            asked = read if read is not None else asked
        if asked.schema == autodiscover.MOBILESYNC or not _ADDRESS.fullmatch(asked.address):
            return self._refuse(autodiscover.INVALID_REQUEST)
        if asked.schema != autodiscover.OUTLOOK:
            return self._refuse(autodiscover.UNKNOWN_SCHEMA)
        settings = await self._desk.settings(asked.address)
        if settings is None:
            return self._refuse(autodiscover.NO_SUCH_ADDRESS)
        return _xml(autodiscover.answer(settings, asked.address))

    def _refuse(self, trouble: tuple[int, str]) -> Response:
        return _xml(autodiscover.refusal(trouble, datetime.fromtimestamp(self._clock(), UTC)))

    async def _autodiscover_json(self, request: Request) -> Response:
        if (elsewhere := self._to_https(request)) is not None:
            return elsewhere
        asked = {name.lower(): value for name, value in request.query_params.items()}
        address = request.path_params.get("address", "") or asked.get("email", "")
        protocol = asked.get("protocol", "")
        answer = autodiscover.answer_json(protocol, request.url.netloc)
        headers = {**_PUBLIC, "cache-control": "no-store"}
        if answer is None or await self._settings(request, address) is None:
            return JSONResponse(autodiscover.refusal_json(protocol), 404 if protocol else 400, headers)
        return JSONResponse(answer, 200, headers)

    async def _profile(self, request: Request) -> Response:
        address = request.query_params.get("address", "").strip()
        settings = await self._desk.settings(address) if _ADDRESS.fullmatch(address) else None
        if settings is None:
            return _unknown()
        try:
            signed = self._desk.profile(settings, address)
        except apple.CannotMakeProfile as trouble:
            return PlainTextResponse(f"{trouble}\n", 404)
        headers = {"content-disposition": 'attachment; filename="mail.mobileconfig"', "cache-control": "no-store"}
        return Response(signed, 200, headers, apple.MEDIA_TYPE)

    async def _add_on(self, request: Request) -> Response:
        settings = await self._settings(request, request.query_params.get("address", ""))
        if settings is None:
            settings = await self._desk.settings(self._desk.reach.domain)
        manifest = await self._desk.thunderbird(settings) if settings is not None else None
        if manifest is None:
            return PlainTextResponse("Sign-in with OAuth is not set up for Thunderbird here.\n", 404)
        return _conditional(request, addon.package(manifest), addon.MEDIA_TYPE)

    async def _settings(self, request: Request, address: str = "") -> ClientSettings | None:
        """Those of the address in the question, else of the domain by whose name the host was asked."""
        settings = await self._desk.settings(address) if address else None
        host = (request.url.hostname or "").lower().removesuffix(".")
        for prefix in ("", *_PREFIXES):
            if settings is None and host.startswith(prefix):
                settings = await self._desk.settings(host.removeprefix(prefix))
        return settings

    def _to_https(self, request: Request) -> Response | None:
        """Answers with an address in them are given over https alone; POST stays POST."""
        if request.url.scheme == "https" or not self._desk.site:
            return None
        port = self._desk.reach.ports["https"]
        where = request.url.replace(scheme="https", port=None if port == 443 else port)
        return RedirectResponse(where, 302 if request.method != "POST" else 307)


def _xml(body: bytes) -> Response:
    return Response(body, 200, {**_PUBLIC, "cache-control": "no-store"}, f"{autodiscover.MEDIA_TYPE}; charset=utf-8")


def _unknown() -> Response:
    return PlainTextResponse(_UNKNOWN, 404, _PUBLIC)


def _conditional(request: Request, body: bytes, media_type: str) -> Response:
    """A document that may be kept for an hour, and then asked for again by its tag (RFC 9110 §13.1.2)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_PUBLIC, "cache-control": _MAX_AGE, "etag": tag, "vary": "host"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)
