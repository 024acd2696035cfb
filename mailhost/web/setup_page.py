"""The set-up page: what to type where, for one's own address, program by program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost.autoconfig import codes
from mailhost.autoconfig.desk import Desk
from mailhost.autoconfig.settings import ClientSettings, Protocol
from mailhost.web.guides import GUIDES, TOKENS
from mailhost.web.pages import Pages
from mailhost.web.setup import NAMES

_ADDRESS: Final = re.compile(r"[\w.+='&/!#%*^~?-]{1,64}@[\w.-]{1,253}")
"""What may stand in lines that somebody copies into a shell or a program: nothing with a meaning there."""
_MOST: Final = 320  # characters of what was typed


class SetupPage:
    """One page under two paths."""

    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages

    def routes(self) -> list[Route]:
        """Both."""
        return [Route("/", self._show), Route("/setup", self._show)]

    async def _show(self, request: Request) -> Response:
        typed = request.query_params.get("address", "").strip()[:_MOST]
        is_address = _ADDRESS.fullmatch(typed) is not None
        settings = await self._desk.settings(typed) if is_address else None if typed else await self._of_host(request)
        is_ours = settings is not None
        if settings is None:
            settings = await self._desk.settings(self._desk.reach.domain)
        address = typed if is_ours else ""
        query = f"?{urlencode({'address': address})}" if address else ""
        return self._pages.show(
            request,
            "setup.html",
            200 if is_ours or not typed else 404,
            typed=typed,
            is_ours=is_ours or not typed,
            address=address,
            settings=settings,
            rows=_rows(settings) if settings is not None else (),
            steps=_Steps(settings, address, self._pages, request) if settings is not None else None,
            guides=GUIDES,
            tokens=TOKENS if settings is not None and settings.has_oauth else (),
            code=_code(settings, address) if settings is not None and address else "",
            profile=f"/setup/mail.mobileconfig{query}" if address else "",
            add_on=f"/setup/thunderbird.xpi{query}" if await self._desk.knows_thunderbird() else "",
            page_code=self._page_code(query),
        )

    async def _of_host(self, request: Request) -> ClientSettings | None:
        """Those of the domain by whose name the page was asked for, so that each customer sees his own."""
        host = (request.url.hostname or "").lower()
        return await self._desk.settings(host.partition(".")[2] if host.startswith("mail.") else host)

    def _page_code(self, query: str) -> Markup | None:
        """The code that brings a telephone to this page; None where a telephone could not reach it."""
        reach = self._desk.reach
        if reach.is_local or not self._desk.site:
            return None
        return Markup(codes.svg(f"{self._desk.site}/setup{query}"))  # noqa: S704 - our own picture


def _rows(settings: ClientSettings) -> list[dict[str, object]]:
    return [
        {
            "name": NAMES[server.protocol],
            "host": server.host,
            "port": server.port,
            "encryption": server.encryption.label,
            "is_best": server in settings.chosen,
        }
        for server in settings.servers
    ]


def _code(settings: ClientSettings, address: str) -> Markup | str:
    try:
        return Markup(codes.svg(codes.thunderbird_code(settings, address)))  # noqa: S704 - our own picture
    except codes.CannotMakeCode:
        return ""


class _Steps:
    """Fills the reader's values into the sentences of a guide."""

    def __init__(self, settings: ClientSettings, address: str, pages: Pages, request: Request) -> None:
        self._words = pages.words_of(request)
        self.values: Mapping[str, object] = {
            "address": address or f"me@{settings.name}",
            **_values("imap", settings, Protocol.IMAP),
            **_values("pop", settings, Protocol.POP),
            **_values("smtp", settings, Protocol.SMTP),
        }
        self._marked = {name: Markup("<code>{}</code>").format(value) for name, value in self.values.items()}

    def __call__(self, step: str) -> Markup:
        return Markup(escape(self._words.gettext(step))).format(**self._marked)  # noqa: S704 - escaped just before


def _values(name: str, settings: ClientSettings, protocol: Protocol) -> dict[str, object]:
    server = settings.best(protocol)
    return {f"{name}_host": server.host if server else "–", f"{name}_port": server.port if server else "–"}
