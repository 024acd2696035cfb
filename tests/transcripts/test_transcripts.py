"""Each text file in a folder beside this one is a conversation that must go as written."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailhost.network.certificates import CertificateFiles, ensure_certificates, names_of
from mailhost.network.tls import server_context
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, open_database
from mailhost.storage.files import DiskFiles
from tests.transcripts.house import House
from tests.transcripts.runner import Transcript

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.txt"))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    folder = tmp_path_factory.mktemp("certificates")
    return ensure_certificates(folder, names_of(["example.test"]), datetime.now(UTC))[0]


@pytest.fixture
async def house(tmp_path: Path, certificates: CertificateFiles) -> AsyncIterator[House]:
    database = await open_database(f"sqlite:///{tmp_path}/mailhost.db")
    blobs = Blobs(database, DiskFiles(tmp_path / "blobs"))
    yield House(database, blobs, server_context(certificates.certificate, certificates.key))
    await database.close()


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])
async def test_transcript(path: Path, house: House, certificates: CertificateFiles) -> None:
    await Transcript(path, house, str(certificates.authority)).play()


@pytest.mark.parametrize("name", ["condstore-order", "qresync"])
async def test_on_each_engine(name: str, database: Database, blobs: Blobs, certificates: CertificateFiles) -> None:
    """Who hears what, and when, where several sessions change one mailbox."""
    house = House(database, blobs, server_context(certificates.certificate, certificates.key))
    await Transcript(HERE / "imap" / f"{name}.txt", house, str(certificates.authority)).play()
