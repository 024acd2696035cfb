"""Several processes serve one store: each sees what the others do, and none is missed when it dies."""

import contextlib
import imaplib
import json
import os
import poplib
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Account, Server, running, sessions, start, stop, until

WORKERS = 3
SETTINGS = f"""
workers = {WORKERS}

[limits]
connections_per_address = 40
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("workers") / "data"
    folder.mkdir()
    (folder / "mailhost.toml").write_text(SETTINGS)
    with running(folder) as server:
        yield server


def children(server: Server) -> list[int]:
    """The processes below the server's own."""
    pid = server.process.pid
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def holders(pids: list[int], clients: list[socket.socket]) -> Counter[int]:
    """How many of the clients each process serves, by the kernel's table of connections."""
    ends = {client.getsockname()[1] for client in clients}
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if int(row[2].rpartition(":")[2], 16) in ends}
    return Counter(pid for pid in pids for name in os.listdir(f"/proc/{pid}/fd") if file_of(pid, name) in inodes)


def file_of(pid: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/fd/{name}")
    except OSError:  # closed meanwhile
        return ""


def connect(server: Server) -> socket.socket:
    """A connection that was greeted."""
    client = socket.create_connection(("localhost", server.ports["imap"]), timeout=10)
    assert client.recv(1000).startswith(b"* OK")
    return client


def sign_in(server: Server, account: Account) -> imaplib.IMAP4:
    client = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls())
    client.login(account.address, account.password)
    return client


def send(server: Server, account: Account, subject: str) -> None:
    """As a mail server sends: a connection that breaks is tried again."""
    for _ in range(5):
        with contextlib.suppress(smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, ConnectionError):
            with smtplib.SMTP("localhost", server.ports["smtp"], timeout=10) as client:
                client.sendmail("a@example.net", [account.address], f"Subject: {subject}\r\n\r\nx\r\n")
            return
    pytest.fail("nobody takes mail")


def test_connections_are_spread_over_the_processes(server: Server) -> None:
    ends = time.monotonic() + 30
    while len(spread := holders_of_twelve(server)) < WORKERS and time.monotonic() < ends:
        time.sleep(0.5)  # one that another test ended is still being replaced
    assert spread.total() == 12
    assert len(spread) == WORKERS, spread
    assert min(spread.values()) >= 2, spread


def holders_of_twelve(server: Server) -> Counter[int]:
    clients = [connect(server) for _ in range(12)]
    try:
        return holders(children(server), clients)
    finally:
        for client in clients:
            client.close()


def test_a_limit_holds_for_all_processes_together(server: Server) -> None:
    clients = []
    try:
        for _ in range(40):
            clients.append(connect(server))
        with socket.create_connection(("localhost", server.ports["imap"]), timeout=10) as one_more:
            assert one_more.recv(1000).startswith(b"* BYE")
    finally:
        for client in clients:
            client.close()


def test_what_one_process_commits_wakes_sessions_of_all(server: Server) -> None:
    account = server.accounts[0]
    watchers = [sign_in(server, account) for _ in range(6)]
    try:
        for watcher in watchers:
            watcher.select("INBOX")
            watcher.send(b"i IDLE\r\n")
            assert watcher.readline().startswith(b"+")
        send(server, account, "wake up")
        for watcher in watchers:
            assert b"EXISTS" in watcher.readline()
    finally:
        for watcher in watchers:
            watcher.shutdown()


def test_a_process_that_is_killed_is_started_anew_and_the_others_serve_on(server: Server) -> None:
    account = server.accounts[0]
    send(server, account, "before")
    held = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    for victim in children(server):
        others = set(children(server)) - {victim}
        os.kill(victim, signal.SIGKILL)
        send(server, account, "meanwhile")  # by whoever is there
        ends = time.monotonic() + 20
        while len(set(children(server)) - others - {victim}) != 1:
            assert time.monotonic() < ends, children(server)
            time.sleep(0.05)
    assert len(os.listdir(f"/proc/{server.process.pid}/fd")) == held
    client = sign_in(server, account)
    try:
        _, [count] = client.select("INBOX")
        assert count is not None
        assert int(count) >= 1 + WORKERS + 1
    finally:
        client.logout()
    assert any(json.loads(line).get("event") == "process.died" for line in server.log().splitlines())


def test_sessions_of_a_process_that_was_killed_count_no_more(server: Server) -> None:
    account = server.new_account()
    mail = sign_in(server, account)
    drop = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=server.tls())
    drop.user(account.address)
    drop.pass_(account.password)
    until(lambda: sessions(server, account) == ["imap", "pop3"])
    workers = children(server)[:WORKERS]
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    until(lambda: not sessions(server, account))
    for client in (mail, drop):
        with contextlib.suppress(OSError):
            client.shutdown() if isinstance(client, imaplib.IMAP4) else client.close()
    drop = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=server.tls())
    drop.user(account.address)
    assert drop.pass_(account.password).startswith(b"+OK")  # long before the lease of the maildrop ends
    drop.quit()


def test_when_the_supervisor_is_killed_nothing_of_the_server_remains(tmp_path: Path) -> None:
    server = start(tmp_path / "data")
    workers = children(server)
    assert workers
    server.process.kill()
    server.process.wait(10)
    assert server.process.stdout is not None
    server.process.stdout.close()
    ends = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/stat").exists() for pid in workers):
        assert time.monotonic() < ends
        time.sleep(0.02)
    stop(start(tmp_path / "data"))  # and nothing of it is in the way


LATE_ALARM = """
import os, pathlib, signal, sys, time
from mailhost.app.supervisor import Supervisor

def work(number, ready):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    ready()
    signal.sigwait([signal.SIGTERM])
    time.sleep(0.3)
    pathlib.Path(sys.argv[1]).write_text("ended in good order")

Supervisor(1, work, lambda number: None).run(
    lambda: os.kill(os.getpid(), signal.SIGTERM), lambda: os.kill(os.getpid(), signal.SIGALRM), patience=20
)
"""


def test_the_alarm_for_a_process_to_be_revived_does_not_cut_the_end_of_the_others_short(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LATE_ALARM, str(tmp_path / "said")], check=True, timeout=30)
    assert (tmp_path / "said").read_text() == "ended in good order"
