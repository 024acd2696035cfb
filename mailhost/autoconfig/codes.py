"""QR codes: what a telephone scans instead of typing."""

from __future__ import annotations

import io
import json
from typing import Final

import segno
from segno.encoder import DataOverflowError

from mailhost.autoconfig.settings import ClientSettings, Encryption, Protocol, Server
from mailhost.errors import MailhostError

_SECURITY: Final = {Encryption.NONE: 0, Encryption.STARTTLS: 2, Encryption.TLS: 3}
_INCOMING: Final = {Protocol.IMAP: 0, Protocol.POP: 1}
_PASSWORD: Final = 1
_MOST: Final = 800
"""Octets that telephones still read without trouble."""


class CannotMakeCode(MailhostError):
    """There is no code to be had; the message says why."""


def thunderbird_code(settings: ClientSettings, address: str, *, name: str = "", password: str = "") -> str:
    """What Thunderbird for Android reads as an account exported from a computer (format version 1).

    Without an app password in it Thunderbird asks for one. Raises CannotMakeCode.
    """
    incoming = settings.best(Protocol.IMAP) or settings.best(Protocol.POP)
    outgoing = settings.best(Protocol.SMTP)
    if incoming is None or outgoing is None:
        raise CannotMakeCode("Mail cannot be both read and sent with programs here; ask the administrator.")
    if not address.isascii():
        raise CannotMakeCode("Codes for Thunderbird hold addresses in ASCII only; type the settings instead.")
    account = ["", password] if password else []  # an account without a label of its own is called by its address
    code = [
        1,
        [1, 1],
        [_INCOMING[incoming.protocol], *_server(incoming), address, *account],
        [[[0, *_server(outgoing), address, *account[1:]], [address, name or address]]],
    ]
    text = json.dumps(code, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > _MOST:
        raise CannotMakeCode("The address and the name are too long for a code; type the settings instead.")
    return text


def _server(server: Server) -> tuple[str, int, int, int]:
    return server.host, server.port, _SECURITY[server.encryption], _PASSWORD


def svg(text: str) -> str:
    """The QR code of a text as an `<svg>` element to stand in a page: black, with its own white margin.

    Raises CannotMakeCode.
    """
    try:
        code = segno.make(text, error="l", micro=False)
    except DataOverflowError as error:
        raise CannotMakeCode("That is too much for a code.") from error
    out = io.BytesIO()
    code.save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=False,
        nl=False,
        omitsize=True,
        light="#fff",
        svgclass="qr",
        lineclass=None,
    )
    return out.getvalue().decode()
