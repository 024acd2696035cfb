"""Every right against every command: what works with all rights but one, and with one alone (RFC 4314 §4)."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from mailhost.mailstore import NoSuchMailbox, create_mailbox, delete_mailbox, find_mailbox
from mailhost.mailstore.sharing import change_rights
from mailhost.protocols.imap.rights import ALL_RIGHTS, LETTERS, parse_rights
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from tests.transcripts.house import ANNA, APP_PASSWORDS, OTTO, SAMPLE, House

BOX = f'"Other Users/{ANNA}/INBOX"'
TARGET = f'"Other Users/{ANNA}/Archive"'

NEEDS = {
    # command while no mailbox is selected: the rights on the mailbox that it needs
    f"STATUS {BOX} (MESSAGES)": "r",
    f"SELECT {BOX}": "r",
    f"EXAMINE {BOX}": "r",
    f"GETQUOTAROOT {BOX}": "r",
    f"APPEND {BOX} {{3+}}\r\na\r\n": "i",
    f'CREATE {BOX[:-1]}/new"': "k",
    f'RENAME {BOX[:-1]}/old" {BOX[:-1]}/other"': "kx",
    f'DELETE {BOX[:-1]}/old"': "x",
    f"GETACL {BOX}": "a",
    f"LISTRIGHTS {BOX} {OTTO}": "a",
    f"SETACL {BOX} anyone l": "a",
    f"DELETEACL {BOX} anyone": "a",
    f"SUBSCRIBE {BOX}": "",
    'LIST "" "Other Users/*"': "",
}

SELECTED_NEEDS = {
    # command while it is selected: the rights it needs beside r; `|` divides those of which one is enough
    "FETCH 1 BODY[]": "",
    "SEARCH ALL": "",
    "SORT (ARRIVAL) UTF-8 ALL": "",
    "THREAD REFERENCES UTF-8 ALL": "",
    "CHECK": "",
    "CLOSE": "",
    "NOOP": "",
    "STORE 1 +FLAGS (\\Seen)": "s",
    "STORE 1 +FLAGS (\\Deleted)": "t",
    "STORE 1 +FLAGS (\\Flagged)": "w",
    "STORE 1 +FLAGS ($Key)": "w",
    "STORE 1 FLAGS ()": "s|t|w",
    "STORE 1 -FLAGS (\\Seen \\Flagged)": "s|w",
    "EXPUNGE": "e",
    "UID EXPUNGE 1": "e",
    "COPY 1 INBOX": "",
    "MOVE 1 INBOX": "te",
    "UID MOVE 1 INBOX": "te",
    "REPLACE 1 INBOX {3+}\r\na\r\n": "te",
}


class Client:
    """One connection; each command is answered before the next."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, text: str) -> bytes:
        """Everything up to the tagged answer."""
        self.writer.write(f"x {text}\r\n".encode())
        said = b""
        while not re.match(rb"x (OK|NO|BAD)|\* BYE", line := await self.reader.readline()):
            assert line, f"hung up at {text}"
            said += line
        return said + line


@pytest.fixture
def database_url(tmp_path) -> str:
    """The rules of the rows run on both engines elsewhere; this asks the door alone."""
    return f"sqlite:///{tmp_path}/mailhost.db"


@pytest.fixture
async def house(database: Database, blobs: Blobs) -> AsyncIterator[House]:
    house = House(database, blobs, None)
    await house.build()
    for number in range(3):
        await house.deliver(SAMPLE % (number, number, number, number))
    yield house
    await house.close()


@pytest.fixture
async def otto(house: House) -> AsyncIterator[Client]:
    async with house.connection("imap") as connection:
        client = Client(*connection)
        await client.reader.readline()
        await client.say(f"LOGIN {OTTO} {APP_PASSWORDS[OTTO]}")
        yield client


async def grant(house: House, letters: str, *names: str) -> None:
    """What otto may do with these mailboxes of anna's."""

    def work(tx) -> None:
        for name in names:
            mailbox = find_mailbox(tx, house.ids[ANNA], name)
            change_rights(tx, house.ids[ANNA], mailbox.id, house.ids[OTTO], parse_rights(letters))

    await house.database.write(work)


async def prepare(house: House, otto: Client, letters: str) -> None:
    """INBOX with these rights, and INBOX/old beneath it, whatever the command before has done."""
    await otto.say("UNSELECT")
    for name in ("old", "new", "other"):
        with suppress(NoSuchMailbox):
            await house.database.write(delete_mailbox, house.ids[ANNA], f"INBOX/{name}", 0)
    await house.database.write(create_mailbox, house.ids[ANNA], "INBOX/old")
    await grant(house, letters, "INBOX", "INBOX/old")


def allows(letters: str, needed: str) -> bool:
    if "|" in needed:
        return any(each in letters for each in needed.split("|"))
    return set(needed) <= set(letters)


@pytest.mark.parametrize(
    "letters", [*("l" + letter for letter in LETTERS[1:]), *(LETTERS.replace(each, "") for each in LETTERS[1:])]
)
async def test_each_command_needs_its_rights(house: House, otto: Client, letters: str) -> None:
    for command, needed in NEEDS.items():
        await prepare(house, otto, letters)
        said = await otto.say(command)
        verdict = said.splitlines()[-1]
        assert (b" OK" in verdict) == allows(letters, needed), (letters, command, verdict)
        assert b" OK" in verdict or b"[NOPERM]" in verdict, (letters, command, verdict)


@pytest.mark.parametrize(
    "letters", [*("lr" + letter for letter in LETTERS[2:]), *(LETTERS.replace(each, "") for each in LETTERS[2:])]
)
async def test_each_command_on_an_open_mailbox_needs_its_rights(house: House, otto: Client, letters: str) -> None:
    for command, needed in SELECTED_NEEDS.items():
        await grant(house, letters, "INBOX")
        await house.deliver(SAMPLE % (7, 7, 7, 7))
        await otto.say("UNSELECT")
        opened = await otto.say(f"SELECT {BOX}")
        assert (b"[READ-WRITE]" in opened) == bool(set(letters) & set("swite")), (letters, opened)
        verdict = (await otto.say(command)).splitlines()[-1]
        assert (b" OK" in verdict) == allows(letters, needed), (letters, command, verdict)
        assert b" OK" in verdict or b"[NOPERM]" in verdict, (letters, command, verdict)


async def test_without_lookup_what_is_refused_does_not_exist(house: House, otto: Client) -> None:
    for command, needed in NEEDS.items():
        if needed and "CREATE" not in command:
            await prepare(house, otto, "")
            hidden = await otto.say(command)
            absent = await otto.say(command.replace("/INBOX", "/nowhere"))
            assert hidden == absent, command
            assert b"NO [" in hidden


@pytest.mark.parametrize("flag", ["\\Seen", "\\Deleted", "\\Flagged", "$Key"])
@pytest.mark.parametrize("letters", ["li", "lis", "lit", "liw"])
async def test_copies_keep_the_flags_that_may_be_set(house: House, otto: Client, flag: str, letters: str) -> None:
    await grant(house, letters + "r", "Archive")
    await otto.say(f"APPEND INBOX ({flag}) {{3+}}\r\na\r\n")
    await otto.say("SELECT INBOX")
    assert b"x OK" in await otto.say(f"COPY 1 {TARGET}")
    assert b"x OK" in await otto.say(f"APPEND {TARGET} ({flag}) {{3+}}\r\na\r\n")
    await otto.say(f"EXAMINE {TARGET}")
    said = await otto.say("FETCH 1:* FLAGS")
    may = {"\\Seen": "s", "\\Deleted": "t"}.get(flag, "w") in letters
    assert said.count(flag.encode()) == (2 if may else 0), said


def take_away(tx: Tx, letters: str) -> None:
    """All but these, and nobody is woken."""
    tx.execute("update mailbox_right set granted = :granted", granted=int(parse_rights(letters)))


async def test_a_right_taken_away_counts_before_anybody_is_woken(house: House, otto: Client) -> None:
    """Other processes hear of it a little later, or never; what is asked after that must be refused all the same."""
    await grant(house, "lrste", "INBOX")
    await otto.say(f"SELECT {BOX}")
    assert b"x OK" in await otto.say("STORE 1 +FLAGS (\\Deleted)")
    await house.database.write(take_away, "lr")
    assert b"x NO [NOPERM]" in await otto.say("EXPUNGE")
    await house.database.write(take_away, "l")
    assert b"* BYE" in await otto.say("FETCH 1 BODY[]")


async def test_a_right_taken_away_while_a_message_comes_counts(house: House, otto: Client) -> None:
    await grant(house, "lri", "INBOX")
    otto.writer.write(f"x APPEND {BOX} {{3}}\r\n".encode())
    assert (await otto.reader.readline()).startswith(b"+")
    await house.database.write(take_away, "lr")
    otto.writer.write(b"abc\r\n")
    assert (await otto.reader.readline()).startswith(b"x NO [NOPERM]")


async def test_all_rights_are_what_the_letters_say() -> None:
    assert parse_rights(LETTERS) == ALL_RIGHTS
