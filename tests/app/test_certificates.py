"""A running server serves the certificate that lies in its files, and the names of domains that came since."""

import shutil
import signal
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from mailhost.network.certificates import CertificateFiles, ensure_certificates, names_of
from tests.running import MAILHOST, ROOT, Server, running, start, stop


def served(server: Server, door: str = "imaps") -> x509.Certificate:
    """The certificate of a new handshake."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("localhost", server.ports[door]), timeout=10) as plain,
        context.wrap_socket(plain) as secure,
    ):
        return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")


def hurry_until(server: Server, event: str, times: int) -> None:
    """SIGHUP, and wait until the log tells of that event so often."""
    server.process.send_signal(signal.SIGHUP)
    for _ in range(300):
        if server.log().count(event) >= times:
            return
        time.sleep(0.1)
    raise AssertionError(f"no {event} in\n{server.log()[-4000:]}")


def new_certificate(folder: Path, host: str) -> CertificateFiles:
    return ensure_certificates(folder, [host], datetime.now(UTC))[0]


def serial(files: CertificateFiles) -> int:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes()).serial_number


def test_a_domain_gets_its_names_without_a_restart(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        before = served(server)
        command = [*MAILHOST, "domain", "add", "second.example", "--data", str(server.folder)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
        hurry_until(server, "certificate.issued", 2)
        for _ in range(100):
            after = served(server)
            if after.serial_number != before.serial_number:
                break
            time.sleep(0.1)
        names = after.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert set(names_of(["second.example"])) - {"127.0.0.1", "::1"} <= set(names.get_values_for_type(x509.DNSName))


def test_a_replaced_file_is_served_and_a_broken_one_is_not(tmp_path: Path) -> None:
    old, new = new_certificate(tmp_path / "old", "a.test"), new_certificate(tmp_path / "new", "a.test")
    stop(start(tmp_path / "data"))
    toml = tmp_path / "data" / "mailhost.toml"
    mine = tmp_path / "mine.pem", tmp_path / "mine.key"
    shutil.copy(old.certificate, mine[0])
    shutil.copy(old.key, mine[1])
    toml.write_text(toml.read_text().replace("[tls]\n", f'[tls]\ncertificate = "{mine[0]}"\nkey = "{mine[1]}"\n'))
    with running(tmp_path / "data") as server:
        assert served(server).serial_number == serial(old)
        shutil.copy(new.certificate, mine[0])  # half of a renewal: the key is still the old one
        hurry_until(server, "certificate.unusable", 1)
        assert served(server).serial_number == serial(old)
        shutil.copy(new.key, mine[1])
        server.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            found = {served(server, door).serial_number for door in ("imaps", "pop3s", "submissions")}
            if found == {serial(new)}:
                break
            time.sleep(0.1)
        assert found == {serial(new)}
