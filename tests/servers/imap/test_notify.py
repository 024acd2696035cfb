"""NOTIFY on both databases: bounds, wake-ups that were lost, and names that change."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from mailhost import mailstore
from mailhost.servers.imap import notify
from mailhost.servers.imap.namechanges import changed_names
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database
from tests.servers.imap.test_sessions import LOGIN, Client
from tests.transcripts.house import ANNA, SAMPLE, START, House


@pytest.fixture
async def house(database: Database, blobs: Blobs) -> AsyncIterator[House]:
    house = House(database, blobs, None)
    house.imap = replace(house.imap, recheck_seconds=0.05)
    await house.build()
    yield house
    await house.close()


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    async with house.connection("imap") as connection:
        client = Client(*connection)
        await client.line()
        await client.command(LOGIN)
        yield client


async def test_arrivals_are_told_while_the_client_is_silent(house: House, client: Client) -> None:
    await client.command("b NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (INBOXES (MessageNew MessageExpunge))")
    await house.deliver(SAMPLE % (1, 1, 1, 1))
    assert (await client.line()).startswith(b'* STATUS "INBOX" (UIDVALIDITY ')
    await client.command("c SELECT INBOX")
    await house.deliver(SAMPLE % (2, 2, 2, 2))
    assert await client.line() == b"* 2 EXISTS\r\n"


async def test_a_lost_wake_up_costs_a_poll(
    house: House, client: Client, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr("mailhost.mailstore.account.store_topic", lambda _: "nobody listens")
    await client.command("b NOTIFY SET (PERSONAL (MessageNew MessageExpunge))")
    await house.deliver(SAMPLE % (1, 1, 1, 1), "Archive")
    assert (await client.line()).startswith(b'* STATUS "Archive" (UIDVALIDITY ')


async def test_too_many_mailboxes_are_refused_and_later_given_up(
    house: House, client: Client, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(notify, "MAX_WATCHED", 5)
    refused = await client.command("b NOTIFY SET (PERSONAL (MessageNew MessageExpunge))")
    assert refused[-1].startswith(b"b NO [NOTIFICATIONOVERFLOW] ")
    monkeypatch.setattr(notify, "MAX_WATCHED", 6)
    assert (await client.command("c NOTIFY SET (PERSONAL (MessageNew MessageExpunge))"))[-1].startswith(b"c OK")
    await database.write(mailstore.create_mailbox, house.ids[ANNA], "one more")
    assert (await client.line()).startswith(b"* OK [NOTIFICATIONOVERFLOW] ")
    await house.deliver(SAMPLE % (1, 1, 1, 1))
    assert await client.command("d NOOP") == [b"d OK NOOP completed.\r\n"]


async def test_a_mailbox_that_goes_makes_room(
    house: House, client: Client, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(notify, "MAX_WATCHED", 6)
    await client.command("b NOTIFY SET (PERSONAL (MailboxName MessageNew MessageExpunge))")
    await database.write(mailstore.delete_mailbox, house.ids[ANNA], "Junk", START)
    assert await client.line() == b'* LIST (\\NonExistent \\Subscribed) "/" "Junk"\r\n'
    await database.write(mailstore.create_mailbox, house.ids[ANNA], "Spam")
    assert await client.line() == b'* LIST (\\HasNoChildren) "/" "Spam"\r\n'


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        ({1: "a"}, {1: "a"}, {}),
        ({1: "a"}, {1: "a", 2: "a/b"}, {"a/b": None, "a": None}),
        ({1: "a", 2: "a/b"}, {1: "z", 2: "z/b"}, {"z": "a"}),
        ({1: "a", 2: "a/b"}, {1: "z", 2: "z/c"}, {"z": "a", "z/c": "a/b"}),
        ({1: "a", 2: "a/b"}, {1: "z", 2: "b"}, {"z": "a", "b": "a/b"}),
        ({1: "a/b/c", 2: "a"}, {1: "z/b/c", 2: "z"}, {"z": "a"}),
        ({1: "a"}, {2: "a"}, {"a": None}),
        ({1: "a"}, {}, {"a": None}),
        ({1: "a", 2: "b", 3: "c"}, {1: "b", 2: "c", 3: "d"}, {"d": "c", "c": "b", "b": "a"}),
        ({1: "a", 2: "b"}, {1: "b", 2: "a"}, {"b": "a", "a": "b"}),
    ],
)
def test_changed_names(before: dict[int, str], now: dict[int, str], changed: dict[str, str | None]) -> None:
    then, later = ({(1, key): name for key, name in names.items()} for names in (before, now))
    assert list(changed_names(then, later).items()) == list(changed.items())
