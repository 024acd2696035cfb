"""Whoever sends one octet now and then is sent away at the deadline, whatever those octets are part of."""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mailhost.network.listener import Admission, Listener
from mailhost.network.stream import Deadlines
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import open_database
from mailhost.storage.files import DiskFiles
from tests.transcripts.house import ANNA, APP_PASSWORDS, DOORS, HELP, PLAIN, House

PAUSE = 0.02
"""Seconds between two octets; every deadline below is several times as long, and 500 times this is no deadline."""
OCTETS = 500
SECRET = APP_PASSWORDS[ANNA].replace(" ", "")
LOGIN = b"a LOGIN %s %s" % (ANNA.encode(), SECRET.encode())
PASS = (b"USER %s" % ANNA.encode(), b"PASS %s" % SECRET.encode())
AUTH = b"AUTH PLAIN %s" % PLAIN.encode()
MAIL = (b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<%s>" % ANNA.encode())
NOTHING = zlib.compressobj(9, zlib.DEFLATED, -15)
EMPTY_BLOCK = NOTHING.flush(zlib.Z_SYNC_FLUSH)
"""DEFLATE for nothing at all."""

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(OCTETS)
"""The beginning of a ClientHello of 512 octets."""

CASES = [
    pytest.param("imap", (), b"a", id="imap-command"),
    pytest.param("imap", (b"a LOGIN {500}",), b"x", id="imap-literal"),
    pytest.param("imap", (b"a AUTHENTICATE PLAIN",), b"A", id="imap-sasl"),
    pytest.param("imap", (LOGIN,), b"b", id="imap-signed-in"),
    pytest.param("imap", (LOGIN, b"b SELECT INBOX", b"c SEARCH TEXT {500}"), b"x", id="imap-literal-signed-in"),
    pytest.param("imap", (LOGIN, b"b APPEND INBOX {5000}"), b"x", id="imap-append"),
    pytest.param("imap", (LOGIN, b"b COMPRESS DEFLATE"), EMPTY_BLOCK, id="imap-compressed-nothing"),
    pytest.param("imap", (LOGIN, b"b IDLE"), b"D", id="imap-idle"),
    pytest.param("pop3", (), b"U", id="pop3-command"),
    pytest.param("pop3", (b"AUTH PLAIN",), b"A", id="pop3-sasl"),
    pytest.param("pop3", PASS, b"R", id="pop3-signed-in"),
    pytest.param("smtp", (), b"E", id="smtp-command"),
    pytest.param("smtp", (b"HELO x", *MAIL[1:], b"DATA"), b"x", id="smtp-data"),
    pytest.param("smtp", (b"EHLO x", *MAIL[1:], b"BDAT 5000"), b"x", id="smtp-bdat"),
    pytest.param("submission", (b"EHLO x",), b"A", id="submission-command"),
    pytest.param("submission", (b"EHLO x", b"AUTH PLAIN"), b"A", id="submission-sasl"),
    pytest.param("submission", (b"EHLO x", AUTH), b"M", id="submission-signed-in"),
    pytest.param("lmtp", (*MAIL, b"DATA"), b"x", id="lmtp-data"),
]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Doors whose deadlines are short."""
    database = await open_database(f"sqlite:///{tmp_path}/mailhost.db")
    house = House(database, Blobs(database, DiskFiles(tmp_path / "blobs")), None)
    house.imap = replace(house.imap, help_url=HELP, sign_in_seconds=0.3, idle_seconds=0.4, command_seconds=0.3)
    house.pop3 = replace(house.pop3, sign_in_seconds=0.3, idle_seconds=0.3)
    house.smtp = replace(house.smtp, command_seconds=0.3, message_seconds=0.3)
    await house.build()
    yield house
    await house.close()
    await database.close()


@asynccontextmanager
async def opened(listener: Listener) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        listener.stop()
        await listener.drain(5)


async def is_sent_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drops: Sequence[bytes]) -> bool:
    """Send the drops, one after the other and again from the first, until the server hangs up or has forgotten to."""
    end = asyncio.ensure_future(reader.read(-1))
    for number in range(OCTETS):
        writer.write(drops[number % len(drops)])
        await asyncio.wait({end}, timeout=PAUSE)
        if end.done():
            await asyncio.gather(end, return_exceptions=True)  # a reset is an end, too
            return True
    end.cancel()
    return False


@pytest.mark.parametrize(("protocol", "opening", "drop"), CASES)
async def test_one_octet_now_and_then_is_not_enough(
    house: House, protocol: str, opening: tuple[bytes, ...], drop: bytes
) -> None:
    listener = await house.open_listener(protocol)
    async with opened(listener) as (reader, writer):
        for line in opening:
            writer.write(line + b"\r\n")
        assert await is_sent_away(reader, writer, [drop])


@pytest.mark.parametrize(
    ("protocol", "opening"),
    [
        ("imap", ()),
        ("imap", (b"a STARTTLS",)),
        ("pop3", (b"STLS",)),
        ("smtp", (b"EHLO x", b"STARTTLS")),
        ("submission", (b"EHLO x", b"STARTTLS")),
    ],
)
async def test_a_handshake_that_never_ends_is_ended(
    house: House, protocol: str, opening: tuple[bytes, ...], certificate: tuple[Path, ssl.SSLContext]
) -> None:
    house.tls = certificate[1]
    service, make_handler = DOORS[protocol]
    listener = Listener(
        service,
        make_handler(house),
        Admission(per_address=9, in_all=9),
        context=None if opening else certificate[1],
        deadlines=Deadlines(handshake=0.3),
    )
    await listener.open(["127.0.0.1"], 0)
    async with opened(listener) as (reader, writer):
        if opening:
            await reader.readline()
        for line in opening:
            writer.write(line + b"\r\n")
            while (await reader.readline())[3:4] == b"-":
                pass
        assert await is_sent_away(reader, writer, [HELLO[place : place + 1] for place in range(OCTETS)])
