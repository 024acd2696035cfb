"""Signs of life: a command that waits says so, between lines and never inside one, and a quick one says nothing."""

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx, open_database
from mailhost.storage.files import DiskFiles
from tests.servers.imap.test_sessions import LOGIN, Client
from tests.transcripts.house import SAMPLE, House


@asynccontextmanager
async def client_of(tmp_path: Path, seconds: float, *, is_narrow: bool = False) -> AsyncIterator[tuple[House, Client]]:
    """A client who has selected INBOX, of a server that says after so many seconds that it still works.

    Little is on its way between them where it `is_narrow`.
    """
    database = await open_database(f"sqlite:///{tmp_path}/mailhost.db")
    house = House(database, Blobs(database, DiskFiles(tmp_path / "blobs")), None)
    house.imap = replace(house.imap, progress_seconds=seconds)
    await house.build()
    for number in range(1, 4):
        await house.deliver(SAMPLE % (number, number, number, number))
    listener = await house.open_listener("imap")
    plain = socket.socket()
    if is_narrow:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for server in listener._servers:
            server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # as those that it accepts
    plain.connect(("127.0.0.1", listener.port))
    plain.setblocking(False)
    client = Client(*await asyncio.open_connection(sock=plain, limit=1024))
    await client.line()
    await client.command(LOGIN)
    await client.command("b SELECT INBOX")
    yield house, client
    client.writer.close()
    await client.writer.wait_closed()
    listener.stop()
    await listener.drain(5)
    await house.close()
    await database.close()


@pytest.mark.parametrize("command", ["STORE 1 +FLAGS.SILENT (\\Seen)", "COPY 1:2 Archive", "EXPUNGE", "DELETE Junk"])
async def test_a_command_that_waits_says_so(tmp_path: Path, command: str) -> None:
    async with client_of(tmp_path, 0.02) as (house, client):
        await client.command("c STORE 3 +FLAGS.SILENT (\\Deleted)")
        is_told = asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold(tx: Tx) -> None:
            """Keep the one writer busy until the client has heard that its command goes on."""
            asyncio.run_coroutine_threadsafe(is_told.wait(), loop).result(10)

        holding = asyncio.ensure_future(house.database.write(hold))
        await asyncio.sleep(0)
        client.send(f"n NOOP\r\nd {command}\r\n".encode())
        assert await client.line() == b"n OK NOOP completed.\r\n"  # what was answered already does not wait
        line = await client.line()
        assert line == b'* OK [INPROGRESS ("d" NIL NIL)] Still working.\r\n'
        is_told.set()
        await holding
        while not line.startswith(b"d "):
            line = await client.line()
        assert line.startswith(b"d OK")


async def test_a_client_that_does_not_read_is_told_no_more_than_it_takes(tmp_path: Path) -> None:
    """Else a sign of life waits for it, and the answers of STORE, which come meanwhile, cannot wait beside that."""
    async with client_of(tmp_path, 0.0005, is_narrow=True) as (house, client):
        for number in range(4, 600):
            await house.deliver(SAMPLE % (number, number % 10, number, number))
        await client.command("b NOOP")
        leave = threading.Event()
        holding = asyncio.ensure_future(house.database.write(lambda _: leave.wait(20)))
        await asyncio.sleep(0)
        client.send(b"c STORE 1:* +FLAGS (\\Seen)\r\n")
        await asyncio.sleep(5)
        leave.set()
        await holding
        await asyncio.sleep(0.5)
        while not (line := await client.line()).startswith(b"c "):
            assert line, "hung up"
        assert line.startswith(b"c OK")


async def test_quick_commands_say_nothing(tmp_path: Path) -> None:
    async with client_of(tmp_path, 10) as (_, client):
        assert [line[:4] for line in await client.command("c UID SEARCH ALL")] == [b"* SE", b"c OK"]
        assert [line[:4] for line in await client.command("d COPY 1:3 Archive")] == [b"d OK"]


async def test_a_search_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    async with client_of(tmp_path, 0.02) as (house, client):
        account = await house.database.read(lambda tx: tx.execute("select max(account_id) from message")[0][0])
        async with house.index._lock(account):  # so that the search waits for the index
            client.send(b"c SEARCH BODY hello\r\n")
            assert await client.line() == b'* OK [INPROGRESS ("c" NIL NIL)] Still working.\r\n'
            [serving] = [task for task in asyncio.all_tasks() if "_serve" in repr(task.get_coro())]
            client.writer.transport.abort()
            await asyncio.wait({serving}, timeout=10)
            assert serving.done()


async def test_a_search_whose_client_is_cut_off_ends_before_it_would_say_so(tmp_path: Path) -> None:
    async with client_of(tmp_path, 30) as (house, client):
        account = await house.database.read(lambda tx: tx.execute("select max(account_id) from message")[0][0])
        async with house.index._lock(account):
            client.send(b"c SEARCH BODY hello\r\n")
            await asyncio.sleep(0.1)
            [serving] = [task for task in asyncio.all_tasks() if "_serve" in repr(task.get_coro())]
            plain = client.writer.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
            client.writer.transport.abort()
            await asyncio.wait({serving}, timeout=10)
            assert serving.done()
            assert not serving.cancelled()
