"""Certificates from an authority: both proofs, names that do not lead here, renewal under open sessions, refusals."""

from __future__ import annotations

import imaplib
import os
import signal
import socket
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from mailhost.app.acme import CertificateOrders, doors_without
from mailhost.app.certificates import read_held
from mailhost.app.orderbook import Book, Page, findings, read_book, write_book
from mailhost.app.services import open_services
from mailhost.config import Config, Tls
from mailhost.doctor.names import Resolver
from mailhost.findings import Finding, Severity
from mailhost.network.certificates import ensure_certificates
from tests.app.pebble import Pebble, free_port
from tests.doctor.zoo.zone import SERVFAIL, Zone
from tests.running import Server, running, start, stop

NAMES = ("imap", "pop", "smtp", "mail", "autoconfig", "autodiscover")
NOWHERE = "192.0.2.9"


@contextmanager
def ordering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Pebble]]:
    """A server that is to get its certificates from a pebble which does not run yet."""
    pebble = Pebble(tmp_path / "pebble")
    stop(start(tmp_path / "data"))
    toml = tmp_path / "data" / "mailhost.toml"
    lines = f'[tls]\nacme = "{pebble.directory}"\nacme_contact = "admin@example.test"\nacme_terms_agreed = true\n'
    toml.write_text(f'resolver = "127.0.0.1:{pebble.dns}"\n' + toml.read_text().replace("[tls]\n", lines))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pebble.files.authority))
    with pebble.names(), running(tmp_path / "data") as server:
        yield server, pebble


def served(server: Server, name: str, door: str = "imaps") -> x509.Certificate:
    """The certificate that a door shows for a name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.ports[door]), timeout=10) as plain:
        if door == "imap":
            plain.recv(1000)
            plain.sendall(b"a STARTTLS\r\n")
            plain.recv(1000)
        with context.wrap_socket(plain, server_hostname=name) as secure:
            return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")


def names_in(certificate: x509.Certificate) -> set[str]:
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(held.get_values_for_type(x509.DNSName))


def issuer(certificate: x509.Certificate) -> str:
    return certificate.issuer.rfc4514_string()


def until(server: Server, is_so: Callable[[], bool], seconds: float = 90) -> None:
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, "".join(
            line for line in server.log().splitlines(True) if "session.ended" not in line
        )
        time.sleep(0.1)


def settled(server: Server, is_new: Callable[[x509.Certificate], bool]) -> x509.Certificate:
    """What is shown for imap.example.test once every process shows it: each looks into the folder for itself."""
    shown = [served(server, "imap.example.test")]

    def is_so() -> bool:
        shown.append(served(server, "imap.example.test"))
        last = shown[-20:]
        return len(last) == 20 and is_new(last[0]) and all(each == last[0] for each in last)

    until(server, is_so)
    return shown[-1]


def is_of_pebble(certificate: x509.Certificate) -> bool:
    return "Pebble" in issuer(certificate)


def hurry(server: Server) -> None:
    server.process.send_signal(signal.SIGHUP)


def book(server: Server) -> Book:
    return read_book(server.folder / "tls" / "acme")


def told(server: Server) -> dict[str, Finding]:
    return {each.leaf: each for each in findings(book(server), int(time.time()))}


@pytest.mark.timeout(300)
def test_both_proofs_a_wrong_name_and_a_renewal_under_an_open_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ordering(tmp_path, monkeypatch) as (server, pebble):
        # Nobody is there: the local authority's certificate is shown, and the operator is told.
        until(server, lambda: "H9" in told(server))
        assert told(server)["H9"].severity is Severity.ERROR
        assert "Mailhost local authority" in issuer(served(server, "imap.example.test"))

        # The authority looks for its texts at our port for HTTP; one name leads elsewhere.
        pebble.moves("pop.example.test", NOWHERE)
        with pebble.running(server.ports["http"], 1):
            hurry(server)
            first = settled(server, is_of_pebble)
            expected = {f"{name}.example.test" for name in NAMES if name != "pop"}
            assert expected <= names_in(first)
            assert "pop.example.test" not in names_in(first)
            until(server, lambda: set(told(server)) == {"H8"})
            assert NOWHERE in str(told(server)["H8"].evidence)
            for door in ("imaps", "imap", "pop3s", "submissions", "https"):
                assert served(server, "smtp.example.test", door) == first
            assert "Mailhost local authority" in issuer(served(server, "localhost"))
            folder = server.folder / "tls" / "acme"
            for secret in ("account.key", "example.test.pem", "book.json"):
                assert stat.S_IMODE(os.stat(folder / secret).st_mode) == 0o600
            assert not list((folder / "challenges").iterdir())

        # A renewal is due, the missing name is here; now the authority finds port 443 alone.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        session = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=context)
        account = server.new_account()
        session.login(account.address, account.password)
        pebble.moves_back("pop.example.test")
        with pebble.running(1, server.ports["https"]):
            due = book(server)
            due.domains["example.test"].renew_at = 1
            write_book(server.folder / "tls" / "acme", due)
            hurry(server)
            second = settled(server, lambda certificate: certificate != first)
        assert served(server, "pop.example.test") == second
        assert is_of_pebble(second)
        assert names_in(second) == names_in(first) | {"pop.example.test"}
        assert session.noop()[0] == "OK"
        session.logout()
        until(server, lambda: not told(server))
        assert "certificate.unserved" not in server.log()


@pytest.mark.timeout(300)
def test_a_name_that_cannot_be_proved_spoils_none_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ordering(tmp_path, monkeypatch) as (server, pebble):
        until(server, lambda: "H9" in told(server))
        # To us it leads here, and to the authority elsewhere, as behind two views of one zone.
        pebble.moves("smtp.example.test", NOWHERE, unseen_by_us=True)
        with pebble.running(server.ports["http"], server.ports["https"]):
            hurry(server)
            names = names_in(settled(server, is_of_pebble))
        assert {f"{name}.example.test" for name in NAMES if name != "smtp"} <= names
        assert "smtp.example.test" not in names
        until(server, lambda: set(told(server)) == {"H8"})
        [evidence] = told(server)["H8"].evidence
        assert evidence.startswith("smtp.example.test: connection")
        assert book(server).domains["example.test"].unproved["smtp.example.test"].tries == 1


def test_a_door_that_shows_another_certificate_is_named(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        folder = server.folder / "tls"
        held = read_held(folder / "server.pem")
        assert held is not None
        assert doors_without(held, server.ports, Config(), 0) == []
        other = ensure_certificates(tmp_path / "other", ["imap.example.test"], datetime.now(UTC))[0]
        stranger = read_held(other.certificate)
        assert stranger is not None
        ports = {name: server.ports[name] for name in ("https", "imap", "smtp", "lmtp")}
        assert doors_without(stranger, ports, Config(), 0) == ["https", "imap", "smtp"]
        assert doors_without(held, {"imaps": 1}, Config(), 0) == ["imaps"]


async def test_a_name_server_that_fails_takes_no_name_out_of_a_certificate(tmp_path: Path) -> None:
    """Renewals go on with what the certificate holds; a first one waits until it is known what leads here."""
    zone = Zone()
    for name in NAMES:
        zone.add(f"{name}.example.test", "A", "127.0.0.1")
    zone.add("smtp.example.test", "A", SERVFAIL)
    address, port = await zone.serve()
    resolver = Resolver(((address, port),))
    files, _ = ensure_certificates(tmp_path / "tls", [f"{name}.example.test" for name in NAMES], datetime.now(UTC))
    held = read_held(files.certificate)
    stop_asking = Resolver((("127.0.0.1", free_port()),), try_seconds=0.1)
    async with open_services(Config(tls=Tls(acme="letsencrypt")), tmp_path) as services:
        orders = CertificateOrders(services, "mail.example.test", {})
        page = Page()
        ours = await orders._lead_here("example.test", page, resolver, held)
        assert ours is not None
        assert set(ours) == {f"{name}.example.test" for name in NAMES}
        without = await orders._lead_here("example.test", page, resolver, None)
        assert without is not None
        assert set(ours) - set(without) == {"smtp.example.test"}
        assert "smtp.example.test" in page.elsewhere
        assert await orders._lead_here("example.test", page, stop_asking, None) is None
        kept = await orders._lead_here("example.test", page, stop_asking, held)
        assert kept is not None
        assert set(kept) == set(ours)
    for each in (resolver, stop_asking):
        await each.close()
    zone.close()
