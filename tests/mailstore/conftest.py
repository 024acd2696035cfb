"""An account with its mail store, and messages to put into it."""

from collections.abc import Awaitable, Callable

import pytest

from mailhost import mailstore
from mailhost.mailstore import Incoming, Intake, NewMessage
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database

NOW = 1_700_000_000


@pytest.fixture
async def account(database: Database) -> int:
    """An account's id; its store is open and empty, with a quota of 100,000 octets."""
    await database.write(mailstore.open_store, 1, NOW, 100_000)
    return 1


@pytest.fixture
def arrive(blobs: Blobs) -> Callable[..., Awaitable[Incoming]]:
    """Take a message's content in."""

    async def arrive(content: bytes = b"Subject: one\r\n\r\nbody\r\n") -> Incoming:
        intake = Intake(blobs, 10_000_000, normalise=True)
        intake.write(content)
        return await intake.finish()

    return arrive


@pytest.fixture
def put(database: Database, blobs: Blobs, account: int, arrive: Callable[..., Awaitable[Incoming]]):
    """Append one message; returns its UID."""

    async def put(
        content: bytes = b"Subject: one\r\n\r\nbody\r\n",
        mailbox: str = "INBOX",
        flags: int = 0,
        keywords: tuple[str, ...] = (),
        date: int = NOW,
        by_client: bool = False,
    ) -> int:
        message = NewMessage(await arrive(content), date, flags=flags, keywords=keywords)
        found = await database.read(mailstore.find_mailbox, account, mailbox)
        work = mailstore.append_from_client if by_client else mailstore.append
        appended = await database.write(work, blobs, account, found.id, [message], NOW)
        return appended.uids[0]

    return put
