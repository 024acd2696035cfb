"""The look-up that every sign-in begins with, and the digests it goes by."""

from typing import Final

from mailhost.accounts.credentials import sql as credentials
from mailhost.accounts.model import Candidate
from mailhost.login.names import implied_domain
from mailhost.storage.database import Tx

APP_PASSWORD: Final = "app-password"  # noqa: S105 - the purpose of a digest
WRONG_SECRET: Final = "wrong-secret"  # noqa: S105 - likewise
MARK_OCTETS: Final = 8
"""Of the digest of a wrong secret, by which it is counted once."""


def look_up(
    tx: Tx, name: tuple[str, str | None] | None, server_name: str | None, digest: bytes
) -> tuple[str, Candidate | None]:
    """The address that a user name means, and what it and the secret's digest find there."""
    if name is None:
        return "", None
    local_part, domain = name
    address = f"{local_part}@{domain or implied_domain(tx, server_name) or ''}"
    return address, credentials.find_candidate(tx, address, digest)
