"""A small house to sign in to: two accounts, their app passwords, a clock the test sets."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailhost import accounts, crypto, domains
from mailhost.accounts import ALL_PROTOCOLS, Protocols, Scope
from mailhost.accounts.audit.model import Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import list_sign_ins
from mailhost.crypto import SecretKey
from mailhost.login import DoorKeeper, Identity, Limits, Refused, Visit
from mailhost.login.lookup import APP_PASSWORD
from mailhost.storage.database import Database, Tx, open_database

START = 1_800_000_000.0
ACCOUNT_PASSWORD = "correct horse"
PHONE = "abcdefghijklmnop"
POP_ONLY = "ponmlkjihgfedcba"
OTTOS = "ottoottoottootto"
LIMITS = Limits(wrong_per_account=3, wrong_per_network=100, first_wait_seconds=5)
HASH = crypto.hash_password(ACCOUNT_PASSWORD)


@dataclass
class House:
    """A store with anna (a phone, and a POP3-only program) and otto, and the door-keeper in front of it."""

    database: Database
    key: SecretKey
    anna: int
    otto: int
    now: float = START
    limits: Limits = LIMITS
    keepers: list[DoorKeeper] = field(default_factory=list)

    def keeper(self) -> DoorKeeper:
        made = DoorKeeper(self.database, self.key, self.limits, lambda: self.now)
        self.keepers.append(made)
        return made

    async def diary(self, keeper: DoorKeeper, account_id: int) -> list[tuple[SignIn, Occurrence]]:
        await keeper._diary.flush()
        return await self.database.read(list_sign_ins, account_id)

    async def causes(self, keeper: DoorKeeper, account_id: int) -> list[Cause]:
        return [sign_in.cause for sign_in, _ in await self.diary(keeper, account_id)]


def visit(**changes: object) -> Visit:
    """A phone's usual visit, but for what the test changes."""
    usual = {"protocol": "imap", "port": 993, "peer": "192.0.2.7", "connection_id": "c1", "tls_version": "TLSv1.3"}
    return Visit(**(usual | {"mechanism": "PLAIN", "client_id": "mutt"} | changes))


async def answer(keeper: DoorKeeper, user: str, secret: str, **changes: object) -> Identity | Refused:
    """What the door-keeper says, be it yes or no."""
    try:
        return await keeper.authenticate(user, secret, visit(**changes))
    except Refused as refused:
        return refused


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    key = SecretKey(b"k" * 32)

    def build(tx: Tx) -> tuple[int, int]:
        domain = domains.add_domain(tx, "example.test", int(START))
        ids = []
        for address in ("anna@example.test", "otto@example.test"):
            made = accounts.create_account(tx, domain_id=domain.id, address=address, password_hash=HASH, now=int(START))
            ids.append(made.id)
        anna, otto = ids
        for account_id, name, secret, protocols in (
            (anna, "phone", PHONE, ALL_PROTOCOLS),
            (anna, "old program", POP_ONLY, Protocols.POP3),
            (otto, "tablet", OTTOS, ALL_PROTOCOLS),
        ):
            digest = key.digest(APP_PASSWORD, secret.encode())
            accounts.add_app_password(tx, account_id, name=name, digest=digest, scope=Scope(protocols), now=int(START))
        return anna, otto

    anna, otto = await database.write(build)
    house = House(database, key, anna, otto)
    yield house
    for keeper in house.keepers:
        await keeper.close()


@pytest.fixture
async def second(database: Database, database_url: str) -> AsyncIterator[Database]:
    """The same store, as another process has it open."""
    opened = await open_database(database_url)
    yield opened
    await opened.close()
