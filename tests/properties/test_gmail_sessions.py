"""Sessions that change labels at random: what the gmail layout promises holds, and numbers stay true.

Every client believes what it is told and nothing else, as in test_imap_views. Between the commands a checker looks
the promises up in the rows. `make test-long` takes 100,000 steps on each engine.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from mailhost import mailstore
from mailhost.mailstore import LabelSettings, OnExpunge
from mailhost.mailstore.model import MAX_UID
from mailhost.servers.imap import labels, store
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from tests.mailstore.labelled import check_labels
from tests.properties.test_imap_views import Client, ResyncingClient
from tests.transcripts.house import ANNA, APP_PASSWORDS, SAMPLE, House

STEPS = 150
LONG_STEPS = 1_000
BOXES = (
    "INBOX",
    "work",
    "[Gmail]/All Mail",
    "[Gmail]/Starred",
    "[Gmail]/Important",
    "[Gmail]/Drafts",
    "[Gmail]/Spam",
    "[Gmail]/Trash",
)
LABELS = ("\\Inbox", "\\Starred", "\\Important", "\\Draft", "\\Spam", "\\Trash", "work")
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "$label1")
SETTINGS = (
    LabelSettings(),
    LabelSettings(auto_expunge=False, on_expunge=OnExpunge.ARCHIVE),
    LabelSettings(auto_expunge=False, on_expunge=OnExpunge.TRASH),
)


class LabelClient(Client):
    """A client of an account that shows labels; `box` is what it has selected."""

    box = "INBOX"

    async def open(self, box: str) -> None:
        self.uids, self.flags, self.box = [], [], box
        await self.command(f'SELECT "{box}"')

    async def step(self, dice: random.Random) -> None:
        number = dice.randint(1, max(1, len(self.uids)))
        match dice.randint(0, 11):
            case 0 | 1 if self.uids:
                sign, flag = dice.choice(["+", "-", ""]), dice.choice(FLAGS)
                last = min(number + 2, len(self.uids))
                await self.command(f"STORE {number}:{last} {sign}FLAGS ({flag})", permits_expunge=False)
            case 2 | 3 if self.uids:
                sign = dice.choice(["+", "-", ""])
                names = " ".join(dice.sample(LABELS, dice.randint(0, 2)))
                last = min(number + 2, len(self.uids))
                await self.command(f"STORE {number}:{last} {sign}X-GM-LABELS ({names})", permits_expunge=False)
            case 4 if self.uids:
                await self.command(f'COPY {number} "{dice.choice(BOXES)}"')
            case 5 if self.uids:
                await self.command(f'MOVE {number} "{dice.choice(BOXES)}"')
            case 6:
                text = f"Subject: {dice.randint(10, 14)}\r\n"
                await self.command(f'APPEND "{dice.choice(BOXES)}" {{{len(text)}+}}\r\n{text}')
            case 7:
                await self.command("EXPUNGE")
            case 8:
                await self.open(dice.choice(BOXES))
            case 9 if self.uids:
                await self.command("FETCH 1:* (UID FLAGS X-GM-LABELS)", permits_expunge=False)
                assert None not in self.uids
            case 10:
                await self.command('SEARCH OR X-GM-LABELS work X-GM-LABELS "\\\\Inbox"', permits_expunge=False)
            case _:
                await self.command("NOOP")


class ResyncingLabelClient(ResyncingClient, LabelClient):
    """One that is cut off and comes back."""


@pytest.fixture
async def house(database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    for module in (store, labels):  # what is done to several messages is done in steps
        monkeypatch.setattr(module, "LABELLED_AT_ONCE", 2)
    house = House(database, blobs, None, shows_labels=True)
    await house.build()
    await house.database.write(mailstore.create_mailbox, house.ids[ANNA], "work")
    for number in range(6):
        await house.deliver(SAMPLE % (number, number, number, number))
    yield house
    await house.close()


@pytest.fixture
async def clients(house: House) -> AsyncIterator[list[LabelClient]]:
    listener = await house.open_listener("imap")
    made = []
    for kind in (LabelClient, LabelClient, ResyncingLabelClient):
        client = kind(*await asyncio.open_connection("127.0.0.1", listener.port))
        made.append(client)
        await client.command(f'LOGIN {ANNA} "{APP_PASSWORDS[ANNA]}"')
        if isinstance(client, ResyncingLabelClient):
            await client.command("ENABLE QRESYNC")
        await client.open("INBOX")
    yield made
    for client in made:
        client.writer.close()
        with suppress(ConnectionError):
            await client.writer.wait_closed()
    listener.stop()
    await listener.drain(5)


@pytest.mark.parametrize("wanted", SETTINGS, ids=("auto", "archive", "trash"))
async def test_labels_hold_and_numbers_stay_true(
    house: House, clients: list[LabelClient], wanted: LabelSettings
) -> None:
    await walk(house, clients, wanted, random.Random(len(wanted.on_expunge.value)), STEPS)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", range(100_000 // LONG_STEPS))
async def test_labels_hold_for_long(house: House, clients: list[LabelClient], seed: int) -> None:
    wanted = SETTINGS[seed % len(SETTINGS)]
    await walk(house, clients, wanted, random.Random(1_000 + seed), LONG_STEPS)


async def walk(
    house: House, clients: list[LabelClient], wanted: LabelSettings, dice: random.Random, steps: int
) -> None:
    """So many things that clients do, each of which must leave the rows as they are promised; then all must agree."""
    account = house.ids[ANNA]
    await house.database.write(mailstore.set_label_settings, account, wanted)
    for _ in range(steps):
        await dice.choice(clients).step(dice)
        await house.database.read(check_labels, account)
    for client in clients:
        if isinstance(client, ResyncingLabelClient) and client.cache is not None:
            await client.come_back()
        await client.command("NOOP")
        known = list(client.uids)
        await client.command("FETCH 1:* (UID FLAGS)", permits_expunge=False)
        assert all(before in {None, uid} for before, uid in zip(known, client.uids, strict=True))
        assert client.uids == await house.database.read(uids_in, account, client.box)


def uids_in(tx: Tx, account: int, box: str) -> list[int]:
    found = mailstore.find_mailbox(tx, account, box)
    return [row[0] for row in mailstore.live_rows(tx, account, found.id, 1, MAX_UID, ("uid",), 10_000)]
