"""Thunderbird's add-on for this site: with it Thunderbird signs in with OAuth here, as it does at large providers.

Thunderbird knows by itself a table of providers and nobody else; one key in an add-on's manifest adds to it.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Final

from mailhost.autoconfig.mozilla import OAUTH_SCOPE
from mailhost.autoconfig.settings import ClientSettings

MEDIA_TYPE: Final = "application/x-xpinstall"
REDIRECT: Final = "http://localhost/"
"""Where Thunderbird's own window ends; nothing listens there, as it stops before it asks."""
_OLDEST: Final = "128.0"
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  # always the same bytes


def manifest(settings: ClientSettings, client_id: str, version: str) -> dict[str, object]:
    """The add-on's manifest for the hosts of one domain: which others are here is nobody's business.

    `client_id` is our name for Thunderbird; `version` has digits and dots alone.
    """
    site = settings.site
    host = site.removeprefix("https://")
    hosts = dict.fromkeys(server.host for server in settings.servers)
    return {
        "manifest_version": 2,
        "name": f"Sign-in at {host}",
        "description": f"Lets Thunderbird sign in at {host} without an app password.",
        "version": version,
        "browser_specific_settings": {
            "gecko": {"id": f"oauth@{host.partition(':')[0]}", "strict_min_version": _OLDEST}
        },
        "oauth_provider": {
            "issuer": host,
            "issuerIdentifier": site,
            "clientId": client_id,
            "authorizationEndpoint": f"{site}/oauth/authorize",
            "tokenEndpoint": f"{site}/oauth/token",
            "redirectionEndpoint": REDIRECT,
            "usePKCE": True,
            "hostnames": list(hosts),
            "scopes": OAUTH_SCOPE,
        },
    }


def package(written: dict[str, object]) -> bytes:
    """The add-on's file (.xpi)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("manifest.json", _LONG_AGO), json.dumps(written, indent=2))
    return out.getvalue()
