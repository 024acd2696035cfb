"""The security page: how an account is guarded, and who was at its door lately."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost.web.pages import Pages
from mailhost.web.visits import Visit, Visits


class SecurityPages:
    """The first of an account's pages."""

    def __init__(self, visits: Visits, pages: Pages) -> None:
        self._visits = visits
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [Route("/account", self._visits.page(self._show))]

    async def _show(self, request: Request, visit: Visit) -> Response:
        return self._pages.show(request, "account/security.html", two_step=visit.has_two_step)
