"""Relevancy is the same whether the index knows the messages or they are looked at."""

import pytest

from mailhost.mailstore import indexer
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database
from tests.servers.imap.test_sessions import LOGIN, Client
from tests.transcripts.house import House

TEXTS = ("invoice", "nothing", "invocie", "invoices and more", "march invocie")
ASKED = (
    'UID SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT "invoice"',
    'UID SORT RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY OR SUBJECT "letter 1" BODY "march invoice"',
)


@pytest.mark.parametrize("asked", ASKED)
async def test_relevancy_does_not_depend_on_the_index(
    database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    house = House(database, blobs, None)
    await house.build()
    for number, text in enumerate(TEXTS):
        await house.deliver(b"Subject: letter %d\r\n\r\n%b\r\n" % (number, text.encode()))
    async with house.connection("imap") as connection:
        client = Client(*connection)
        await client.line()
        await client.command(LOGIN)
        await client.command("b SELECT INBOX")
        monkeypatch.setattr(indexer, "CATCH_UP", 0)
        looked = await client.command(f"c {asked}")
        monkeypatch.undo()
        assert b"RELEVANCY (" in b"".join(looked)
        assert await client.command(f"c {asked}") == looked
    await house.close()
