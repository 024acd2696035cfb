"""Where programs reach the service."""

from mailhost.config import Config
from mailhost.domains import Domain
from mailhost.web.setup import Facts


def issuer_of(config: Config, first: list[Domain]) -> str:
    """Where programs reach us, by the settings."""
    domain, ports = first[0].name if first else "localhost", {"https": config.ports.https}
    return Facts("localhost", domain, ports, None, is_local=config.is_local, name=config.host_name).base_url
