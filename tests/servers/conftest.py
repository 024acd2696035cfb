"""The doors of mail on loopback, in the test's own loop: two accounts, a certificate, blocking clients in threads."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from mailhost import domains, mailstore
from mailhost.accounts import Protocols, Scope
from mailhost.crypto import SecretKey, hash_password
from mailhost.delivery.model import Office, Smarthost
from mailhost.login import DoorKeeper, Limits
from mailhost.login.enrol import enrol, issue_app_password
from mailhost.mailstore import INBOX
from mailhost.network.certificates import ensure_certificates
from mailhost.network.listener import Admission, Handler, Listener
from mailhost.network.misdirected import Service
from mailhost.network.tls import server_context
from mailhost.servers.pop3.server import Pop3Server
from mailhost.servers.pop3.session import Pop3Services, Pop3Settings
from mailhost.servers.smtp.lmtp import LmtpSession
from mailhost.servers.smtp.mx import MxSession
from mailhost.servers.smtp.server import SmtpServer
from mailhost.servers.smtp.session import SmtpServices, SmtpSettings
from mailhost.servers.smtp.submission import SubmissionSession
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx

START = 1_800_000_000
HELP = "https://mail.example.test/help"
ACCOUNT_PASSWORD = "correct horse battery"
HASH = hash_password(ACCOUNT_PASSWORD)

R = TypeVar("R")


@dataclass
class House:
    """What a test of the doors works with."""

    database: Database
    blobs: Blobs
    key: SecretKey
    context: ssl.SSLContext
    ca: Path
    accounts: dict[str, int]
    secrets: dict[str, str]
    now: float = START
    max_message: int = 1_000_000
    daily_messages: int = 1000
    smarthost: Smarthost | None = None
    smtp_settings: SmtpSettings = field(default_factory=lambda: SmtpSettings(help_url=HELP))
    pop3_settings: Pop3Settings = field(default_factory=lambda: Pop3Settings(help_url=HELP))
    listeners: list[Listener] = field(default_factory=list)
    keeper: DoorKeeper | None = None

    def office(self) -> Office:
        return Office(
            self.database,
            self.blobs,
            lambda: self.now,
            "mail.example.test",
            max_message=self.max_message,
            daily_messages=self.daily_messages,
            smarthost=self.smarthost,
        )

    async def open(self, name: str) -> int:
        """Open a door: smtp, lmtp, submission, submissions, pop3 or pop3s; its port."""
        if self.keeper is None:
            self.keeper = DoorKeeper(self.database, self.key, Limits(), lambda: self.now)
        kinds = {"smtp": MxSession, "lmtp": LmtpSession, "submission": SubmissionSession}
        in_tls = name in ("submissions", "pop3s")
        context = None if name == "lmtp" else lambda: self.context
        handler: Handler
        if name.startswith("pop3"):
            service = Service.POP3
            services = Pop3Services(
                self.database,
                self.blobs,
                self.keeper,
                lambda: self.now,
                "mail.example.test",
                context,
                self.pop3_settings,
            )
            handler = Pop3Server(services).serve
        else:
            service = Service.LMTP if name == "lmtp" else Service.SMTP
            kind = kinds[name.removesuffix("s") if in_tls else name]
            handler = SmtpServer(kind, SmtpServices(self.office(), self.keeper, context, self.smtp_settings)).serve
        admission = Admission(per_address=100, in_all=100)
        listener = Listener(service, handler, admission, context=self.context if in_tls else None)
        await listener.open(["127.0.0.1"], 0)
        self.listeners.append(listener)
        return listener.port

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    async def inbox(self, name: str, mailbox: str = INBOX) -> list[bytes]:
        """The messages of an account's mailbox, whole."""
        account_id = self.accounts[name]

        def rows(tx: Tx) -> list[tuple[bytes, bytes]]:
            box = mailstore.find_mailbox(tx, account_id, mailbox)
            return mailstore.live_rows(tx, account_id, box.id, 1, 2**32, ("prefix", "blob"), 1000)

        return [prefix + await self.blobs.read(blob) for prefix, blob in await self.database.read(rows)]

    async def close(self) -> None:
        for listener in self.listeners:
            listener.stop()
            await listener.drain(1)
        if self.keeper is not None:
            await self.keeper.close()


async def in_thread(work: Callable[..., R], *arguments: object) -> R:
    """Run a blocking client beside the server, which lives in this loop."""
    return await asyncio.to_thread(work, *arguments)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Doors decide nothing, so one engine is enough here; what they call is tested on both."""
    return f"sqlite:///{tmp_path}/mailhost.db"


@pytest.fixture
async def house(database: Database, blobs: Blobs, certificate: tuple[Path, ssl.SSLContext]) -> AsyncIterator[House]:
    key = SecretKey(b"k" * 32)
    ca, context = certificate

    def build(tx: Tx) -> tuple[dict[str, int], dict[str, str]]:
        domains.add_domain(tx, "example.test", START)
        ids, secrets = {}, {}
        for name in ("ann", "bob"):
            address = f"{name}@example.test"
            ids[name] = enrol(tx, address, password_hash=HASH, now=START).id
            _, secrets[name] = issue_app_password(tx, key, address, name="test", now=START)
        _, secrets["imap"] = issue_app_password(
            tx, key, "ann@example.test", name="imap only", scope=Scope(Protocols.IMAP), now=START
        )
        return ids, secrets

    ids, secrets = await database.write(build)
    house = House(database, blobs, key, context, ca, ids, secrets)
    yield house
    await house.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """An authority and a server's certificate for mail.example.test and localhost, made once."""
    files, _ = ensure_certificates(
        tmp_path_factory.mktemp("tls"), ["mail.example.test", "localhost"], datetime.now(UTC)
    )
    return files.authority, server_context(files.certificate, files.key)
