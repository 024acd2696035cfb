"""A Mailhost of its own for a test: started as an operator starts it, stopped by SIGTERM."""

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailhost.accounts.sessions.sql import list_sessions
from mailhost.cli.store import opened
from mailhost.crypto import hash_password
from mailhost.login.enrol import account_at, enrol, issue_app_password
from mailhost.mailstore import Layout
from mailhost.storage.database import Tx

MAILHOST = (sys.executable, "-m", "mailhost")
ROOT = Path(__file__).parents[1]
NEVER_USED = hash_password("an account password that no mail client knows")


@dataclass(frozen=True)
class Account:
    """An address and the app password that opens it."""

    address: str
    password: str


@dataclass
class Server:
    """What the JSON line of `mailhost up` says, and the process behind it."""

    folder: Path
    process: subprocess.Popen[bytes]
    ports: dict[str, int]
    ca: str
    accounts: list[Account]
    made: int = field(default=0)

    def tls(self) -> ssl.SSLContext:
        """A context that trusts this server's certificate authority and checks the name."""
        return ssl.create_default_context(cafile=self.ca)

    def new_account(self, layout: Layout = Layout.CLASSIC) -> Account:
        """One more account, empty, made beside the running server as the operator's commands make one."""
        self.made += 1
        return asyncio.run(_make_account(self.folder, f"user{self.made}@example.test", layout))

    def log(self) -> str:
        """What the server has written to stderr."""
        return (self.folder.parent / "stderr").read_text(encoding="utf-8", errors="replace")


async def _make_account(folder: Path, address: str, layout: Layout) -> Account:
    """What `mailhost account add` and `mailhost app-password add` do, without a process for each."""
    async with opened(folder) as store:
        now = int(time.time())
        await store.database.write(enrol, address, password_hash=NEVER_USED, now=now, layout=layout)
        _, secret = await store.database.write(issue_app_password, store.key, address, name="test", now=now)
    return Account(address, secret)


def start(folder: Path, *options: str) -> Server:
    """Start on `folder` and wait for the line that says that every listener accepts."""
    command = [*MAILHOST, "up", "--json", "--data", str(folder), "--ports", "auto", *options]
    with (folder.parent / "stderr").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd=ROOT)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        process.stdout.close()
        pytest.fail("mailhost did not start: " + (folder.parent / "stderr").read_text(encoding="utf-8"))
    told = json.loads(line)
    accounts = [Account(each["address"], each["app_password"]) for each in told["accounts"]]
    return Server(folder, process, told["ports"], told["ca"], accounts)


def stop(server: Server, seconds: float = 30) -> None:
    """SIGTERM, drain, and an exit code that says that all was well; stdout carried one line only."""
    assert server.process.stdout is not None
    server.process.terminate()
    rest = server.process.stdout.read()
    code = server.process.wait(seconds)
    server.process.stdout.close()
    assert (code, rest) == (0, b""), server.log()[-4000:]


def kill(server: Server) -> None:
    """SIGKILL: what a power cut or the kernel's memory killer does to a process."""
    assert server.process.stdout is not None
    server.process.kill()
    server.process.wait(10)
    server.process.stdout.close()


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Server]:
    """A server for the length of a block."""
    server = start(folder, *options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            stop(server)
        else:
            kill(server)


def sessions(server: Server, account: Account) -> list[str]:
    """The protocols of an account's sessions, as the store knows them."""

    def listed(tx: Tx) -> list[str]:
        return sorted(one.protocol for one in list_sessions(tx, account_at(tx, account.address).id))

    async def read() -> list[str]:
        async with opened(server.folder) as store:
            return await store.database.read(listed)

    return asyncio.run(read())


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that takes much less than the two minutes after which silent processes are forgotten."""
    ends = time.monotonic() + 40
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.1)


def needs(program: str, package: str) -> str:
    """The path of a client; where it is not installed the test is skipped and the package named."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed: apt-get install {package}")
    return path


def run(
    command: Sequence[str | Path],
    words: str | bytes = b"",
    codes: Sequence[int] = (0,),
    seconds: float = 60,
    **env: str,
) -> str:
    """Run a client to its end and return what it printed, stderr last; any other exit code is a failure."""
    data = words.encode() if isinstance(words, str) else words
    done = subprocess.run(
        command, input=data, capture_output=True, timeout=seconds, check=False, env={**os.environ, **env}
    )
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode in codes, f"{command[0]} ended with {done.returncode}:\n{output}"
    return output
