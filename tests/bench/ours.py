"""Mailhost as `mailhost up` starts it, in a temporary folder, with limits that let one address hold every session."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.lines import OURS
from tests.bench.processes import Account, tree

LIMITS = """
plaintext_sign_in = true

[limits]
connections = 100000
connections_per_address = 100000
imap_sessions_per_account = 100000
"""


class Mailhost:
    """One Mailhost of our own."""

    name = OURS

    def __init__(self, accounts: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bench-mailhost-"))
        (self.folder / "mailhost.toml").write_text(LIMITS, encoding="utf-8")
        self.accounts: list[Account] = []
        self.ports: dict[str, int] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        for number in range(accounts):
            self.accounts.append(self.add_account(f"u{number}@example.test"))

    def start(self, reuse: bool = False) -> None:
        """Start again on the same folder; it has no processes to reuse or not."""
        self.stop()
        command = [
            sys.executable,
            "-m",
            "mailhost",
            "up",
            "--json",
            "--data",
            str(self.folder),
            "--ports",
            "auto",
            "--demo",
        ]
        log = (self.folder / "bench.log").open("ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        log.close()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(
                "mailhost did not start: " + (self.folder / "bench.log").read_text(encoding="utf-8")[-2000:]
            )
        self.ports = json.loads(line)["ports"]

    def add_account(self, address: str) -> Account:
        """Make an account with an app password, as an operator does."""
        mailhost = [sys.executable, "-m", "mailhost"]
        data = ["--data", str(self.folder)]
        add = [*mailhost, "account", "add", *data, "--password-stdin", address]
        subprocess.run(add, check=True, input=b"not used over IMAP", capture_output=True)
        make = [*mailhost, "app-password", "add", *data, "--name", "bench", "--json", address]
        done = subprocess.run(make, check=True, capture_output=True)
        return Account(address, json.loads(done.stdout)["app_password"])

    def pids(self) -> list[int]:
        """The server and every process below it."""
        assert self.process is not None
        return tree(self.process.pid)

    def stop(self) -> None:
        """SIGTERM, and wait for the drain."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
