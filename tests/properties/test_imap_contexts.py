"""Open searches under random changes: a client that obeys ADDTO and REMOVEFROM has what the same search finds anew."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from mailhost.protocols.imap.sets import parse_set
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database
from tests.servers.imap.test_sessions import LOGIN, Client
from tests.transcripts.house import SAMPLE, House

STEPS = 60
SEARCHES = {
    b"s1": "UID SEARCH RETURN ({}ALL) OR FLAGGED SUBJECT 3",
    b"s2": "UID SORT RETURN ({}ALL) (SUBJECT REVERSE SIZE) UTF-8 UNSEEN",
    b"s3": "UID SORT RETURN ({}ALL) (REVERSE ARRIVAL) UTF-8 NOT FLAGGED",
}
_RESULT = re.compile(rb'\* ESEARCH \(TAG "(\w+)"\) UID(?: ALL ([0-9,:]+))?\r\n')
_UPDATE = re.compile(rb'\* ESEARCH \(TAG "(\w+)"\) UID (ADDTO|REMOVEFROM) \((.*)\)\r\n')


def expand(text: bytes | None) -> list[int]:
    """UIDs in the order written."""
    ranges = parse_set(text).ranges if text else ()
    return [uid for first, last in ranges for uid in range(first, last + 1)]


def obey(result: list[int], kind: bytes, words: list[bytes]) -> None:
    for place, numbers in zip(words[::2], words[1::2], strict=True):
        for offset, uid in enumerate(expand(numbers)):
            if kind == b"REMOVEFROM":
                assert place == b"0" or result[int(place) - 1] == uid
                result.remove(uid)
            elif place == b"0":
                result.append(uid)
                result.sort()
            else:
                result.insert(int(place) - 1 + offset, uid)


@pytest.fixture
async def clients(database: Database, blobs: Blobs) -> AsyncIterator[list[Client]]:
    house = House(database, blobs, None)
    await house.build()
    for number in range(8):
        await house.deliver(SAMPLE % (number, number, number, number), date=1_800_000_000 + number * 7 % 5)
    listener = await house.open_listener("imap")
    made = []
    for _ in range(2):
        client = Client(*await asyncio.open_connection("127.0.0.1", listener.port))
        await client.line()
        await client.command(LOGIN)
        await client.command("b SELECT INBOX")
        made.append(client)
    yield made
    for client in made:
        client.writer.close()
        with suppress(ConnectionError):
            await client.writer.wait_closed()
    listener.stop()
    await listener.drain(5)
    await house.close()


async def step(client: Client, dice: random.Random, count: int) -> list[bytes]:
    uid = dice.randint(1, 8 + count)
    match dice.randint(0, 5):
        case 0:
            client.send(b"t APPEND INBOX {22+}\r\nSubject: %d\r\n\r\nx%05d\r\n\r\n" % (dice.randint(0, 9), count))
            return await client.command("u NOOP")
        case 1:
            return await client.command(f"t UID MOVE {uid} Trash")
        case 2:
            return await client.command("t NOOP")
        case _:
            flag = dice.choice(["\\Flagged", "\\Seen"])
            return await client.command(f"t UID STORE {uid}:{uid + 1} {dice.choice('+-')}FLAGS.SILENT ({flag})")


@pytest.mark.parametrize("seed", range(2))
async def test_open_searches_stay_true(clients: list[Client], seed: int) -> None:
    dice = random.Random(seed)
    watcher = clients[0]
    results: dict[bytes, list[int]] = {}
    for tag, search in SEARCHES.items():
        [answer, _] = await watcher.command(f"{tag.decode()} {search.format('UPDATE ')}")
        found = _RESULT.fullmatch(answer)
        assert found
        results[tag] = expand(found[2])
    for count in range(STEPS):
        client = dice.choice(clients)
        for line in await step(client, dice, count):
            if client is watcher and (told := _UPDATE.fullmatch(line)):
                obey(results[told[1]], told[2], told[3].split())
    for line in await watcher.command("u NOOP"):
        if told := _UPDATE.fullmatch(line):
            obey(results[told[1]], told[2], told[3].split())
    for tag, search in SEARCHES.items():
        [answer, _] = await watcher.command(f"again {search.format('')}")
        found = _RESULT.fullmatch(answer)
        assert found
        assert results[tag] == expand(found[2]), tag
