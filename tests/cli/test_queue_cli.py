"""queue: what waits, what was set aside and why, and what an operator can do about it."""

import asyncio
from pathlib import Path

from click.testing import CliRunner, Result

from mailhost import mailstore
from mailhost.cli import main
from mailhost.cli.first_start import people, settings
from mailhost.cli.store import opened
from mailhost.mailstore import INBOX, Intake
from mailhost.queue import sql as queue
from mailhost.queue.model import NEVER, Outgoing


def run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["queue", *words, "--data", str(data)])


def test_an_operator_sees_what_was_set_aside_and_deals_with_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    settings(data, "example.test", demo=False)

    async def set_aside_two() -> None:
        async with opened(data) as services:
            await people(services, "example.test", demo=False)
            for name in ("one", "two"):
                intake = Intake(services.blobs, 1000, normalise=True)
                intake.write(b"From: me@example.test\r\nSubject: %s\r\n\r\nx\r\n" % name.encode())
                blob = (await intake.finish()).blob
                message = Outgoing(1, name, "me@example.test", blob.digest, b"", blob.size, False, False, 60)
                await services.database.write(services.blobs.attach, blob)
                await services.database.write(queue.enqueue, message, {f"{name}@far.test": 0})
                [lease] = await services.database.write(queue.lease_due, "w-1", 0, 10)
                await services.database.write(queue.postpone, lease, NEVER, "KeyError: 'x'", stumbled=True)

    async def inbox() -> int:
        async with opened(data) as services:
            return (await services.database.read(mailstore.find_mailbox, 1, INBOX)).messages

    asyncio.run(set_aside_two())
    result = run(data, "list")
    assert result.stdout.splitlines() == [
        f"{name}\t1970-01-01 00:01Z\tme@example.test\t{name}@far.test\t1\tset aside\tKeyError: 'x'"
        for name in ("one", "two")
    ]
    assert "mailhost queue retry MESSAGE" in result.stderr
    assert run(data, "retry", "one").stdout == "Recipients that are tried again: 1.\n"
    assert run(data, "retry", "one").exit_code == 1
    assert run(data, "retry").exit_code == 2
    assert run(data, "give-up", "one").exit_code == 1  # it is under way
    assert run(data, "give-up", "two").stdout == "Recipients given up: 1. The sender finds the news in the inbox.\n"
    assert asyncio.run(inbox()) == 1
    [line] = run(data, "list").stdout.splitlines()
    assert line.startswith("one\t")
    assert "set aside" not in line
