"""The authorization server's endpoints that need no page, as thin routes: form in, JSON out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mailhost import oauth
from mailhost.crypto import SecretKey
from mailhost.login.model import Clock
from mailhost.oauth import endpoints
from mailhost.oauth.clients import register
from mailhost.storage.database import Database, Tx

_MAX_FIELDS: Final = 50
HouseOf = Callable[[], oauth.House]
Endpoint = Callable[[Tx, oauth.House, oauth.Request, int], oauth.Response]


class OAuthRoutes:
    """Mounted by the site. `registration` lets programs make themselves known."""

    def __init__(self, database: Database, house: HouseOf, key: SecretKey, clock: Clock, *, registration: bool) -> None:
        self._database = database
        self._house = house
        self._key = key
        self._clock = clock
        self._registration = registration

    def routes(self) -> list[Route]:
        """All of them."""
        found = [
            Route("/.well-known/oauth-authorization-server", self._metadata),
            Route("/oauth/token", self._answers(endpoints.token), methods=["POST"]),
            Route("/oauth/revoke", self._answers(endpoints.revoke), methods=["POST"]),
            Route("/oauth/introspect", self._answers(endpoints.introspect), methods=["POST"]),
            Route("/oauth/device", self._answers(endpoints.device), methods=["POST"]),
        ]
        if self._registration:
            found.append(Route("/oauth/register", self._register, methods=["POST"]))
        return found

    def _answers(self, endpoint: Endpoint) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            if request.url.scheme != "https":  # RFC 6749 §3.2; the token that came is known to whoever listens in
                return JSONResponse(_WITHOUT_TLS, 403)
            asked = await read_form(request)
            if asked is None:
                return JSONResponse({"error": "invalid_request"}, 400)
            answered = await self._database.write(endpoint, self._house(), asked, int(self._clock()))
            return as_response(answered)

        return answer

    async def _register(self, request: Request) -> Response:
        if request.url.scheme != "https":
            return JSONResponse(_WITHOUT_TLS, 403)
        body = await request.body()
        return as_response(await self._database.write(register, self._key, body, int(self._clock())))

    async def _metadata(self, _request: Request) -> Response:
        return JSONResponse(endpoints.metadata(self._house().issuer, registration=self._registration))


_WITHOUT_TLS: Final = {"error": "invalid_request", "error_description": "Ask over https."}


async def read_form(request: Request) -> oauth.Request | None:
    """The form of a POST, with what a revocation may have in its query; None when a field stands there twice."""
    body = await request.body()
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return None
    pairs += [(name, value) for name, value in request.query_params.multi_items() if name == "token"]
    fields = dict(pairs)
    if len(fields) != len(pairs):  # RFC 6749 §3.2: no parameter more than once
        return None
    peer = request.client.host if request.client is not None else ""
    return oauth.Request(fields, request.headers.get("authorization", ""), peer)


def as_response(answered: oauth.Response) -> Response:
    """An answer of the authorization server for HTTP; nothing of it may be cached."""
    headers = {name.lower(): value for name, value in answered.headers} | {"cache-control": "no-store"}
    return Response(answered.body, answered.status, headers)
