"""Sessions that change one mailbox at random: each one's numbers stay true to what it was told (RFC 9051 §2.3.1.2).

A client here keeps the list of UIDs as a real one does: EXISTS adds unknown ones at the end, EXPUNGE takes one out.
Whatever it fetches by number must then be the message it believes to have there, and what it searches for must be what
it fetched. Some clients know QRESYNC: they hear VANISHED, go away between any two commands, and must be told on their
return what they missed since the modseq they believe to have (RFC 7162 §3.2.5, §6). At times all act at once (RFC 9051
§5.5). `make test-long` takes 100,000 steps on each engine.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from mailhost.protocols.imap.sets import Ranges, parse_set
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database
from tests.transcripts.house import ANNA, APP_PASSWORDS, SAMPLE, House

STEPS = 120
LONG_STEPS = 10_000
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "$label1")

_EXISTS = re.compile(rb"\* (\d+) EXISTS")
_EXPUNGE = re.compile(rb"\* (\d+) EXPUNGE")
_FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)")
_SEARCH = re.compile(rb"\* SEARCH((?: \d+)*)")
_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([0-9:,]+)")
_HIGHEST = re.compile(rb"\S+ OK \[HIGHESTMODSEQ (\d+)\].*")
_VALIDITY = re.compile(rb"\* OK \[UIDVALIDITY (\d+)\].*")
_MODSEQ = re.compile(rb"MODSEQ \((\d+)\)")
_UID = re.compile(rb"UID (\d+)")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")


class Client:
    """A mail client that believes what it is told and nothing else."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.uids: list[int | None] = []
        self.flags: list[frozenset[bytes] | None] = []
        self.found: list[int] = []
        self.count = 0
        self.cache: dict[int, frozenset[bytes] | None] | None = None  # while away

    async def command(self, text: str, *, permits_expunge: bool = True) -> None:
        self.count += 1
        tag = f"t{self.count}".encode()
        self.writer.write(tag + b" " + text.encode() + b"\r\n")
        while True:
            line = (await self.reader.readline()).removesuffix(b"\r\n")
            assert line, f"hung up at {text}"
            if line.startswith(tag):
                is_gone = text.startswith(("COPY", "MOVE")) and b" NO [EXPUNGEISSUED] " in line
                assert is_gone or b" OK " in line, (text, line)
                self.end(line)
                return
            self.hear(line, text, permits_expunge=permits_expunge)

    def hear(self, line: bytes, text: str, *, permits_expunge: bool) -> None:
        if found := _EXISTS.fullmatch(line):
            assert int(found[1]) >= len(self.uids), (text, line)
            new = int(found[1]) - len(self.uids)
            self.uids += [None] * new
            self.flags += [None] * new
        elif found := _EXPUNGE.fullmatch(line):
            assert permits_expunge, (text, line)
            del self.uids[int(found[1]) - 1]
            del self.flags[int(found[1]) - 1]
        elif found := _SEARCH.fullmatch(line):
            self.found = [int(number) for number in found[1].split()]
        elif found := _VANISHED.fullmatch(line):
            assert permits_expunge, (text, line)
            self.forget(parse_set(found[2]).resolve(10_000), is_earlier=bool(found[1]))
        elif found := _FETCH.fullmatch(line):
            place = int(found[1]) - 1
            if uid := _UID.search(found[2]):
                assert self.uids[place] in {None, int(uid[1])}, (text, line, self.uids)
                self.uids[place] = int(uid[1])
            if flags := _FLAGS.search(found[2]):
                self.flags[place] = frozenset(flags[1].split())

    def forget(self, ranges: Ranges, *, is_earlier: bool) -> None:
        raise AssertionError("this client did not enable QRESYNC")

    def end(self, line: bytes) -> None:
        """A tagged answer."""

    async def step(self, dice: random.Random) -> None:
        """One thing that clients do."""
        number = dice.randint(1, max(1, len(self.uids)))
        flag = dice.choice(FLAGS)
        match dice.randint(0, 9):
            case 0 | 1 if self.uids:
                sign = dice.choice("+-")
                silent = dice.choice(["", ".SILENT"])
                for place, flags in list(enumerate(self.flags))[number - 1 : number + 1]:
                    if flags is not None:
                        self.flags[place] = flags | {flag.encode()} if sign == "+" else flags - {flag.encode()}
                text = f"STORE {number}:{min(number + 1, len(self.uids))} {sign}FLAGS{silent} ({flag})"
                await self.command(text, permits_expunge=False)
            case 2:
                await self.command("APPEND INBOX {3+}\r\na\r\n")
            case 3:
                await self.command("EXPUNGE")
            case 4 if self.uids:
                await self.command(f"MOVE {number} Trash")
            case 5 if self.uids:
                await self.command(f"COPY {number} INBOX")
            case 6:
                await self.command("NOOP")
            case 7 if self.uids:
                await self.command("UID FETCH 1:* (UID FLAGS)")
            case 8 if self.uids:
                await self.command("FETCH 1:* (UID FLAGS)", permits_expunge=False)
                assert None not in self.uids
            case _:
                await self.command("SEARCH ALL", permits_expunge=False)

    async def look(self, dice: random.Random) -> None:
        """Search while nobody else acts: what is found is what is shown, by number and by UID, gone or not."""
        flag = dice.choice(FLAGS)
        key = f"KEYWORD {flag}" if flag.startswith("$") else flag.removeprefix("\\").upper()
        await self.command("FETCH 1:* (UID FLAGS)", permits_expunge=False)
        await self.command(f"SEARCH NOT {key}", permits_expunge=False)
        # Of messages that are gone the client may not have heard yet; they are shown, and never found.
        shown = [n for n, flags in enumerate(self.flags, 1) if flags is not None and flag.encode() not in flags]
        assert set(self.found) <= set(shown), (self.found, shown)
        await self.command("NOOP")
        await self.command(f"UID SEARCH NOT {key} UID 1:*")
        await self.command("UID FETCH 1:* (UID FLAGS)")
        there = zip(self.uids, self.flags, strict=True)
        assert self.found == [uid for uid, flags in there if flags is not None and flag.encode() not in flags]


class ResyncingClient(Client):
    """One that knows QRESYNC. It asks at once for the UIDs of what arrived, as VANISHED names nothing else.

    It may be cut off at any time, and then knows the mailbox up to the modseq it has counted as RFC 7162 §6 has it.
    """

    box = "INBOX"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.uid_validity = self.modseq = 0
        self.told_modseqs: list[int] = []  # since the last tagged answer
        self.told_highest: int | None = None

    def forget(self, ranges: Ranges, *, is_earlier: bool) -> None:
        gone = {uid for first, last in ranges for uid in range(first, last + 1)}
        if self.cache is not None:
            assert is_earlier
            # Others may be named, too: what came and went meanwhile, and what the client has forgotten.
            self.cache = {uid: flags for uid, flags in self.cache.items() if uid not in gone}
            return
        assert gone <= set(self.uids)
        left = [(uid, flags) for uid, flags in zip(self.uids, self.flags, strict=True) if uid not in gone]
        self.uids, self.flags = [uid for uid, _ in left], [flags for _, flags in left]

    def hear(self, line: bytes, text: str, *, permits_expunge: bool) -> None:
        assert not _EXPUNGE.fullmatch(line)
        if found := _HIGHEST.fullmatch(line):
            self.told_highest = int(found[1])
        if found := _VALIDITY.fullmatch(line):
            self.uid_validity = int(found[1])
        if _FETCH.fullmatch(line):
            self.told_modseqs += map(int, _MODSEQ.findall(line))
        if self.cache is None or _VANISHED.fullmatch(line):
            super().hear(line, text, permits_expunge=permits_expunge)
        elif found := _EXISTS.fullmatch(line):
            self.uids = self.flags = [None] * int(found[1])
        elif found := _FETCH.fullmatch(line):
            uid, flags = _UID.search(found[2]), _FLAGS.search(found[2])
            assert uid
            assert flags
            self.cache[int(uid[1])] = frozenset(flags[1].split())

    def end(self, line: bytes) -> None:
        if found := _HIGHEST.fullmatch(line):
            self.told_highest = int(found[1])
        self.modseq = max([self.modseq, *self.told_modseqs]) if self.told_highest is None else self.told_highest
        self.told_modseqs, self.told_highest = [], None

    async def command(self, text: str, *, permits_expunge: bool = True) -> None:
        await super().command(text, permits_expunge=permits_expunge)
        while self.cache is None and None in self.uids:
            await super().command("UID FETCH 1:* (UID FLAGS)")

    async def step(self, dice: random.Random) -> None:
        if self.cache is not None:
            await self.come_back()
        elif dice.randint(0, 4) == 0:
            await self.go_away()
        else:
            await super().step(dice)

    async def go_away(self) -> None:
        await self.command("UNSELECT")
        self.cache = {uid: flags for uid, flags in zip(self.uids, self.flags, strict=True) if uid}

    async def come_back(self) -> None:
        await self.command(f'SELECT "{self.box}" (QRESYNC ({self.uid_validity} {self.modseq}))')
        assert self.cache is not None
        told = dict(sorted(self.cache.items()))
        assert len(told) == len(self.uids)
        self.uids, self.flags, self.cache = list(told), list(told.values()), None
        await self.command("FETCH 1:* (UID FLAGS)", permits_expunge=False)
        assert told == dict(zip(self.uids, self.flags, strict=True))


@pytest.fixture
async def house(database: Database, blobs: Blobs) -> AsyncIterator[House]:
    house = House(database, blobs, None)
    await house.build()
    for number in range(8):
        await house.deliver(SAMPLE % (number, number, number, number))
    yield house
    await house.close()


@pytest.fixture
async def clients(house: House) -> AsyncIterator[list[Client]]:
    listener = await house.open_listener("imap")
    made = []
    for kind in (Client, Client, ResyncingClient):
        client = kind(*await asyncio.open_connection("127.0.0.1", listener.port))
        made.append(client)
        await client.command(f'LOGIN {ANNA} "{APP_PASSWORDS[ANNA]}"')
        if kind is ResyncingClient:
            await client.command("ENABLE QRESYNC")
        await client.command("SELECT INBOX")
    yield made
    for client in made:
        client.writer.close()
        with suppress(ConnectionError):
            await client.writer.wait_closed()
    listener.stop()
    await listener.drain(5)


@pytest.mark.parametrize("seed", range(8))
async def test_numbers_stay_true(clients: list[Client], seed: int) -> None:
    await walk(clients, random.Random(seed), STEPS)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", range(100_000 // LONG_STEPS))
async def test_numbers_stay_true_for_long(clients: list[Client], seed: int) -> None:
    await walk(clients, random.Random(1_000 + seed), LONG_STEPS)


async def walk(clients: list[Client], dice: random.Random, steps: int) -> None:
    """So many things that clients do, and then all must agree."""
    done = 0
    while done < steps:
        client = dice.choice(clients)
        match dice.randint(0, 9):
            case 0:
                some = [client for client in clients if client.cache is None]
                await asyncio.gather(*(client.step(random.Random(dice.random())) for client in some))
                done += len(some)
            case 1 if type(client) is Client:
                await client.look(dice)
                done += 1
            case _:
                await client.step(dice)
                done += 1
    await agree(clients)


async def agree(clients: list[Client]) -> None:
    """What each was told is what is there."""
    for client in clients:
        if isinstance(client, ResyncingClient) and client.cache is not None:
            await client.come_back()
        await client.command("NOOP")
    told = [(client.uids, client.flags) for client in clients]
    for client, (uids, flags) in zip(clients, told, strict=True):
        known = list(zip(uids, flags, strict=True))
        await client.command("FETCH 1:* (UID FLAGS)", permits_expunge=False)
        for (uid, mask), now, mask_now in zip(known, client.uids, client.flags, strict=True):
            assert uid in {None, now}
            assert mask in {None, mask_now}
        assert (client.uids, client.flags) == (clients[0].uids, clients[0].flags)
