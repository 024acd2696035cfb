"""The pages behind a real HTTPS door on the loopback, over a real store, with a clock that the test sets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailhost import crypto, domains, mailstore
from mailhost.accounts.audit.model import Cause
from mailhost.accounts.audit.sql import list_sign_ins
from mailhost.app.services import Services
from mailhost.app.web import web_server
from mailhost.config import Config
from mailhost.crypto import SecretKey
from mailhost.login import DoorKeeper, Limits
from mailhost.login.enrol import enrol
from mailhost.login.notice import Messenger
from mailhost.mailstore.indexer import TextIndex
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.network.atlas import NOWHERE
from mailhost.network.certificates import CertificateFiles, ensure_certificates, names_of
from mailhost.network.listener import Admission, Listener
from mailhost.network.misdirected import Service
from mailhost.network.tls import server_context
from mailhost.servers.imap.server import ImapServer
from mailhost.servers.imap.session import ImapServices, ImapSettings
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from mailhost.storage.files import DiskFiles
from mailhost.web.setup import Facts
from tests.running import Server, running
from tests.web.browsing import Browser, Page
from tests.web.mailing import Phone

MakePhone = Callable[[str, str], Phone]

START = 1_800_000_000.0
ANNA, OTTO = "anna@example.test", "otto@example.test"
PASSWORD = "correct horse"
HASH = crypto.hash_password(PASSWORD)
LIMITS = Limits(wrong_per_account=3, wrong_per_network=1_000, first_wait_seconds=5)


@dataclass
class Town:
    """A server with two accounts, and browsers in front of it."""

    database: Database
    key: SecretKey
    keeper: DoorKeeper
    tls: ssl.SSLContext
    ids: dict[str, int]
    blobs: Blobs
    ports: dict[str, int] = field(default_factory=dict)
    now: float = START

    def browser(self, language: str = "en") -> Browser:
        return Browser(self.ports["https"], self.tls, language)

    async def sign_in(
        self, browser: Browser, address: str = ANNA, password: str = PASSWORD, to: str = "/account"
    ) -> Page:
        """Type address and password; where two-step verification is on, the page of the second step comes back."""
        page = await browser.open(f"/sign-in?next={to}")
        return await browser.submit(page, "/sign-in", address=address, password=password)

    async def signed_in(self, address: str = ANNA) -> Browser:
        browser = self.browser()
        assert (await self.sign_in(browser, address)).path == "/account"
        return browser

    async def messages(self, address: str = ANNA) -> list[str]:
        """What the server itself has put into an account's INBOX, the newest last."""
        await self.keeper.owners.close()
        account_id = self.ids[address]

        def rows(tx: Tx) -> list[bytes]:
            box = mailstore.find_mailbox(tx, account_id, mailstore.INBOX)
            return [row[0] for row in mailstore.live_rows(tx, account_id, box.id, 1, 2**32, ("blob",), 100)]

        return [(await self.blobs.read(blob)).decode() for blob in await self.database.read(rows)]

    async def causes(self, address: str | int = ANNA) -> list[Cause]:
        """What the diary says of an account, the newest first."""
        await self.keeper._diary.flush()
        account_id = self.ids[address] if isinstance(address, str) else address
        return [sign_in.cause for sign_in, _ in await self.database.read(list_sign_ins, account_id)]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    folder = tmp_path_factory.mktemp("certificates")
    return ensure_certificates(folder, names_of(["example.test"]), datetime.now(UTC))[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demonstration as an operator starts it; its first account has the password that `chromium` knows."""
    from tests.web.chromium import prepare  # where playwright is missing, only what needs it is skipped

    with running(tmp_path_factory.mktemp("chromium") / "data", "--demo") as started:
        prepare(started)
        yield started


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[object]:
    """Chromium in front of it."""
    from tests.web.chromium import chromium

    with chromium(server) as opened:
        yield opened


@pytest.fixture
def config() -> Config:
    """What the town's settings say; a test's own fixture of this name says something else."""
    return Config()


@pytest.fixture
async def town(
    database: Database, tmp_path: Path, certificates: CertificateFiles, config: Config
) -> AsyncIterator[Town]:
    def settle(tx: Tx) -> dict[str, int]:
        domains.add_domain(tx, "example.test", int(START))
        return {each: enrol(tx, each, password_hash=HASH, now=int(START)).id for each in (ANNA, OTTO)}

    ids = await database.write(settle)
    key = SecretKey(b"k" * 32)

    def clock() -> float:
        return made.now

    files = DiskFiles(tmp_path / "blobs")
    blobs = Blobs(database, files)
    messenger = Messenger(database, blobs, "mail.example.test", "https://mail.example.test", clock)
    keeper = DoorKeeper(database, key, LIMITS, clock, messenger)
    made = Town(database, key, keeper, ssl.create_default_context(cafile=certificates.authority), ids, blobs)
    (tmp_path / "tls").symlink_to(certificates.authority.parent)  # for the signature of profiles
    services = Services(config, tmp_path, database, files, blobs, key, NOWHERE)
    server = web_server(services, keeper, Facts("localhost", "example.test", made.ports, certificates.authority), clock)
    admission = Admission(per_address=200, in_all=200)
    listeners = {"http": Listener(Service.HTTP, server.serve, admission)}
    context = server_context(certificates.certificate, certificates.key)
    listeners["https"] = Listener(Service.HTTP, server.serve, admission, context=context)
    for name, listener in listeners.items():
        await listener.open(["127.0.0.1"], 0)
        made.ports[name] = listener.port
    yield made
    for listener in listeners.values():
        listener.stop()
        await listener.drain(0)
    await keeper.close()


@pytest.fixture
async def phone(town: Town, tmp_path: Path, certificates: CertificateFiles) -> AsyncIterator[MakePhone]:
    """An IMAP door for the town's people, and mail programs by address and secret; the diary is written meanwhile."""
    phones: list[Phone] = []

    def make(address: str, secret: str) -> Phone:
        phones.append(Phone(listener.port, town.tls, address, secret))
        return phones[-1]

    context = server_context(certificates.certificate, certificates.key)
    index = TextIndex(town.database, town.blobs, tmp_path / "search.db")
    await index.open()
    services = ImapServices(
        town.database,
        town.blobs,
        index,
        KnownMailboxes(town.database),
        town.keeper,
        lambda: town.now,
        lambda: context,
        ImapSettings(unusual_url=f"https://localhost:{town.ports['https']}/account/unusual"),
    )
    admission = Admission(per_address=50, in_all=50)
    listener = Listener(Service.IMAP, ImapServer(services).serve, admission, context=context)
    await listener.open(["127.0.0.1"], 0)
    town.ports["imaps"] = listener.port
    running = asyncio.create_task(town.keeper.run())
    yield make
    for each in phones:
        each.close()
    listener.stop()
    await listener.drain(1)
    running.cancel()
    await index.close()
