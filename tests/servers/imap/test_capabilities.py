"""What sessions announce is what the table of capabilities says we have."""

from pathlib import Path

from mailhost.storage.blobs import Blobs
from mailhost.storage.database import open_database
from mailhost.storage.files import DiskFiles
from tests.house.imap import OURS, REGISTERED, announced, registered_name
from tests.servers.imap.test_sessions import LOGIN, Client
from tests.transcripts.house import House


async def test_every_word_is_in_the_table(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/mailhost.db")
    house = House(database, Blobs(database, DiskFiles(tmp_path / "blobs")), None)
    await house.build()
    async with house.connection("imap") as connection:
        client = Client(*connection)
        await client.line()
        words: set[str] = set()
        for command in ("a CAPABILITY", LOGIN, "c CAPABILITY"):
            lines = await client.command(command)
            if command != LOGIN:
                words.update(lines[0].decode().split()[2:])
    await house.close()
    await database.close()
    assert "AUTH=PLAIN" in words
    assert "IMAP4rev2" in words
    names = {registered_name(word) for word in words}
    assert names <= announced()
    assert names <= REGISTERED.keys() | OURS.keys()
