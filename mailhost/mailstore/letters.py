"""Letters from the server itself, into the INBOX of an account."""

from dataclasses import dataclass
from email.header import Header
from email.utils import formatdate
from typing import Final
from uuid import uuid4

from mailhost.mailstore.append import append
from mailhost.mailstore.intake import Intake
from mailhost.mailstore.mailboxes import inbox_of
from mailhost.mailstore.model import NewMessage
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx

_MAX_OCTETS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Letter:
    """To whom, and what: plain text whose lines end in LF. `host` is our name, in the Message-ID."""

    account_id: int
    address: str
    subject: str
    text: str
    host: str


async def post(database: Database, blobs: Blobs, letter: Letter, now: int) -> None:
    """Put it into the INBOX. Raises MailhostError where that cannot be: the account is full, or was removed."""
    lines = [
        f"From: Mailhost <postmaster@{letter.address.rpartition('@')[2]}>",
        f"To: {letter.address}",
        f"Subject: {Header(letter.subject, 'utf-8').encode()}",
        f"Date: {formatdate(now)}",
        f"Message-ID: <{uuid4()}@{letter.host}>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "Auto-Submitted: auto-generated",
        "",
        letter.text,
        "",
    ]
    intake = Intake(blobs, _MAX_OCTETS, normalise=True)
    try:
        intake.write("\n".join(lines).replace("\r\n", "\n").replace("\n", "\r\n").encode())
        message = NewMessage(await intake.finish(), now)

        def place(tx: Tx) -> None:
            append(tx, blobs, letter.account_id, inbox_of(tx, letter.account_id), [message], now)

        await database.write(place)
    finally:
        intake.discard()
