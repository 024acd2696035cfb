"""A Mailhost of its own for a test: started as an operator starts it, stopped by SIGTERM."""

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

MAILHOST = (sys.executable, "-m", "mailhost")
ROOT = Path(__file__).parents[1]


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

    def new_account(self) -> Account:
        """One more account, empty, made with the operator's commands while the server runs."""
        self.made += 1
        address = f"user{self.made}@example.test"
        self.command("account", "add", address, "--password-stdin", words="an account password that no client uses")
        told = json.loads(self.command("app-password", "add", address, "--name", "test", "--json"))
        return Account(address, told["app_password"])

    def command(self, *words_of_command: str, words: str = "") -> str:
        """Run one of the operator's commands on this server's data; its stdout."""
        command = [*MAILHOST, *words_of_command, "--data", str(self.folder)]
        done = subprocess.run(command, input=words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def log(self) -> str:
        """What the server has written to stderr."""
        return (self.folder.parent / "stderr").read_text(encoding="utf-8", errors="replace")


def start(folder: Path, *options: str) -> Server:
    """Start on `folder` and wait for the line that says that every listener accepts."""
    command = [*MAILHOST, "up", "--json", "--data", str(folder), "--ports", "auto", *options]
    with (folder.parent / "stderr").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT)
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


def needs(program: str, package: str) -> str:
    """The path of a client; where it is not installed the test is skipped and the package named."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed: apt-get install {package}")
    return path


def run(command: Sequence[str | Path], words: str | bytes = b"", codes: Sequence[int] = (0,), **env: str) -> str:
    """Run a client to its end and return what it printed, stderr last; any other exit code is a failure."""
    data = words.encode() if isinstance(words, str) else words
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False, env={**os.environ, **env})
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode in codes, f"{command[0]} ended with {done.returncode}:\n{output}"
    return output
