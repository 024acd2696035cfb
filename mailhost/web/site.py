"""The pages: how to set up a mail program, what an error means, the authority's certificate, whether all is well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from mailhost.web.help import TOPICS
from mailhost.web.setup import Facts

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class Site:
    """Answers for every path; the facts may still grow while it serves."""

    def __init__(self, facts: Facts, is_well: Callable[[], Awaitable[bool]]) -> None:
        self._facts = facts
        self._is_well = is_well
        self._pages = Environment(
            loader=PackageLoader("mailhost.web"), autoescape=select_autoescape(default=True), trim_blocks=True
        )
        self._style = (files("mailhost.web") / "static" / "site.css").read_bytes()

    def application(self, further: Sequence[Route] = ()) -> Starlette:
        """As an ASGI application, with further routes that answer by themselves."""
        return Starlette(
            routes=[
                *further,
                Route("/", self._set_up),
                Route("/help", self._help),
                Route("/help/{topic}", self._help_topic),
                Route("/ca.pem", self._authority),
                Route("/healthz", self._health),
                Route("/site.css", self._stylesheet),
            ],
            exception_handlers={HTTPException: self._trouble},
        )

    def _page(self, template: str, status: int = 200, **values: object) -> Response:
        text = self._pages.get_template(template).render(facts=self._facts, **values)
        return HTMLResponse(text, status, _HEADERS)

    async def _set_up(self, _request: Request) -> Response:
        return self._page("setup.html", rows=self._facts.rows())

    async def _help(self, _request: Request) -> Response:
        return self._page("help.html", topics=TOPICS)

    async def _help_topic(self, request: Request) -> Response:
        topic = TOPICS.get(request.path_params["topic"])
        if topic is None:
            raise HTTPException(404)
        return self._page("topic.html", topic=topic)

    async def _authority(self, _request: Request) -> Response:
        if self._facts.authority is None:
            raise HTTPException(404)
        headers = _HEADERS | {"content-disposition": 'attachment; filename="mailhost-ca.pem"'}
        return Response(self._facts.authority.read_bytes(), media_type="application/x-pem-file", headers=headers)

    async def _health(self, _request: Request) -> Response:
        if await self._is_well():
            return PlainTextResponse("ok\n", headers=_HEADERS)
        return PlainTextResponse("the store does not answer\n", 503, _HEADERS)

    async def _stylesheet(self, _request: Request) -> Response:
        headers = _HEADERS | {"cache-control": "max-age=3600"}
        return Response(self._style, media_type="text/css", headers=headers)

    async def _trouble(self, _request: Request, trouble: Exception) -> Response:
        assert isinstance(trouble, HTTPException)
        return self._page("trouble.html", trouble.status_code, code=trouble.status_code)
