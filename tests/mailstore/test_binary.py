"""A literal8 too large to be held: what needs it is encoded on its way, and the octets as they came are forgotten."""

import random
from pathlib import Path

import pytest

from mailhost.mailstore.binary import BinaryIntake, NulInText
from mailhost.mailstore.intake import MessageTooLarge
from mailhost.message.sections import find_section
from mailhost.message.transfer import Base64
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database
from mailhost.storage.files import DiskFiles

OCTETS = random.Random(8).randbytes(300_000)
HEAD = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n"


def take(intake: BinaryIntake, content: bytes) -> None:
    for start in range(0, len(content), 10_000):
        intake.write(content[start : start + 10_000])


async def test_large_octets(database: Database, tmp_path: Path) -> None:
    blobs = Blobs(database, DiskFiles(tmp_path / "files"))
    intake = BinaryIntake(blobs, 1_000_000)
    take(intake, HEAD + OCTETS)
    incoming = await intake.finish()
    await database.write(blobs.attach, incoming.blob)
    stored = await blobs.read(incoming.blob.digest)
    place = find_section(incoming.digest.parts, (1,))
    assert place is not None
    assert Base64().feed(stored[place.start : place.start + place.length]) == OCTETS
    assert not incoming.digest.has_nul
    [kept] = [file for file in (tmp_path / "files").rglob("*") if file.is_file()]
    assert kept.name == incoming.blob.place


async def test_limits_hold_for_what_is_stored(database: Database, blobs: Blobs) -> None:
    intake = BinaryIntake(blobs, 320_000)
    take(intake, HEAD + OCTETS)
    with pytest.raises(MessageTooLarge):
        await intake.finish()
    with pytest.raises(MessageTooLarge):
        take(BinaryIntake(blobs, 200_000), HEAD + OCTETS)


async def test_nul_in_a_header_is_refused_and_bare_line_feeds_are_mended(database: Database, blobs: Blobs) -> None:
    intake = BinaryIntake(blobs, 1_000)
    intake.write(b"Subject: \0\r\n\r\nx")
    with pytest.raises(NulInText):
        await intake.finish()
    intake = BinaryIntake(blobs, 1_000)
    intake.write(b"Subject: x\n\ny\n")
    incoming = await intake.finish()
    assert incoming.blob.size == len(b"Subject: x\r\n\r\ny\r\n")
