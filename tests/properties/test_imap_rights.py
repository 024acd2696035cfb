"""Somebody with random rights who asks for everything: nothing unreadable is told, nothing hidden is named (RFC 4314).

Each of anna's mailboxes holds a word of its own in its messages and in its annotations. Otto may hear that word only
while he may read the mailbox, and the mailbox's name only while he may look it up, or where he said it himself.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from mailhost import mailstore
from mailhost.mailstore.account import EVERYBODY
from mailhost.mailstore.annotations import annotate_mailbox
from mailhost.mailstore.sharing import change_rights
from mailhost.network.listener import Listener
from mailhost.protocols.imap.rights import LETTERS, Right, parse_rights
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from tests.transcripts.house import ANNA, APP_PASSWORDS, OTTO, House

STEPS = 150
BOXES = {f"box{word}": f"secret{word}" for word in ("ash", "birch", "cedar", "elm")}
PREFIX = f"Other Users/{ANNA}/"

_END = re.compile(rb"x (OK|NO|BAD) |\* BYE ")

COMMANDS = (
    'SELECT "{name}"',
    'EXAMINE "{name}"',
    'SELECT "{name}"',
    'STATUS "{name}" (MESSAGES UIDNEXT SIZE UNSEEN MAILBOXID)',
    'LIST "" *',
    'LIST "" "Other Users/%/%" RETURN (MYRIGHTS STATUS (MESSAGES) METADATA (/shared/comment))',
    'LIST (SUBSCRIBED) "" *',
    'LSUB "" *',
    'SUBSCRIBE "{name}"',
    'MYRIGHTS "{name}"',
    'GETACL "{name}"',
    'LISTRIGHTS "{name}" otto@example.test',
    'GETQUOTAROOT "{name}"',
    'GETMETADATA "{name}" /shared/comment',
    'SETMETADATA "{name}" (/private/comment "mine")',
    'APPEND "{name}" {{3+}}\r\na\r\n',
    'APPEND INBOX CATENATE (URL "/{url};UID=1")',
    'CREATE "{name}"',
    'CREATE "{name}/below"',
    'RENAME "{name}" "{name}/below"',
    'RENAME "{name}" mine',
    "FETCH 1:* (BODY.PEEK[] ENVELOPE PREVIEW FLAGS)",
    "FETCH 1:* (BODY[] UID)",
    "SEARCH TEXT secret",
    "THREAD REFERENCES UTF-8 ALL",
    "STORE 1 +FLAGS (\\Seen \\Flagged)",
    'COPY 1 "{name}"',
    "NOOP",
    "NOOP",
    "CLOSE",
)


class Client:
    """Otto's mail program; it comes back when it is sent away."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.selected = ""

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.listener.port, limit=1 << 20)
        await self.reader.readline()
        self.selected = ""
        await self.say(f"LOGIN {OTTO} {APP_PASSWORDS[OTTO]}")
        await self.say(
            "NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (MailboxName MessageNew MessageExpunge))"
        )

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def say(self, text: str) -> bytes:
        self.writer.write(f"x {text}\r\n".encode())
        return await self.hear(_END)

    async def hear(self, end: re.Pattern[bytes]) -> bytes:
        """Everything up to a line that ends it; a new connection where that is a BYE."""
        said = b""
        async with asyncio.timeout(20):
            while not end.match(line := await self.reader.readline()):
                assert line, said
                said += line
        if line.startswith(b"* BYE"):
            await self.close()
            await self.open()
        return said + line


@pytest.fixture
async def house(database: Database, blobs: Blobs) -> AsyncIterator[House]:
    house = House(database, blobs, None)
    await house.build()
    anna = house.ids[ANNA]
    for name, word in BOXES.items():
        mailbox = await database.write(mailstore.create_mailbox, anna, name)
        await database.write(annotate_mailbox, anna, mailbox.id, anna, {"/shared/comment": word.encode()})
        for _ in range(2):
            await house.deliver(f"Subject: {word}\r\nFrom: {word}@example.org\r\n\r\n{word}\r\n".encode(), name)
    yield house
    await house.close()


@pytest.fixture
async def otto(house: House) -> AsyncIterator[Client]:
    listener = await house.open_listener("imap")
    client = Client(listener)
    await client.open()
    yield client
    await client.close()
    listener.stop()
    await listener.drain(5)


async def change(house: House, otto: Client, dice: random.Random, rights: dict[str, dict[int, Right]]) -> None:
    """Give otto or everybody other rights on a mailbox; if otto has it open, he hears of it before all else."""
    name = dice.choice(list(BOXES))
    grantee = dice.choice([house.ids[OTTO], house.ids[OTTO], EVERYBODY])
    letters = "".join(dice.sample(LETTERS.replace("x", ""), dice.randint(0, 6)))
    before = effective(rights[name])

    def work(tx: Tx) -> None:
        mailbox = mailstore.find_mailbox(tx, house.ids[ANNA], name)
        change_rights(tx, house.ids[ANNA], mailbox.id, grantee, parse_rights(letters))

    await house.database.write(work)
    rights[name][grantee] = parse_rights(letters)
    after = effective(rights[name])
    if otto.selected == name and before & Right.READ and not after & Right.READ:
        await otto.hear(re.compile(rb"\* BYE "))


def effective(granted: dict[int, Right]) -> Right:
    together = Right(0)
    for some in granted.values():
        together |= some
    return together


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_unreadable_is_told(house: House, otto: Client, seed: int) -> None:
    dice = random.Random(seed)
    rights: dict[str, dict[int, Right]] = {name: {} for name in BOXES}
    heard, subscribed = set(), set()
    for _ in range(STEPS):
        if dice.random() < 0.25:
            await change(house, otto, dice, rights)
            continue
        name = dice.choice([*BOXES, "nowhere"])
        url = (PREFIX + name).replace(" ", "%20")
        command = dice.choice(COMMANDS).format(name=PREFIX + name, url=url)
        said = await otto.say(command)
        verdict = said.splitlines()[-1]
        if command.startswith(("SELECT", "EXAMINE")):
            otto.selected = name if verdict.startswith(b"x OK") else ""
        elif command == "CLOSE":
            otto.selected = ""
        elif command.startswith("SUBSCRIBE"):
            subscribed.add(name)  # he said it; LSUB says it again, whether or not it is there
        if "INBOX" in command or "mine" in command:
            assert (
                b"BADURL" in verdict
                or verdict.startswith(b"x NO")
                or effective(rights[name]) & (Right.READ | Right.DELETE_MAILBOX)
            ), (command, said)
        for box, word in BOXES.items():
            may = effective(rights[box])
            if word.encode() in said:
                assert may & Right.READ, (command, said, letters(may))
                heard.add(word)
            if box.encode() in said and box not in command:
                assert may & Right.LOOKUP or box in {otto.selected, *subscribed}, (command, said, letters(may))
    assert heard  # or this test would see nothing


def letters(rights: Right) -> str:
    return "".join(letter for letter, right in zip(LETTERS, Right, strict=True) if rights & right)
