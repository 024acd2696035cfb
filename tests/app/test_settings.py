"""Which names programs are given, by the certificate that the doors show for them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailhost import domains
from mailhost.app import certificates
from mailhost.app.services import Services
from mailhost.app.settings import desk_of
from mailhost.config import Config
from mailhost.config.model import Tls
from mailhost.crypto import SecretKey
from mailhost.network.atlas import NOWHERE
from mailhost.network.certificates import ensure_certificates
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from mailhost.storage.files import DiskFiles
from mailhost.web.setup import Facts

PORTS = {"imaps": 993, "submissions": 465, "https": 443}


async def hosts(database: Database, data: Path, config: Config, domain: str, *, is_local: bool = False) -> set[str]:
    def add(tx: Tx) -> None:
        for name in ("example.com", "own.example"):
            if domains.find_domain(tx, name) is None:
                domains.add_domain(tx, name, 1)

    await database.write(add)
    files = DiskFiles(data / "blobs")
    services = Services(config, data, database, files, Blobs(database, files), SecretKey(bytes(32)), NOWHERE)
    desk = desk_of(services, Facts("localhost", "example.com", PORTS, None, is_local=is_local))
    settings = await desk.settings(domain)
    assert settings is not None
    desk.profile(settings, f"ann@{domain}")  # signed or not, it is there
    return {server.host for server in settings.servers}


async def test_before_there_is_a_certificate_the_first_domain_s_names(database: Database, tmp_path: Path) -> None:
    assert await hosts(database, tmp_path, Config(), "own.example") == {"imap.example.com", "smtp.example.com"}


async def test_a_server_for_its_own_machine_goes_by_localhost(database: Database, tmp_path: Path) -> None:
    assert await hosts(database, tmp_path, Config(), "own.example", is_local=True) == {"localhost"}


@pytest.mark.parametrize("is_issued", [True, False])
async def test_with_an_authority_a_domain_s_own_names_once_its_certificate_is_there(
    database: Database, tmp_path: Path, is_issued: bool
) -> None:
    """Our local authority has a certificate with these names as well, but nobody out there trusts it."""
    names = ["imap.own.example", "smtp.own.example"]
    local, _ = ensure_certificates(tmp_path / "tls", names, datetime.now(UTC))
    folder = certificates.issued_folder(tmp_path)
    folder.mkdir(parents=True)
    if is_issued:
        (folder / "own.example.pem").write_bytes(local.key.read_bytes() + local.certificate.read_bytes())
    config = Config(tls=Tls(acme="letsencrypt"))
    found = await hosts(database, tmp_path, config, "own.example")
    assert found == ({*names} if is_issued else {"imap.example.com", "smtp.example.com"})


async def test_a_certificate_of_the_operator_s_own_says_which_names(database: Database, tmp_path: Path) -> None:
    files, _ = ensure_certificates(tmp_path / "own", ["imap.own.example"], datetime.now(UTC))
    config = Config(tls=Tls(certificate=str(files.certificate), key=str(files.key)))
    assert await hosts(database, tmp_path, config, "own.example") == {"imap.own.example", "smtp.example.com"}
