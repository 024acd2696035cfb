"""Somebody truncates or removes the files that SQLite keeps beside an open database: all is served again, and kept."""

import contextlib
import imaplib
import os
import signal
import smtplib
import time
from pathlib import Path

import pytest

from tests.app.test_supervisor import children
from tests.running import Account, Server, kill, start, stop


def send(server: Server, account: Account, subject: str) -> bool:
    """Whether it was taken."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        with smtplib.SMTP("localhost", server.ports["smtp"], timeout=10) as client:
            client.sendmail("a@example.net", [account.address], f"Subject: {subject}\r\n\r\nx\r\n")
        return True
    return False


def subjects(server: Server, account: Account) -> set[str]:
    client = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=30)
    client.login(account.address, account.password)
    client.select("INBOX")
    _, answer = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    client.shutdown()
    return {part[1].strip().decode().removeprefix("Subject: ") for part in answer if isinstance(part, tuple)}


@pytest.mark.parametrize("damage", ["truncated -shm", "removed -shm", "removed -wal"])
def test_nothing_that_was_taken_is_lost_with_a_file_beside_the_database(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "mailhost.toml").write_text("workers = 2\n")
    server = start(folder)
    account = server.accounts[0]
    try:
        taken = {f"before {number}" for number in range(5) if send(server, account, f"before {number}")}
        assert len(taken) == 5
        how, suffix = damage.split()
        path = folder / f"mailhost.db{suffix}"
        if how == "removed":
            path.unlink()
            os.kill(children(server)[0], signal.SIGKILL)  # who is forked in its place finds other files
        else:
            os.truncate(path, 0)
        ends = time.monotonic() + 40
        number = served = 0
        while served < 10 and time.monotonic() < ends:  # in a row
            number += 1
            served += 1
            if send(server, account, f"after {number}"):
                taken.add(f"after {number}")
            else:
                served = 0
            time.sleep(0.1)
        assert served == 10
        assert taken <= subjects(server, account)
        kill(server)  # nothing hangs on who had the old file open
        server = start(folder)
        assert taken <= subjects(server, account)
    finally:
        if server.process.poll() is None:
            stop(server)
