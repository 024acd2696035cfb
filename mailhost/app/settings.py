"""What mail programs are told about this server."""

from __future__ import annotations

from mailhost.app import certificates
from mailhost.app.services import Services
from mailhost.autoconfig.desk import Desk
from mailhost.web.setup import Facts


def desk_of(services: Services, facts: Facts) -> Desk:
    """Where the settings of our domains are asked for."""
    config = services.config
    files = certificates.own_files(config, services.data)

    def certificate(_host: str) -> tuple[bytes, bytes]:
        try:
            return files.certificate.read_bytes(), files.key.read_bytes()
        except OSError:  # not made yet: no name is certified, and nothing is signed
            return b"", b""

    return Desk(services.database, facts, certificate, has_registration=config.oauth_registration)
