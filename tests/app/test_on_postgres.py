"""The whole server with its rows in PostgreSQL: mail in and out, woken across processes, through a crash of either."""

import contextlib
import imaplib
import poplib
import shutil
import signal
import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PostgresServer
from tests.running import Account, Server, kill, running, sessions, start, stop, until


@pytest.fixture
def folder(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Path]:
    url = postgres_server.new_bare_database()
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "mailhost.toml").write_text(f'workers = 2\ndatabase = "{url}"\n')
    yield folder
    postgres_server.drop(url)


def send(server: Server, account: Account, subject: str) -> bool:
    """Whether it was taken."""
    try:
        with smtplib.SMTP("localhost", server.ports["smtp"], timeout=60) as client:
            client.sendmail("a@example.net", [account.address], f"Subject: {subject}\r\n\r\nx\r\n")
    except smtplib.SMTPException:
        return False
    return True


@contextlib.contextmanager
def signed_in(server: Server, account: Account) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=60)
    client.login(account.address, account.password)
    try:
        yield client
    finally:
        client.shutdown()


def subjects(server: Server, account: Account) -> list[bytes]:
    with signed_in(server, account) as client:
        client.select("INBOX")
        _, answer = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [part[1].strip() for part in answer if isinstance(part, tuple)]


def test_mail_is_there_after_a_crash_of_the_server_and_of_the_database(
    folder: Path, postgres_server: PostgresServer
) -> None:
    server = start(folder)
    try:
        [account] = server.accounts
        with contextlib.ExitStack() as stack:
            watchers = [stack.enter_context(signed_in(server, account)) for _ in range(4)]
            for watcher in watchers:
                watcher.select("INBOX")
                watcher.send(b"i IDLE\r\n")
                assert watcher.readline().startswith(b"+")
            assert send(server, account, "one")
            for watcher in watchers:  # whichever process each of them is in
                assert watcher.readline() == b"* 1 EXISTS\r\n"
        postgres_server.stop(signal.SIGQUIT)
        postgres_server.start()
        ends = time.monotonic() + 30
        while not send(server, account, "two"):
            assert time.monotonic() < ends
        kill(server)
        server = start(folder)
        assert server.accounts == [Account(account.address, None)]
        assert subjects(server, account) == [b"Subject: one", b"Subject: two"]
    finally:
        if server.process.poll() is None:
            stop(server)
    assert not [line for line in server.log().splitlines() if '"session.crashed"' in line]
    assert not (folder / "mailhost.db").exists()


def test_a_server_that_was_killed_takes_its_sessions_along_and_no_others(folder: Path, tmp_path: Path) -> None:
    server = start(folder)
    [account] = server.accounts
    (other := tmp_path / "other" / "data").mkdir(parents=True)
    for name in ("mailhost.toml", "secret.key"):
        shutil.copy(folder / name, other)
    with running(other) as another, contextlib.ExitStack() as stack:
        stack.enter_context(signed_in(another, account))
        stack.enter_context(signed_in(server, account))
        drop = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=server.tls())
        stack.callback(drop.close)
        drop.user(account.address)
        drop.pass_(account.password)
        until(lambda: sessions(another, account) == ["imap", "imap", "pop3"])
        kill(server)
        with running(folder) as server:
            assert sessions(another, account) == ["imap"]
            again = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=server.tls())
            again.user(account.address)
            assert again.pass_(account.password).startswith(b"+OK")  # long before the lease of the maildrop ends
            again.quit()
