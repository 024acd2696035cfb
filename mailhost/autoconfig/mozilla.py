"""Mozilla's format (draft-ietf-mailmaint-autoconfig-06): what Thunderbird, K-9, KMail, Evolution and others ask for.

The same bytes for every address: programs put the address in for %EMAILADDRESS% themselves.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement

from mailhost.autoconfig import markup
from mailhost.autoconfig.settings import ClientSettings, Encryption, Protocol, Server, SignIn
from mailhost.language import N_, translations

PATHS: Final = (
    "/mail/config-v1.1.xml",
    "/.well-known/autoconfig/mail/config-v1.1.xml",
    "/v1.1/mail/config-v1.1.xml",  # Nine and others
)
MEDIA_TYPE: Final = "text/xml"
"""Thunderbird ignores the document under most others without a word."""
OAUTH_SCOPE: Final = "mail"

_TYPES: Final = {Protocol.IMAP: "imap", Protocol.POP: "pop3", Protocol.SMTP: "smtp"}
_SOCKETS: Final = {Encryption.TLS: "SSL", Encryption.STARTTLS: "STARTTLS"}
_SIGN_INS: Final = {SignIn.PASSWORD: "password-cleartext", SignIn.OAUTH: "OAuth2"}


def autoconfig(settings: ClientSettings) -> bytes:
    """The document of a domain."""
    root = Element("clientConfig", version="1.1")
    provider = SubElement(root, "emailProvider", id=settings.domain)
    SubElement(provider, "domain").text = settings.domain
    SubElement(provider, "displayName").text = settings.name
    SubElement(provider, "displayShortName").text = settings.name
    for server in settings.chosen:
        _add_server(provider, server, settings.sign_ins)
    if settings.site:
        page = SubElement(provider, "documentation", url=f"{settings.site}/setup")
        for language, tag in (("en", "en"), ("zh-CN", "zh")):
            words = translations(language).gettext(N_("How to set up a mail program"))
            SubElement(page, "descr", lang=tag).text = words
    if settings.has_oauth:
        _add_oauth(root, settings.site)
    return markup.write(root)


def _add_server(provider: Element, server: Server, sign_ins: tuple[SignIn, ...]) -> None:
    kind = "outgoingServer" if server.protocol is Protocol.SMTP else "incomingServer"
    element = SubElement(provider, kind, type=_TYPES[server.protocol])
    SubElement(element, "hostname").text = server.host
    SubElement(element, "port").text = str(server.port)
    SubElement(element, "socketType").text = _SOCKETS[server.encryption]
    SubElement(element, "username").text = "%EMAILADDRESS%"
    for sign_in in sign_ins:
        SubElement(element, "authentication").text = _SIGN_INS[sign_in]


def _add_oauth(root: Element, site: str) -> None:
    element = SubElement(root, "oAuth2")
    SubElement(element, "issuer").text = site.removeprefix("https://")
    SubElement(element, "scope").text = OAUTH_SCOPE
    SubElement(element, "authURL").text = f"{site}/oauth/authorize"
    SubElement(element, "tokenURL").text = f"{site}/oauth/token"
