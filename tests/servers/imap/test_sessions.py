"""What no transcript can say: revoked credentials, a server that stops, clients that vanish, a crash of one session."""

import asyncio
import imaplib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mailhost import accounts, mailstore
from mailhost.mailstore.model import Mailbox
from mailhost.mailstore.thinking import think
from mailhost.network.listener import Listener
from mailhost.servers.imap import selecting
from mailhost.servers.imap.content import IN_MEMORY
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import open_database
from mailhost.storage.files import DiskFiles
from tests.transcripts.house import ANNA, APP_PASSWORDS, SAMPLE, START, House

LOGIN = f'a LOGIN {ANNA} "{APP_PASSWORDS[ANNA]}"'


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def line(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.readline()

    async def command(self, text: str) -> list[bytes]:
        """Send it; the lines up to its tagged answer."""
        self.send(text.encode() + b"\r\n")
        tag = text.split()[0].encode()
        lines = [await self.line()]
        while not lines[-1].startswith(tag + b" "):
            assert lines[-1], f"hung up at {text}"
            lines.append(await self.line())
        return lines


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = await open_database(f"sqlite:///{tmp_path}/mailhost.db")
    house = House(database, Blobs(database, DiskFiles(tmp_path / "blobs")), None)
    await house.build()
    for number in range(1, 4):
        await house.deliver(SAMPLE % (number, number, number, number))
    yield house
    await house.close()
    await database.close()


@pytest.fixture
async def listener(house: House) -> AsyncIterator[Listener]:
    listener = await house.open_listener("imap")
    yield listener
    listener.stop()
    await listener.drain(5)


@pytest.fixture
async def clients(listener: Listener) -> AsyncIterator[list[Client]]:
    """Three clients who have heard the greeting."""
    made = []
    for _ in range(3):
        client = Client(*await asyncio.open_connection("127.0.0.1", listener.port))
        await client.line()
        made.append(client)
    yield made
    for client in made:
        client.writer.close()
        with suppress(ConnectionError):
            await client.writer.wait_closed()


async def test_revoking_a_credential_ends_its_sessions_at_once(house: House, clients: list[Client]) -> None:
    asleep, awake, other = clients
    await asleep.command(LOGIN)
    await asleep.command("b SELECT INBOX")
    asleep.send(b"c IDLE\r\n")
    await asleep.line()
    await awake.command(LOGIN)
    await other.command("a LOGIN otto@example.test ottoottoottootto")
    [password] = await house.database.read(accounts.list_app_passwords, house.ids[ANNA])
    await house.database.write(accounts.revoke_app_password, house.ids[ANNA], password.id, START)
    for client in (asleep, awake):
        assert await client.line() == b"* BYE Session expired, please login again.\r\n"
        assert await client.line() == b""
    assert (await other.command("b NOOP"))[-1].startswith(b"b OK")


async def test_a_server_that_stops_says_goodbye(listener: Listener, clients: list[Client]) -> None:
    asleep, awake, stranger = clients
    await asleep.command(LOGIN)
    asleep.send(b"c IDLE\r\n")
    await asleep.line()
    await awake.command(LOGIN)
    listener.stop()
    for client in (asleep, awake, stranger):
        assert await client.line() == b"* BYE The server is restarting. Connect again.\r\n"
        assert await client.line() == b""


async def test_a_crash_ends_one_session_and_no_other(clients: list[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    unlucky, lucky, _ = clients

    def crash(mailbox: Mailbox) -> bool:
        raise ZeroDivisionError

    await unlucky.command(LOGIN)
    await lucky.command(LOGIN)
    monkeypatch.setattr(selecting, "MailboxView", crash)
    unlucky.send(b"b SELECT INBOX\r\n")
    assert await unlucky.line() == b"* BYE System Error\r\n"
    assert await unlucky.line() == b""
    assert (await lucky.command("b NOOP"))[-1].startswith(b"b OK")


def large(number: int) -> bytes:
    """A message that is kept in a file."""
    noise = random.Random(number).randbytes(100_000).hex().encode()
    return b"Subject: large\r\n\r\n" + b"\r\n".join(noise[start : start + 70] for start in range(0, len(noise), 70))


def files_below(folder: Path) -> list[Path]:
    return [path for path in (folder / "blobs").rglob("*") if path.is_file()]


async def files_are(folder: Path, count: int) -> None:
    """Wait until there are so many."""
    for _ in range(1000):
        if len(files_below(folder)) == count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(files_below(folder))


@pytest.mark.parametrize("ending", ["cut", "mistake", "full", "again"])
async def test_messages_that_were_taken_and_not_placed_leave_no_file(
    house: House, clients: list[Client], tmp_path: Path, ending: str
) -> None:
    appending = clients[0]
    await appending.command(LOGIN)
    content, count = large(1), 0
    if ending == "again":
        count = 1
        appending.send(b"a APPEND Archive {%d+}\r\n%b\r\n" % (len(content), content))
        assert b"APPENDUID" in await appending.line()
    appending.send(b"b APPEND Archive {%d+}\r\n%b {%d+}\r\n%b" % (len(content), content, len(content), large(2)))
    if ending == "cut":
        await files_are(tmp_path, 2)
        appending.writer.transport.abort()
    elif ending == "mistake":
        appending.send(b" (\r\n")
        assert b"BAD" in await appending.line()
    elif ending == "full":  # only once all is taken
        await files_are(tmp_path, 2)
        await house.database.write(mailstore.set_quota, house.ids[ANNA], 1000, START)
        appending.send(b"\r\n")
        assert b"OVERQUOTA" in await appending.line()
    else:
        appending.send(b"\r\n")
        assert b"APPENDUID" in await appending.line()
        count += 1  # of the two messages one was there before
    await files_are(tmp_path, count)


async def test_vanishing_in_the_middle_of_things_leaves_nothing_behind(
    house: House, clients: list[Client], tmp_path: Path
) -> None:
    appending, fetching, watcher = clients
    for client in clients:
        await client.command(LOGIN)
    appending.send(b"b APPEND INBOX {1000000+}\r\n" + b"x" * 900_000)
    await fetching.command("b SELECT INBOX")
    fetching.send(b"c FETCH 1:* BODY[]\r\nd FETCH")
    await fetching.line()
    for client in (appending, fetching):
        client.writer.transport.abort()
    await files_are(tmp_path, 0)
    assert (await watcher.command("b STATUS INBOX (MESSAGES)"))[0] == b'* STATUS "INBOX" (MESSAGES 3)\r\n'


async def test_a_full_disk_is_said_and_takes_nothing_away(house: House, clients: list[Client], tmp_path: Path) -> None:
    client = clients[0]
    await client.command(LOGIN)
    await client.command("b SELECT INBOX")
    [(pages,)] = await house.database.write(lambda tx: tx.execute("pragma page_count"))
    await house.database.write(lambda tx: tx.execute(f"pragma max_page_count = {pages}"))

    async def append(content: bytes) -> bytes:
        client.send(b"c APPEND INBOX {%d+}\r\n%b\r\n" % (len(content), content))
        while not (line := await client.line()).startswith(b"c "):
            assert line
        return line

    kept, large = 0, b"Subject: large\r\n\r\n" + random.Random(2).randbytes(100_000).hex().encode()
    with capture_logs() as logs:
        while (answer := await append(b"Subject: %d\r\n\r\n%b" % (kept, b"x" * 500))).startswith(b"c OK"):
            kept += 1
        assert answer == b"c NO [UNAVAILABLE] The server is out of storage space. Try again later. (Failure)\r\n"
        assert await append(large) == answer
    troubles = [(log["protocol"], log["reason"]) for log in logs if log["event"] == "session.troubled"]
    assert troubles == [("imap", "StorageFull")] * 2
    await files_are(tmp_path, 0)  # the one that took a file left nothing that fills the disk further
    assert len(await client.command("d FETCH 1:* (UID BODY.PEEK[])")) > 3 + kept
    await house.database.write(lambda tx: tx.execute("pragma max_page_count = 1000000"))
    assert (await append(large)).startswith(b"c OK [APPENDUID ")
    await files_are(tmp_path, 1)


async def test_what_a_client_sent_before_it_was_cut_off_does_not_go_on_arriving(clients: list[Client]) -> None:
    """mbsync, killed amid uploads and started again, takes for new what comes after it has looked."""
    cut, other, _ = clients
    for client in (cut, other):
        await client.command(LOGIN)
    cut.send(b"".join(b"b%d APPEND INBOX {8+}\r\n\r\n%06d\r\n" % (number, number) for number in range(400)))
    cut.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    cut.writer.transport.abort()  # with a reset
    counts = [0]
    while len(counts) < 3 or counts[-1] != counts[-2]:
        [told] = re.findall(rb"MESSAGES (\d+)", (await other.command("c STATUS INBOX (MESSAGES)"))[0])
        counts.append(int(told))
        await asyncio.sleep(0.3)
    assert counts[-1] < 300


async def test_who_sends_a_piece_at_a_time_does_not_wait_for_tcp(house: House, listener: Listener) -> None:
    """imaplib writes the line end behind a literal by itself, and its kernel sends that once the literal is known."""

    def append() -> float:
        with imaplib.IMAP4("127.0.0.1", listener.port, timeout=30) as client:
            client.login(ANNA, APP_PASSWORDS[ANNA])
            took = []
            for number in range(30):
                began = time.perf_counter()
                client.append("INBOX", "", "", b"Subject: %d\r\n\r\n" % number)
                took.append(time.perf_counter() - began)
        return min(took)

    # The kernel's timer is 40 ms; on a machine that is busy with other things one of many must escape it.
    assert await asyncio.to_thread(append) < 0.03


async def test_a_large_message_passes_through_in_pieces(clients: list[Client]) -> None:
    client = clients[0]
    await client.command(LOGIN)
    size = 8_000_000
    body = b"".join(b"%078d\r\n" % number for number in range(size // 80))
    client.send(b"b APPEND INBOX {%d+}\r\n" % len(body))
    client.send(body + b"\r\n")
    assert (await client.line()).startswith(b"b OK [APPENDUID ")
    await client.command("c SELECT INBOX")
    client.send(b"d FETCH 4 BODY.PEEK[]\r\n")
    assert await client.line() == b"* 4 FETCH (BODY[] {%d}\r\n" % size
    async with asyncio.timeout(20):
        assert await client.reader.readexactly(size) == body
    assert await client.line() == b")\r\n"
    assert (await client.line()).startswith(b"d OK")


async def test_a_keywords_bit_given_out_again_is_told_under_its_new_name(clients: list[Client]) -> None:
    first, second, _ = clients
    for client in (first, second):
        await client.command(LOGIN)
    names = [f"k{number}" for number in range(57)]
    await first.command("b SELECT INBOX")
    await first.command(f"c STORE 1 FLAGS ({' '.join(names)})")
    await second.command("b SELECT INBOX")
    assert b"k5 " in (await second.command("c FETCH 1 (FLAGS)"))[0]
    await first.command("d STORE 1 -FLAGS (k5)")
    await first.command("e STORE 2 FLAGS (another)")
    for answer in (
        await second.command("d FETCH 2 (FLAGS)"),
        await second.command("e FETCH 2 (FLAGS BODY.PEEK[])"),
        await second.command("f NOOP"),
    ):
        assert [b"(another)" in line for line in answer if line.startswith(b"* 2 FETCH")] == [True]


@pytest.mark.parametrize("size", [150_000, 2_000_000], ids=["read at once", "streamed"])
async def test_a_damaged_message_keeps_nobody_from_the_others(
    house: House, clients: list[Client], tmp_path: Path, size: int
) -> None:
    lines = random.Random(1).randbytes(size // 2).hex("\n", 32).replace("\n", "\r\n").encode()
    await house.deliver(b"Subject: large\r\n\r\n" + lines)
    [file] = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    first, second, _ = clients
    await first.command(LOGIN)
    await first.command("b SELECT INBOX")
    if size > IN_MEMORY:  # half of it was out already when the damage was met
        with pytest.raises(AssertionError, match="hung up"):
            await first.command("c FETCH 4 BODY.PEEK[]")
    await second.command(LOGIN)
    await second.command("b SELECT INBOX")
    answer = await second.command("c UID FETCH 3:* (BODY.PEEK[] RFC822.SIZE)")
    assert any(b"UID 4 RFC822.SIZE %d BODY[] NIL)" % (len(lines) + 18) in line for line in answer)
    assert b"Good day 3.\r\n" in answer
    assert answer[-1].startswith(b"c NO [CORRUPTION]")
    assert (await second.command("d SEARCH TEXT Good"))[0] == b"* SEARCH 1 2 3\r\n"


async def test_no_search_keeps_a_fetch_waiting(house: House, clients: list[Client]) -> None:
    await house.deliver(
        b"Subject: large\r\n\r\n" + random.Random(1).randbytes(100_000).hex("\n", 32).encode() + b"\r\n"
    )
    searcher, reader, _ = clients
    for client in (searcher, reader):
        await client.command(LOGIN)
        await client.command("b SELECT INBOX")
    gate = threading.Event()
    thoughts = [asyncio.ensure_future(think(gate.wait)) for _ in range(64)]  # more than there are threads of any kind
    try:
        searching = asyncio.ensure_future(searcher.command("c SEARCH TEXT Good"))
        assert (await reader.command("c FETCH 4 BODY.PEEK[]"))[-1].startswith(b"c OK")
        assert not searching.done()
    finally:
        gate.set()
    assert await asyncio.gather(*thoughts) == [True] * 64
    assert (await searching)[0] == b"* SEARCH 1 2 3\r\n"
