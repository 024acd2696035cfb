"""What a certificate authority asks for to see that a name is ours (HTTP-01, RFC 8555 §8.3)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mailhost.network.challenges import Challenges


class ProofRoutes:
    """Mounted by the site, for authorities come to port 80 without TLS."""

    def __init__(self, challenges: Challenges) -> None:
        self._challenges = challenges

    def routes(self) -> list[Route]:
        """The one path."""
        return [Route("/.well-known/acme-challenge/{token}", self._answer)]

    async def _answer(self, request: Request) -> Response:
        answer = self._challenges.answer(request.path_params["token"])
        if answer is None:
            return PlainTextResponse("Nothing is to be proved under this token.\n", 404)
        return Response(answer, media_type="application/octet-stream")
