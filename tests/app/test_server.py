"""The server as a whole: certificates that follow the domains, sweeping, and an end with sessions open."""

import os
import time
from pathlib import Path

import pytest

from mailhost import mailstore
from mailhost.app import maintenance as maintenance_module
from mailhost.app.maintenance import Maintenance, is_referenced
from mailhost.app.services import DataFolderBusy, Services, data_folder, open_services
from mailhost.config import Config
from mailhost.domains import add_domain
from mailhost.login.enrol import enrol, leave
from mailhost.mailstore import Intake, NewMessage, emptying, switching
from mailhost.mailstore.indexer import open_index
from mailhost.storage.database import Database, Tx


async def nothing() -> None:
    pass


def a_message(tx: Tx, services: Services, account_id: int, message: NewMessage) -> None:
    inbox = mailstore.find_mailbox(tx, account_id, mailstore.INBOX)
    mailstore.append(tx, services.blobs, account_id, inbox.id, [message], int(time.time()))


async def test_the_sweeper_keeps_what_mailboxes_need_and_erases_the_rest(tmp_path: Path) -> None:
    async with (
        open_services(Config(), tmp_path, serving=True) as services,
        open_index(services.database, services.blobs, tmp_path) as index,
    ):
        database = services.database
        await database.write(add_domain, "example.test", 0)
        account = await database.write(enrol, "me@example.test", password_hash="x", now=0)
        intake = Intake(services.blobs, 1 << 20, normalise=True)
        intake.write(b"Subject: x\r\n\r\n" + bytes(range(32, 127)) * 2_000)
        incoming = await intake.finish()
        await database.write(a_message, services, account.id, NewMessage(incoming, 0))
        assert await database.read(is_referenced, incoming.blob.digest)
        stray = f"{'0' * 64}-{'0' * 8}"  # what a crash left: no row names it
        for name in (stray, "not-ours"):
            left = services.files.create()
            left.write(b"x")
            left.keep(name)
            os.utime(services.files.path(name), (0, 0))
        maintenance = Maintenance(database, services.blobs, services.files, index, nothing)
        await maintenance.round()
        assert [services.files.has(name) for name in (stray, "not-ours")] == [False, True]
        assert len(await services.blobs.read(incoming.blob.digest)) == incoming.blob.size


async def test_what_a_crash_left_half_done_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emptying, "STEP", 1)
    async with (
        open_services(Config(), tmp_path, serving=True) as services,
        open_index(services.database, services.blobs, tmp_path) as index,
    ):
        database = services.database
        await database.write(add_domain, "example.test", 0)
        stays, leaves = [
            await database.write(enrol, address, password_hash="x", now=0)
            for address in ("stays@example.test", "leaves@example.test")
        ]
        for account in (stays, leaves, stays):
            intake = Intake(services.blobs, 1 << 20, normalise=True)
            intake.write(b"Subject: x\r\n\r\n")
            await database.write(a_message, services, account.id, NewMessage(await intake.finish(), 0))
        await database.write(mailstore.rename_inbox, stays.id, "Old", 0)
        await database.write(leave, "leaves@example.test")
        await database.write(switching.ask_layout, stays.id, mailstore.Layout.GMAIL)
        await Maintenance(database, services.blobs, services.files, index, nothing).round()
        assert (await database.read(mailstore.find_mailbox, stays.id, "Old")).messages == 2
        assert (await database.read(mailstore.find_mailbox, stays.id, "[Gmail]/All Mail")).messages == 2
        assert await database.read(mailstore.accounts_with_steps_left) == []
        assert await database.read(mailstore.closed_accounts) == []


async def test_one_task_that_fails_does_not_keep_the_others_from_running(tmp_path: Path) -> None:
    called = 0

    async def stumble() -> None:
        nonlocal called
        called += 1
        raise LookupError("a mistake")

    async with (
        open_services(Config(), tmp_path, serving=True) as services,
        open_index(services.database, services.blobs, tmp_path) as index,
    ):
        maintenance = Maintenance(services.database, services.blobs, services.files, index, stumble)
        await maintenance.round()
        await maintenance.round()
    assert called == 2


async def test_one_account_that_fails_does_not_keep_the_next_from_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tended: list[int] = []

    async def tend(_database: Database, account_id: int) -> None:
        tended.append(account_id)
        if len(tended) == 1:
            raise LookupError("a mistake")

    monkeypatch.setattr(maintenance_module, "complete_threads", tend)
    async with (
        open_services(Config(), tmp_path, serving=True) as services,
        open_index(services.database, services.blobs, tmp_path) as index,
    ):
        await services.database.write(add_domain, "example.test", 0)
        made = [
            await services.database.write(enrol, f"{name}@example.test", password_hash="x", now=0)
            for name in ("a", "b")
        ]
        await Maintenance(services.database, services.blobs, services.files, index, nothing).round()
    assert tended == [account.id for account in made]


def test_a_data_folder_is_held_by_one(tmp_path: Path) -> None:
    busy = pytest.raises(DataFolderBusy, match="Another Mailhost is running")
    with data_folder(tmp_path / "data"), busy, data_folder(tmp_path / "data"):
        pass
    with data_folder(tmp_path / "data"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderBusy, match="cannot be written"), data_folder(tmp_path / "file"):
        pass
