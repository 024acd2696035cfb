"""Outgoing mail that a killed process was about to send goes out as soon as another stands in its place."""

import os
import signal
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.test_supervisor import children
from tests.running import Account, Server, kill, start, stop


class Smarthost:
    """Takes every message it is offered, but answers to none before `is_open`."""

    def __init__(self) -> None:
        self._ears = socket.create_server(("127.0.0.1", 0))
        self.port = self._ears.getsockname()[1]
        self.is_open = threading.Event()
        self.offered = threading.Semaphore(0)
        self.taken: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._ears.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._ears.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, client.makefile("rwb") as lines:

            def say(words: bytes) -> None:
                lines.write(words + b"\r\n")
                lines.flush()

            say(b"220 smarthost.test")
            content = b""
            for line in lines:
                if line[:4].upper() == b"DATA":
                    say(b"354 go")
                    content = b"".join(iter(lines.readline, b".\r\n"))
                    self.offered.release()
                    self.is_open.wait()
                    self.taken.append(content)
                say(b"250 fine")


@pytest.fixture
def far() -> Iterator[Smarthost]:
    smarthost = Smarthost()
    yield smarthost
    smarthost.is_open.set()
    smarthost.close()


@pytest.fixture
def folder(database_url: str, tmp_path: Path, far: Smarthost) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    database = "" if database_url.startswith("sqlite") else f'database = "{database_url}"\n'
    carrier = f'[smarthost]\nhost = "127.0.0.1"\nport = {far.port}\ntls = "none"\n'
    (folder / "mailhost.toml").write_text(f"workers = 1\n{database}{carrier}")
    return folder


def send(server: Server, account: Account, subject: str) -> None:
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls(), timeout=60) as client:
        client.login(account.address, account.password)
        client.sendmail(
            account.address, ["eve@far.test"], f"From: {account.address}\r\nSubject: {subject}\r\n\r\nx\r\n"
        )


@pytest.mark.parametrize("victim", ["chores", "server"])
def test_what_a_killed_process_held_is_sent_at_once(folder: Path, far: Smarthost, victim: str) -> None:
    server = start(folder)
    try:
        send(server, server.accounts[0], "held")
        assert far.offered.acquire(timeout=30)
        if victim == "chores":
            os.kill(children(server)[-1], signal.SIGKILL)
        else:
            kill(server)
            server = start(folder)
        assert far.offered.acquire(timeout=30), "as long as the lease of the dead one"
        far.is_open.set()
        ends = time.monotonic() + 30
        while len(far.taken) < 2:  # the one of the dead process, too, who never heard it
            assert time.monotonic() < ends
            time.sleep(0.05)
    finally:
        if server.process.poll() is None:
            stop(server)
    assert all(b"Subject: held" in content for content in far.taken)
    assert not far.offered.acquire(blocking=False), "sent a third time"
