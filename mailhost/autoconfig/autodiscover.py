"""Microsoft's formats: Autodiscover version 1 in "plain old XML" (MS-OXDSCLI) and version 2 in JSON.

What is asked for the form of Exchange ActiveSync, as new Outlook does first, gets the error with which a server without
it answers; the program then goes on to IMAP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from mailhost.autoconfig import markup
from mailhost.autoconfig.settings import ClientSettings, Encryption, Protocol, Server

MAX_REQUEST: Final = 16_384
MEDIA_TYPE: Final = "text/xml"
_SCHEMAS: Final = "http://schemas.microsoft.com/exchange/autodiscover"
_REQUESTS: Final = (f"{_SCHEMAS}/outlook/requestschema/2006", f"{_SCHEMAS}/mobilesync/requestschema/2006")
_ENVELOPE: Final = f"{_SCHEMAS}/responseschema/2006"
OUTLOOK: Final = f"{_SCHEMAS}/outlook/responseschema/2006a"
MOBILESYNC: Final = f"{_SCHEMAS}/mobilesync/responseschema/2006"
_TYPES: Final = {Protocol.IMAP: "IMAP", Protocol.POP: "POP3", Protocol.SMTP: "SMTP"}

NO_SUCH_ADDRESS: Final = (500, "The e-mail address cannot be found.")
INVALID_REQUEST: Final = (600, "Invalid Request")
UNKNOWN_SCHEMA: Final = (601, "The requested schema version is not supported.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for: the settings of an address, in the form of a schema."""

    address: str
    schema: str


def read_request(body: bytes) -> Asked | None:
    """What a posted document asks for; None when it is no request, or one of more than 16 KiB."""
    if len(body) > MAX_REQUEST:
        return None
    try:
        root = markup.parse(body)
    except markup.BadMarkup:
        return None
    for namespace in _REQUESTS:
        request = root.find(f"{{{namespace}}}Request")
        if request is not None:
            address = (request.findtext(f"{{{namespace}}}EMailAddress") or "").strip()
            schema = (request.findtext(f"{{{namespace}}}AcceptableResponseSchema") or OUTLOOK).strip()
            return Asked(address, schema)
    return None


def answer(settings: ClientSettings, address: str) -> bytes:
    """The settings for Outlook: every server in one account, for it takes no second one.

    Each value that Outlook would otherwise guess is said: SPA is on by default, and Encryption counts more than SSL.
    """
    root = Element("Autodiscover", xmlns=_ENVELOPE)
    response = SubElement(root, "Response", xmlns=OUTLOOK)
    SubElement(SubElement(response, "User"), "DisplayName").text = address
    account = SubElement(response, "Account")
    SubElement(account, "AccountType").text = "email"
    SubElement(account, "Action").text = "settings"
    for server in settings.chosen:
        _add_protocol(account, server, address)
    return markup.write(root)


def _add_protocol(account: Element, server: Server, address: str) -> None:
    in_tls = server.encryption is Encryption.TLS
    values = {
        "Type": _TYPES[server.protocol],
        "Server": server.host,
        "Port": str(server.port),
        "DomainRequired": "off",
        "LoginName": address,
        "SPA": "off",
        "SSL": "on" if in_tls else "off",
        "Encryption": "SSL" if in_tls else "TLS",
        "AuthRequired": "on",
    }
    if server.protocol is Protocol.SMTP:
        values |= {"UsePOPAuth": "off", "SMTPLast": "off"}
    protocol = SubElement(account, "Protocol")
    for name, value in values.items():
        SubElement(protocol, name).text = value


def refusal(trouble: tuple[int, str], now: datetime) -> bytes:
    """An error, in the form that Exchange has for what it cannot answer."""
    root = Element("Autodiscover", xmlns=_ENVELOPE)
    response = SubElement(root, "Response")
    error = SubElement(response, "Error", Time=f"{now:%H:%M:%S.%f}", Id="0")
    SubElement(error, "ErrorCode").text = str(trouble[0])
    SubElement(error, "Message").text = trouble[1]
    SubElement(error, "DebugData")
    return markup.write(root)


_VERSION_1: Final = re.compile(r"autodiscoverv1", re.IGNORECASE)


def answer_json(protocol: str, host: str) -> dict[str, str] | None:
    """Version 2: where a protocol's service is. We have one, version 1 of this; None for every other, such as
    ActiveSync. `host` is where https is served, with its port if that is not the usual one."""
    if not _VERSION_1.fullmatch(protocol):
        return None
    return {"Protocol": "AutodiscoverV1", "Url": f"https://{host}/autodiscover/autodiscover.xml"}


def refusal_json(protocol: str) -> dict[str, str]:
    """The error of version 2: no protocol was named, or not ours, or the domain is not."""
    if not protocol:
        return {"ErrorCode": "MandatoryParameterMissing", "ErrorMessage": "A valid value must be given for 'Protocol'."}
    if _VERSION_1.fullmatch(protocol):
        return {"ErrorCode": "UserNotFound", "ErrorMessage": "The domain's mail is not here."}
    return {"ErrorCode": "ProtocolNotSupported", "ErrorMessage": "This server offers AutodiscoverV1 and no other."}
