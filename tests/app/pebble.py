"""Pebble, Debian's small ACME authority for tests, with the name server that it asks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mailhost.network.certificates import ensure_certificates
from tests.running import needs


def free_port() -> int:
    """One that nobody listens on, over TCP and UDP."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Pebble:
    """Where it will be; every name is on 127.0.0.1 until `moves` says otherwise."""

    folder: Path
    port: int = field(default_factory=free_port)
    management: int = field(default_factory=free_port)
    dns: int = field(default_factory=free_port)
    dns_management: int = field(default_factory=free_port)
    its_dns: int = field(default_factory=free_port)
    its_dns_management: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.files, _ = ensure_certificates(self.folder / "tls", ["localhost"], datetime.now(UTC))

    @property
    def directory(self) -> str:
        return f"https://localhost:{self.port}/dir"

    @contextmanager
    def names(self) -> Iterator[None]:
        """The name servers run: ours, and the authority's own, which may see another internet."""
        with (
            self._names("dns.log", self.dns, self.dns_management),
            self._names("its-dns.log", self.its_dns, self.its_dns_management),
        ):
            yield

    @contextmanager
    def _names(self, log_name: str, port: int, management: int) -> Iterator[None]:
        command = [
            needs("pebble-challtestsrv", "pebble"), "-dns01", f"127.0.0.1:{port}", "-http01", "", "-https01", "",
            "-tlsalpn01", "", "-management", f"127.0.0.1:{management}", "-defaultIPv6", "",
        ]  # fmt: skip
        with (self.folder / log_name).open("wb") as log, _process(command, log, management):
            yield

    def moves(self, name: str, address: str, *, unseen_by_us: bool = False) -> None:
        """The name leads there from now on."""
        fact = {"host": name, "addresses": [address]}
        if not unseen_by_us:
            _tell(self.dns_management, "add-a", fact)
        _tell(self.its_dns_management, "add-a", fact)

    def moves_back(self, name: str) -> None:
        """The name leads here again."""
        for management in (self.dns_management, self.its_dns_management):
            _tell(management, "clear-a", {"host": name})

    @contextmanager
    def running(self, http_port: int, tls_port: int) -> Iterator[None]:
        """The authority runs, and looks for proofs at these ports."""
        settings = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(self.files.certificate),
            "privateKey": str(self.files.key),
            "httpPort": http_port,
            "tlsPort": tls_port,
        }
        (self.folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
        command = [needs("pebble", "pebble"), "-config", str(self.folder / "pebble.json")]
        command += ["-dnsserver", f"127.0.0.1:{self.its_dns}"]
        with (self.folder / "pebble.log").open("ab") as log, _process(command, log, self.port):
            yield

    def log(self) -> str:
        return (self.folder / "pebble.log").read_text(errors="replace")


def _tell(management: int, verb: str, fact: object) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{management}/{verb}", json.dumps(fact).encode(), timeout=10):
        pass


@contextmanager
def _process(command: list[str], log: object, port: int) -> Iterator[None]:
    env = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
    process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    try:
        give_up = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > give_up or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)
