"""What a first start makes: the settings, the first domain, the first account and its app password."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailhost import accounts, domains, mailstore
from mailhost.app.services import Services
from mailhost.cli.up import DEFAULT_DOMAIN
from mailhost.config import FILE_NAME, Config, load, turn_demo_on, write_first
from mailhost.crypto import hash_password, new_password
from mailhost.errors import MailhostError
from mailhost.login.enrol import enrol, issue_app_password
from mailhost.mailstore import Intake, NewMessage
from mailhost.message.generate import generate
from mailhost.storage.database import Tx

_FIRST_ACCOUNT: Final = "me"
_SECOND_ACCOUNT: Final = "you"
_DEMO_MESSAGES: Final = 300
_DEMO_SEED: Final = 1
_UNREAD: Final = 20
_BATCH: Final = 50


class CannotWrite(MailhostError):
    """The settings cannot be written; the message says why."""


class NotTheFirstStart(MailhostError):
    """The first domain was made before, and is another one."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """An account, and the passwords it got at this start: None for an account of an earlier one."""

    address: str
    app_password: str | None
    password: str | None


def settings(data: Path, domain: str, *, demo: bool) -> Config:
    """The settings of the folder, written now where there are none. Raises BadConfig, CannotWrite."""
    try:
        if not (data / FILE_NAME).exists():
            # Whoever names a domain of his own wants mail from outside; the example stays on this machine.
            everywhere = ("0.0.0.0", "::")  # noqa: S104 - what such an operator wants
            listen = Config().listen if domain == DEFAULT_DOMAIN else everywhere
            write_first(data, Config(listen=listen, demo=demo))
        elif demo and not load(data).demo:
            turn_demo_on(data)
    except OSError as error:
        raise CannotWrite(f"{data / FILE_NAME} cannot be written: {error.strerror}.") from error
    return load(data)


async def people(services: Services, domain: str, *, demo: bool) -> list[Welcome]:
    """The accounts of the store, made now where there is no domain yet. Raises NotTheFirstStart."""
    database = services.database
    if not await database.read(domains.list_domains, 1):
        wanted = [_FIRST_ACCOUNT, _SECOND_ACCOUNT] if demo else [_FIRST_ACCOUNT]
        passwords = [new_password() for _ in wanted]
        hashes = [await asyncio.to_thread(hash_password, password) for password in passwords]
        made = await database.write(_make, services, domain, dict(zip(wanted, hashes, strict=True)))
        if demo:
            await _fill(services, made[0][0], f"{_FIRST_ACCOUNT}@{domain}")
        return [
            Welcome(address, app_password, password)
            for (_, address, app_password), password in zip(made, passwords, strict=True)
        ]
    if domain != DEFAULT_DOMAIN and await database.read(domains.find_domain, domain) is None:
        raise NotTheFirstStart(f"--domain is for the first start; now it is: mailhost domain add {domain}")
    return [Welcome(account.address, None, None) for account in await database.read(accounts.list_accounts)]


def _make(tx: Tx, services: Services, domain: str, hashes: dict[str, str]) -> list[tuple[int, str, str]]:
    """Account id, address and app password of each."""
    now = int(time.time())
    domains.add_domain(tx, domain, now)
    made = []
    for local_part, password_hash in hashes.items():
        quota = services.config.limits.quota_octets
        account = enrol(
            tx,
            f"{local_part}@{domain}",
            password_hash=password_hash,
            now=now,
            quota_octets=quota,
            default_layout=mailstore.Layout(services.config.layout.value),
        )
        _, secret = issue_app_password(tx, services.key, account.address, name="first start", now=now)
        made.append((account.id, account.address, secret))
    return made


async def _fill(services: Services, account_id: int, owner: str) -> None:
    """Realistic mail, a few hundred of it, the last one just now."""
    now = int(time.time())
    batch: list[NewMessage] = []
    for number, content in enumerate(generate(_DEMO_SEED, _DEMO_MESSAGES, owner=owner), 1):
        intake = Intake(services.blobs, services.config.limits.message_octets, normalise=True)
        intake.write(content)
        age = (_DEMO_MESSAGES - number) * 3600
        flags = mailstore.Flag.SEEN if number <= _DEMO_MESSAGES - _UNREAD else 0
        batch.append(NewMessage(await intake.finish(), now - age, flags=flags))
        if len(batch) == _BATCH or number == _DEMO_MESSAGES:
            await services.database.write(_append, services, account_id, batch)
            batch = []


def _append(tx: Tx, services: Services, account_id: int, batch: Sequence[NewMessage]) -> None:
    inbox = mailstore.find_mailbox(tx, account_id, mailstore.INBOX)
    mailstore.append(tx, services.blobs, account_id, inbox.id, batch, int(time.time()))
