"""undelete: a list of what went, and all or some of it back where it was."""

import asyncio
import time
from pathlib import Path

from click.testing import CliRunner

from mailhost import mailstore
from mailhost.cli import main
from mailhost.cli.first_start import people, settings
from mailhost.cli.store import opened
from mailhost.mailstore import Intake, NewMessage


def run(data: Path, *words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--data", str(data)])
    assert result.exit_code == 0, result.output
    return result.output


def test_deleted_mail_is_listed_and_comes_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    settings(data, "example.test", demo=False)

    async def delete_three() -> None:
        async with opened(data) as services:
            await people(services, "example.test", demo=False)
            archive = await services.database.read(mailstore.find_mailbox, 1, "Archive")
            for number in range(3):
                intake = Intake(services.blobs, 1000, normalise=True)
                intake.write(b"From: Ann <ann@example.org>\r\nSubject: =?utf-8?q?gr=C3=BCn_%d?=\r\n\r\nx\r\n" % number)
                message = NewMessage(await intake.finish(), 0)
                now = int(time.time())
                await services.database.write(mailstore.append, services.blobs, 1, archive.id, [message], now)
            await services.database.write(
                mailstore.expunge, 1, archive.id, [(1, 3)], int(time.time()), only_deleted=False
            )

    async def archived() -> int:
        async with opened(data) as services:
            return (await services.database.read(mailstore.find_mailbox, 1, "Archive")).messages

    asyncio.run(delete_three())
    lines = run(data, "undelete").splitlines()
    assert len(lines) == 3
    number, _, sender, subject = lines[0].split("\t")
    assert (sender, subject) == ("Ann <ann@example.org>", "grün 2")
    assert run(data, "undelete", number) == "1 messages put back.\n"
    assert asyncio.run(archived()) == 1
    assert run(data, "undelete", "--all") == "2 messages put back.\n"
    assert asyncio.run(archived()) == 3
    assert run(data, "undelete").startswith("Nothing was deleted in that time")
