"""Provider automatic configuration (draft-ietf-mailmaint-pacc-04): a JSON document and its digest in DNS."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Final

from mailhost.autoconfig.settings import ClientSettings, Encryption, Protocol

PATH: Final = "/.well-known/user-agent-configuration.json"
_USUAL: Final = {Protocol.IMAP: ("imap", 993), Protocol.POP: ("pop3", 995), Protocol.SMTP: ("smtp", 465)}


def document(settings: ClientSettings) -> bytes:
    """The document of a domain, always the same bytes, for DNS holds their digest.

    It cannot name ports: what is not served in TLS on the usual one is left out.
    """
    protocols = {
        name: {"host": server.host}
        for protocol, (name, port) in _USUAL.items()
        if (server := settings.best(protocol)) and (server.port, server.encryption) == (port, Encryption.TLS)
    }
    authentication: dict[str, object] = {"password": True}
    if settings.has_registration:  # what it means by "public" OAuth
        authentication["oauth-public"] = {"issuer": settings.site}
    info: dict[str, object] = {"provider": {"name": settings.name, "shortName": settings.name[:20]}}
    if settings.site:
        info["help"] = {"documentation": f"{settings.site}/setup"}
    found = {"protocols": protocols, "authentication": authentication, "info": info}
    return json.dumps(found, ensure_ascii=False, indent=1).encode()


def record(settings: ClientSettings) -> str:
    """The text of the TXT record _ua-auto-config.DOMAIN."""
    digest = base64.b64encode(hashlib.sha256(document(settings)).digest()).decode()
    return f"v=UAAC1; a=sha256; d={digest}"
