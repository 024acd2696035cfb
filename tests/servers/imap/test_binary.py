"""BINARY of messages too large to be held: measured and sent in pieces, the same octets as from memory (RFC 3516)."""

import random
from base64 import encodebytes

import pytest

from mailhost.mailstore import Intake
from mailhost.protocols.imap.fetch import Binary, Partial, Section, Text
from mailhost.servers.imap import content
from mailhost.servers.imap.binary import UnknownEncoding
from mailhost.servers.imap.content import content_pieces
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Value

OCTETS = random.Random(7).randbytes(400_000)
MESSAGE = (
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
    b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + encodebytes(OCTETS).replace(b"\n", b"\r\n")
    + b"--x\r\nContent-Transfer-Encoding: x-odd\r\n\r\nodd\r\n--x--\r\n"
)


async def stored(database: Database, blobs: Blobs) -> dict[str, Value]:
    intake = Intake(blobs, 10_000_000, normalise=True)
    intake.write(MESSAGE)
    incoming = await intake.finish()
    await database.write(blobs.attach, incoming.blob)
    digest = incoming.digest
    return {
        "blob": incoming.blob.digest,
        "prefix": b"Received: here\r\n",
        "octets": len(MESSAGE) + 16,
        "header_octets": digest.header_size,
        "parts": digest.parts,
    }


@pytest.mark.parametrize("in_memory", [0, 10_000_000])
async def test_pieces_are_the_octets(
    database: Database, blobs: Blobs, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(content, "IN_MEMORY", in_memory)
    message = await stored(database, blobs)

    async def fetch(*items: Binary | Section) -> bytes:
        pieces = [piece async for piece in content_pieces(blobs, 3, b"UID 9", message, items)]
        assert max(map(len, pieces)) <= 10_000_000
        return b"".join(pieces)

    whole = Binary((1,), None, sets_seen=False, label=b"BINARY[1]")
    assert await fetch(whole) == b"* 3 FETCH (UID 9 BINARY[1] ~{400000}\r\n" + OCTETS + b")\r\n"
    part = Binary((1,), Partial(299_999, 70_000), sets_seen=False, label=b"BINARY[1]<299999>")
    assert (await fetch(part)).partition(b"}\r\n")[2] == OCTETS[299_999:369_999] + b")\r\n"
    size = Binary((1,), None, sets_seen=False, label=b"BINARY.SIZE[1]", is_size=True)
    header = Section((1,), Text.MIME, (), None, sets_seen=False, label=b"BODY[1.MIME]")
    assert await fetch(size, header) == (
        b"* 3 FETCH (UID 9 BINARY.SIZE[1] 400000 BODY[1.MIME] {68}\r\n"
        b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n)\r\n"
    )
    all_of_it = Binary((), None, sets_seen=False, label=b"BINARY[]")
    assert (await fetch(all_of_it)).partition(b"}\r\n")[2] == b"Received: here\r\n" + MESSAGE + b")\r\n"
    with pytest.raises(UnknownEncoding):
        await fetch(Binary((2,), None, sets_seen=False, label=b"BINARY[2]"))
