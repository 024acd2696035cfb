"""What mail programs are told about this server."""

from __future__ import annotations

from mailhost.app import certificates
from mailhost.app.services import Services
from mailhost.autoconfig.desk import Desk
from mailhost.web.setup import Facts


def desk_of(services: Services, facts: Facts) -> Desk:
    """Where the settings of our domains are asked for."""
    config, data = services.config, services.data

    def certificate(host: str) -> tuple[bytes, bytes]:
        """What the doors show for a host name before a domain of ours; nothing where there is nothing to trust yet."""
        try:
            if config.tls.acme:
                issued = (certificates.issued_folder(data) / f"{host.partition('.')[2]}.pem").read_bytes()
                return issued, issued
            files = certificates.own_files(config, data)
            return files.certificate.read_bytes(), files.key.read_bytes()
        except OSError:
            return b"", b""

    return Desk(services.database, facts, certificate, has_registration=config.oauth_registration)
