"""Searches that stay open: how large they may grow, and the places of what joins a sorted one."""

from array import array
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.imap.commands import Sort
from mailhost.protocols.imap.search import All
from mailhost.servers.imap import contexts
from mailhost.servers.imap.contexts import Context
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database
from tests.servers.imap.test_sessions import LOGIN, Client
from tests.transcripts.house import SAMPLE, House

SORT = Sort(b"a", True, (), All(), None)


@pytest.fixture
def database_url(tmp_path) -> str:
    """What is kept of a search is in memory, whichever database."""
    return f"sqlite:///{tmp_path}/mailhost.db"


@pytest.fixture
async def house(database: Database, blobs: Blobs) -> AsyncIterator[House]:
    house = House(database, blobs, None)
    await house.build()
    yield house
    await house.close()


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    async with house.connection("imap") as connection:
        client = Client(*connection)
        await client.line()
        await client.command(LOGIN)
        await client.command("b SELECT INBOX")
        yield client


@pytest.mark.parametrize("command", ["SORT RETURN (UPDATE) (ARRIVAL) UTF-8 ALL", "SEARCH RETURN (UPDATE) ALL"])
async def test_a_search_that_grows_too_large_is_given_up(
    house: House, client: Client, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(contexts, "MAX_SORTED", 2)
    monkeypatch.setattr(contexts, "MAX_FOUND", 2)
    await client.command(f"s {command}")
    for number in range(2):
        await house.deliver(SAMPLE % (number, number, number, number))
    assert any(line.startswith(b'* ESEARCH (TAG "s") ADDTO ') for line in await client.command("c NOOP"))
    await house.deliver(SAMPLE % (3, 3, 3, 3))
    assert any(line.startswith(b'* NO [NOUPDATE "s"] ') for line in await client.command("d NOOP"))
    assert (await client.command('e CANCELUPDATE "s"'))[-1].startswith(b"e BAD ")
    await house.deliver(SAMPLE % (4, 4, 4, 4))
    assert await client.command("f NOOP") == [b"* 4 EXISTS\r\n", b"f OK NOOP completed.\r\n"]


@given(st.permutations(range(1, 12)), st.sets(st.integers(1, 11)), st.sets(st.integers(1, 11), max_size=3))
def test_places_can_be_followed(order: list[int], there: set[int], gone: set[int]) -> None:
    """A client that puts in and takes out one message after the other has the order that the server has."""
    places = {uid: place for place, uid in enumerate(order) if uid not in gone}
    context = Context(SORT, {}, array("I", (uid for uid in order if uid in there)))
    followed = list(context.uids)
    for place, uid in context.put_in([uid for uid in places if uid not in there], places):
        followed.insert(place - 1, uid)
    assert followed == list(context.uids)
    assert [uid for uid in followed if uid in places] == [uid for uid in order if uid in places]
    for place, uid in context.take_out(gone | {3, 4, 5}):
        assert followed.pop(place - 1) == uid
    assert followed == list(context.uids)
    assert not {3, 4, 5, *gone} & set(followed)
