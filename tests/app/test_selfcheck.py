"""The daily look at ourselves: quiet while nothing changes, one letter when something does, in both languages."""

from __future__ import annotations

import asyncio
import imaplib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from mailhost.app.running import ports_of, told
from mailhost.app.selfcheck import SelfCheck
from mailhost.cli.store import opened
from mailhost.network.certificates import ensure_certificates, names_of
from tests.app.test_certificates import served
from tests.doctor.zoo.own_cases import set_aside
from tests.full_disk import largest_file
from tests.running import MAILHOST, Account, Server, run, running, start, stop

NOW = 1_800_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "data") as server:
        yield server


def check(server: Server, now: int = NOW) -> bool:
    async def work() -> bool:
        async with opened(server.folder) as services:
            return await SelfCheck(services, "mail.example.test", again_seconds=0).check(now)

    return asyncio.run(work())


def letters(server: Server, account: Account) -> list[Message]:
    """What lies in the INBOX."""
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls()) as client:
        client.login(account.address, account.password)
        client.select("INBOX")
        _, [numbers] = client.search(None, "ALL")
        found = [client.fetch(number.decode(), "(BODY.PEEK[])")[1][0] for number in numbers.split()]
    return [message_from_bytes(each[1]) for each in found if isinstance(each, tuple)]


def test_quiet_when_all_is_well_and_one_letter_when_something_changes(server: Server) -> None:
    somebody = server.accounts[0]
    assert not check(server)
    assert letters(server, somebody) == []

    # The certificate runs out, as when renewals fail: told once, however often it is looked at.
    kept = server.folder.parent / "kept"
    shutil.copytree(server.folder / "tls", kept)
    shutil.rmtree(server.folder / "tls")
    past = datetime.now(UTC) - timedelta(days=500)
    ensure_certificates(server.folder / "tls", names_of(["example.test"]), past)
    wait_for_certificate(server)
    assert check(server)
    assert not check(server)
    shutil.rmtree(server.folder / "tls")
    shutil.copytree(kept, server.folder / "tls")
    wait_for_certificate(server)
    assert check(server)

    first, second = letters(server, somebody)
    assert str(make_header(decode_header(first["Subject"]))).startswith(
        "The daily check of the mail server / 邮件服务器"
    )
    assert first["Auto-Submitted"] == "auto-generated"
    text = first.get_payload(decode=True).decode()
    for words in ("New since the last check:", "[D1]", "自上次检查以来新出现的问题：", "mailhost doctor server"):
        assert words in text
    assert "Still so:" not in text
    text = second.get_payload(decode=True).decode()
    assert "Mended since the last check:" in text
    assert "Nothing is wrong any more." in text
    memory = json.loads((server.folder / "self-check.json").read_text())
    assert memory == {"checked_at": NOW, "seen": []}


def test_mail_set_aside_is_told_once_and_more_of_it_is_new(server: Server) -> None:
    somebody = server.accounts[0]

    def happens(work: Callable[..., object], *names: str) -> None:
        async def write() -> None:
            async with opened(server.folder) as services:
                await services.database.write(work, *names)

        asyncio.run(write())

    happens(set_aside, "one")
    command = [*MAILHOST, "doctor", "server", "--data", str(server.folder), "--json"]
    [finding] = json.loads(run(command, codes=(3,)))["findings"]
    assert (finding["leaf"], finding["role"], finding["where"]) == ("I1", "cause", "message one")
    assert check(server)
    assert not check(server)
    happens(set_aside, "two")
    assert check(server)
    first, second = (text_of(letter) for letter in letters(server, somebody))
    assert "[I1]\n  message one\n  - KeyError: 'x' (message one, since 2027-01-15 08:00Z)\n" in first
    assert "[I1]\n  邮件 one\n" in first
    new, _, still = second.partition("Still so:")
    assert "[I1]\n  message two\n" in new
    assert "[I1]\n  message one\n" in still
    assert "Mended" not in second


def text_of(letter: Message) -> str:
    return letter.get_payload(decode=True).decode().replace("\r\n", "\n")


def wait_for_certificate(server: Server) -> None:
    """The files are looked at every other second, by each process; a connection may reach any of them."""
    wanted = x509.load_pem_x509_certificate((server.folder / "tls" / "server.pem").read_bytes())
    in_a_row = 0
    for _ in range(300):
        in_a_row = in_a_row + 1 if served(server) == wanted else 0
        if in_a_row == 20:
            return
        time.sleep(0.1)
    raise AssertionError("the new certificate is not shown")


def test_the_doctor_knows_the_ports_of_a_running_server(server: Server) -> None:
    """`--ports auto` took any."""
    assert ports_of(server.folder) == server.ports
    command = [*MAILHOST, "doctor", "server", "--data", str(server.folder), "--json"]
    report = json.loads(run(command))
    assert report["verdict"] == "healthy"
    assert {path["port"] for path in report["paths"]} >= {server.ports["imaps"], server.ports["smtp"]}


def test_nothing_is_told_of_a_server_that_is_gone(tmp_path: Path) -> None:
    assert ports_of(tmp_path) is None
    with told(tmp_path, {"imaps": 1993}, ("one-0", "one-1")):
        assert ports_of(tmp_path) == {"imaps": 1993}
        assert os.stat(tmp_path / "running.json").st_mode & 0o777 == 0o600
    assert ports_of(tmp_path) is None
    (tmp_path / "running.json").write_text('{"pid": 999999999, "ports": {}}')
    assert ports_of(tmp_path) is None


def test_a_disk_without_room_for_the_ports_stops_no_server(tmp_path: Path) -> None:
    (tmp_path / "running.json").write_text(f'{{"pid": {os.getpid()}, "ports": {{"imaps": 1}}}}')  # of one before
    with largest_file(0), capture_logs() as logs, told(tmp_path, {"imaps": 1993}, ()):
        assert ports_of(tmp_path) is None
    assert [log["event"] for log in logs] == ["server.untold"]


def test_a_server_behind_a_load_balancer_of_its_own_machine_is_healthy(tmp_path: Path) -> None:
    stop(start(tmp_path / "data"))
    toml = tmp_path / "data" / "mailhost.toml"
    toml.write_text('proxies = ["127.0.0.0/8", "::1/128"]\n' + toml.read_text())
    with running(tmp_path / "data") as server:
        command = [*MAILHOST, "doctor", "server", "--data", str(server.folder), "--json"]
        report = json.loads(run(command, codes=(0, 3, 4)))
        assert report["verdict"] == "healthy", report["findings"]
        assert not check(server)
