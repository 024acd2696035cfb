"""The pages that need neither an account nor a store: what an error means, the authority's certificate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mailhost.language import LANGUAGES
from mailhost.storage.errors import StorageError
from mailhost.web.help import TOPICS
from mailhost.web.pages import ASSETS, LANGUAGE_COOKIE, Pages, own_path, show_asset

_YEAR = 365 * 86_400


class Site:
    """Answers for every path; the facts may still grow while it serves."""

    def __init__(self, pages: Pages, is_well: Callable[[], Awaitable[bool]]) -> None:
        self._pages = pages
        self._is_well = is_well

    def application(self, further: Sequence[Route] = ()) -> Starlette:
        """As an ASGI application, with the routes of other areas."""
        self._pages.served = frozenset(route.path for route in further)
        return Starlette(
            routes=[
                *further,
                Route("/help", self._help),
                Route("/help/{topic}", self._help_topic),
                Route("/ca.pem", self._authority),
                Route("/healthz", self._health),
                Route("/language/{tag}", self._choose_language),
                *(Route(f"/{name}", show_asset) for name in ASSETS),
            ],
            exception_handlers={
                HTTPException: self._trouble,
                StorageError: self._store_away,
                Exception: self._broken,  # who asked gets a page; the bridge, which sees it all the same, logs it
            },
        )

    async def _help(self, request: Request) -> Response:
        return self._pages.show(request, "help.html", topics=TOPICS)

    async def _help_topic(self, request: Request) -> Response:
        topic = TOPICS.get(request.path_params["topic"])
        if topic is None:
            raise HTTPException(404)
        return self._pages.show(request, "topic.html", topic=topic)

    async def _authority(self, request: Request) -> Response:
        authority = self._pages.facts.authority
        if authority is None:
            raise HTTPException(404)
        headers = self._pages.headers(request) | {"content-disposition": 'attachment; filename="mailhost-ca.pem"'}
        return Response(authority.read_bytes(), media_type="application/x-pem-file", headers=headers)

    async def _health(self, request: Request) -> Response:
        if await self._is_well():
            return PlainTextResponse("ok\n", headers=self._pages.headers(request))
        return PlainTextResponse("the store does not answer\n", 503, self._pages.headers(request))

    async def _choose_language(self, request: Request) -> Response:
        tag = request.path_params["tag"]
        if tag not in LANGUAGES:
            raise HTTPException(404)
        response = self._pages.redirect(own_path(request.query_params.get("next", "/")))
        response.set_cookie(LANGUAGE_COOKIE, tag, max_age=_YEAR, samesite="lax")
        return response

    async def _trouble(self, request: Request, trouble: Exception) -> Response:
        assert isinstance(trouble, HTTPException)
        return self._pages.show(request, "trouble.html", trouble.status_code, code=trouble.status_code)

    async def _store_away(self, request: Request, _trouble: Exception) -> Response:
        return self._pages.show(request, "trouble.html", 503, code=503)

    async def _broken(self, request: Request, _mistake: Exception) -> Response:
        return self._pages.show(request, "trouble.html", 500, code=500)
