"""A Thunderbird of its own for a test: a fresh profile, a screen that nobody sees, names that lead to our server alone.

It is driven over Marionette, the JSON protocol that comes with it: a window's own code runs, fields are filled and
buttons pressed. Every connection goes through a SOCKS proxy of ours, which is its whole Internet: no name server is
needed, the usual ports lead to those of the test, and what it asks anybody else is noted and refused.
"""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.running import Server, needs

_PREFERENCES: dict[str, str | int | bool] = {
    "network.proxy.type": 1,
    "network.proxy.socks": "127.0.0.1",
    "network.proxy.socks_version": 5,
    "network.proxy.socks_remote_dns": True,
    "network.proxy.allow_hijacking_localhost": True,
    "network.proxy.no_proxies_on": "",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.enabled": False,
    "app.donation.eoy.version.viewed": 999,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "mail.shell.checkDefaultClient": False,
    "mail.rights.version": 1,
    "mail.biff.show_alert": False,
    "mail.inappnotifications.enabled": False,
    "mailnews.start_page.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Internet:
    """A SOCKS 5 proxy (RFC 1928). `zone`: (host, port) → a port of this machine; everything else is unreachable."""

    def __init__(self, zone: Mapping[tuple[str, int], int]) -> None:
        self._zone = dict(zone)
        self.reached: list[tuple[str, int]] = []
        self.refused: list[tuple[str, int]] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take nobody any more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            methods = _exactly(client, 2)[1]
            _exactly(client, methods)
            client.sendall(b"\5\0")
            kind = _exactly(client, 4)[3]
            length = _exactly(client, 1)[0] if kind == 3 else 4 if kind == 1 else 16
            name = _exactly(client, length)
            host = name.decode() if kind == 3 else socket.inet_ntop({1: socket.AF_INET, 4: socket.AF_INET6}[kind], name)
            port = int.from_bytes(_exactly(client, 2), "big")
            target = self._zone.get((host, port))
            (self.refused if target is None else self.reached).append((host, port))
            if target is None:
                client.sendall(b"\5\4\0\1" + bytes(6))
                return
            with socket.create_connection(("127.0.0.1", target)) as server:
                client.sendall(b"\5\0\0\1" + bytes(6))
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _exactly(client: socket.socket, count: int) -> bytes:
    """So many octets. Raises ConnectionError for one that thought better of it."""
    data = client.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        raise ConnectionError
    return data


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class Refused(Exception):
    """Thunderbird says that something went wrong; its own words."""


class Thunderbird:
    """A running one."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        give_up = time.monotonic() + 60
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
            except OSError:
                if time.monotonic() > give_up or process.poll() is not None:
                    raise
                time.sleep(0.1)
            else:
                break
        self._file = self._socket.makefile("rb")
        self._number = 0
        self._read()
        self._call("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": False}}})
        self._call("Marionette:SetContext", {"value": "chrome"})
        self._call("WebDriver:SetTimeouts", {"script": 100_000})

    def _read(self) -> object:
        length = b""
        while (octet := self._file.read(1)) not in (b":", b""):
            length += octet
        return json.loads(self._file.read(int(length)))

    def _call(self, command: str, parameters: Mapping[str, object]) -> object:
        self._number += 1
        message = json.dumps([0, self._number, command, parameters])
        self._socket.sendall(f"{len(message)}:{message}".encode())
        answer = self._read()
        assert isinstance(answer, list)
        _, _, error, result = answer
        if error:
            raise Refused(f"{error['error']}: {error['message']}")
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def run(self, script: str, *arguments: object) -> object:
        """Run JavaScript in the main window: what it returns, or what the promise it returns comes to."""
        whole = f"return (async function () {{{script}}}).apply(null, arguments)"
        words = {"script": whole, "args": list(arguments), "newSandbox": False, "sandbox": "system"}
        return self._call("WebDriver:ExecuteScript", words)

    def install(self, add_on: Path) -> object:
        """What "Install Add-on From File" does; the add-on's id."""
        return self._call("Addon:Install", {"path": str(add_on), "temporary": False})

    def quit(self) -> None:
        """End it as a user does."""
        with contextlib.suppress(OSError, Refused, ValueError):
            self._call("Marionette:Quit", {"flags": ["eForceQuit"]})
        self._socket.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def _screen(folder: Path) -> Iterator[str]:
    """An X server without a screen; its display."""
    read, write = os.pipe()
    command = [needs("Xvfb", "xvfb"), "-displayfd", str(write), "-screen", "0", "1280x1000x24", "-nolisten", "tcp"]
    with (folder / "xvfb.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL, pass_fds=(write,))
    os.close(write)
    try:
        with os.fdopen(read) as told:
            yield f":{told.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def thunderbird(
    server: Server, internet: Internet, folder: Path, **preferences: str | int | bool
) -> Iterator[Thunderbird]:
    """A Thunderbird with a fresh profile that trusts the server's authority."""
    program = needs("thunderbird", "thunderbird")
    profile = folder / "profile"
    profile.mkdir(parents=True)
    certutil = needs("certutil", "libnss3-tools")
    store = ["-d", f"sql:{profile}"]
    subprocess.run([certutil, "-N", "--empty-password", *store], check=True, capture_output=True)
    trusted = [certutil, "-A", "-n", "mailhost", "-t", "C,,", "-i", server.ca, *store]
    subprocess.run(trusted, check=True, capture_output=True)
    port = _free_port()
    chosen = {**_PREFERENCES, "network.proxy.socks_port": internet.port, "marionette.port": port, **preferences}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in chosen.items()]
    (profile / "user.js").write_text("\n".join(lines) + "\n")
    with _screen(folder) as display, (folder / "thunderbird.log").open("wb") as log:
        environment = {"HOME": str(folder), "DISPLAY": display, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        environment |= {"MOZ_CRASHREPORTER_DISABLE": "1", "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1"}
        command = [program, "--profile", str(profile), "--no-remote", "--marionette", "--remote-allow-system-access"]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            running = Thunderbird(port, process)
            try:
                yield running
            finally:
                running.quit()
        finally:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait(10)
