"""How a new app password gets into a device without typing: a profile, a link to it, codes to scan."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailhost import accounts
from mailhost.accounts import AppPassword, NoSuchAccount, NoSuchAppPassword, Protocols
from mailhost.autoconfig import apple
from mailhost.autoconfig.codes import CannotMakeCode, svg, thunderbird_code
from mailhost.autoconfig.desk import Desk
from mailhost.autoconfig.settings import ClientSettings, Protocol, Server
from mailhost.crypto import SecretKey
from mailhost.login.model import Clock
from mailhost.storage.database import Database, Tx
from mailhost.web.pages import Pages

LINK_SECONDS: Final = 600
_PURPOSE: Final = "device-link"
_OPENED_BY: Final = {
    Protocol.IMAP: Protocols.IMAP,
    Protocol.POP: Protocols.POP3,
    Protocol.SMTP: Protocols.SMTP,
}


class _Parcel(msgspec.Struct, array_like=True, frozen=True):
    """What a link holds, encrypted: whose app password, its secret in four groups, and until when (Unix time)."""

    account_id: int
    credential_id: int
    secret: str
    until: int


@dataclass(frozen=True, slots=True)
class Offer:
    """For the page that shows a new app password. `link` is the path of the profile, `link_code` its whole address as a
    code, `thunderbird` a code; what cannot be had is empty. Codes are `<svg>` elements."""

    servers: tuple[Server, ...]
    link: str = ""
    link_code: str = ""
    thunderbird: str = ""


class Handover:
    """Makes offers, and answers their links: to whoever has one, as a telephone is not signed in here."""

    def __init__(self, pages: Pages, database: Database, key: SecretKey, desk: Desk, clock: Clock) -> None:
        self._pages = pages
        self._database = database
        self._key = key
        self._desk = desk
        self._clock = clock

    def routes(self) -> list[Route]:
        """The link's."""
        return [Route("/setup/device/{token}", self._profile)]

    async def offer(self, address: str, name: str, made: AppPassword, secret: str) -> Offer:
        """What can be handed over of a new app password."""
        settings = await self._settings(address, made)
        if settings is None:
            return Offer(())
        try:
            self._desk.profile(settings, address, name=name, password=secret)
            link = f"/setup/device/{self._token(made, secret)}"
            link_code = svg(self._pages.facts.base_url + link)
        except (apple.CannotMakeProfile, CannotMakeCode):
            link = link_code = ""
        try:
            thunderbird = svg(thunderbird_code(settings, address, name=name, password=secret))
        except CannotMakeCode:
            thunderbird = ""
        return Offer(settings.servers, link, link_code, thunderbird)

    async def _settings(self, address: str, made: AppPassword) -> ClientSettings | None:
        """Those servers that the app password opens."""
        settings = await self._desk.settings(address)
        if settings is None:
            return None
        opened = made.scope.protocols
        servers = tuple(server for server in settings.servers if _OPENED_BY[server.protocol] & opened)
        return replace(settings, servers=servers)

    def _token(self, made: AppPassword, secret: str) -> str:
        parcel = _Parcel(made.account_id, made.id, secret, int(self._clock()) + LINK_SECONDS)
        sealed = self._key.seal(_PURPOSE, msgspec.msgpack.encode(parcel))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    async def _profile(self, request: Request) -> Response:
        parcel = self._open(request.path_params["token"])
        if parcel is None or parcel.until <= self._clock() or request.url.scheme != "https":
            raise HTTPException(404)
        try:
            address, name, made = await self._database.read(_unused, parcel)
        except (NoSuchAppPassword, NoSuchAccount):
            raise HTTPException(404) from None
        settings = await self._settings(address, made)
        if settings is None:
            raise HTTPException(404)
        try:
            signed = self._desk.profile(settings, address, name=name, password=parcel.secret)
        except apple.CannotMakeProfile:
            raise HTTPException(404) from None
        headers = self._pages.headers(request) | {"content-disposition": 'attachment; filename="mail.mobileconfig"'}
        return Response(signed, 200, headers, apple.MEDIA_TYPE)

    def _open(self, token: str) -> _Parcel | None:
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (ValueError, binascii.Error):
            return None
        opened = self._key.unseal(_PURPOSE, sealed)
        return None if opened is None else msgspec.msgpack.decode(opened, type=_Parcel)


def _unused(tx: Tx, parcel: _Parcel) -> tuple[str, str, AppPassword]:
    """(address, the person's name, app password) of a link. Raises NoSuchAppPassword, once it is in use as well."""
    made = accounts.get_app_password(tx, parcel.account_id, parcel.credential_id)
    if made.last_use is not None:
        raise NoSuchAppPassword
    account = accounts.get_account(tx, parcel.account_id)
    return account.address, account.display_name, made
