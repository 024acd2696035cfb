"""What goes wrong before anybody says who they are: real connections, and the cause the diary gives each."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailhost.accounts.audit.model import DOORSTEP, Cause
from mailhost.accounts.audit.sql import list_sign_ins
from mailhost.login.doorstep import Doorstep, cause_of
from mailhost.network.certificates import ensure_certificates
from mailhost.network.listener import Admission, Listener
from mailhost.network.misdirected import Service
from mailhost.network.stream import Deadlines, Stream
from mailhost.network.tls import server_context
from mailhost.network.trouble import Kind, Trouble
from tests.login.conftest import House


async def silent(stream: Stream) -> None:
    await stream.read(5)


def old_tls(port: int, _ca: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain)


def distrusting(port: int, _ca: Path) -> None:
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(plain, server_hostname="localhost")


def says(words: bytes) -> Callable[[int, Path], None]:
    def talk(port: int, _ca: Path) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            plain.sendall(words)
            while plain.recv(4096):
                pass

    return talk


def hangs_up(port: int, _ca: Path) -> None:
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(b"\x16\x03\x01")
        plain.shutdown(socket.SHUT_WR)
        plain.recv(4096)


TROUBLES = [
    (True, old_tls, Cause.TLS_TOO_OLD, {"offered": "TLSv1.1"}),
    (True, distrusting, Cause.CERTIFICATE_DISTRUSTED, {"reason": "TLSV1_ALERT_UNKNOWN_CA", "host": "localhost"}),
    (True, says(b"a LOGIN x y\r\n"), Cause.PLAIN_ON_TLS_PORT, {"spoken": "plaintext"}),
    (True, says(b""), Cause.SILENT_ON_TLS_PORT, {"spoken": "nothing"}),
    (True, hangs_up, Cause.TLS_UNFINISHED, {"reason": "CLOSED_BY_PEER"}),
    (False, says(b"\x16\x03\x01\x00\x05hello"), Cause.TLS_ON_PLAIN_PORT, {"spoken": "TLS"}),
    (False, says(b"EHLO me.example\r\n"), Cause.WRONG_PROTOCOL, {"spoken": "SMTP"}),
]


@pytest.mark.parametrize(("in_tls", "client", "cause", "facts"), TROUBLES, ids=[row[2].value for row in TROUBLES])
async def test_troubles_of_connections(
    house: House, tmp_path: Path, in_tls: bool, client: Callable[[int, Path], None], cause: Cause, facts: dict[str, str]
) -> None:
    keeper = house.keeper()
    certificates, _ = ensure_certificates(tmp_path / "tls", ["localhost"], datetime.now(UTC))
    context = server_context(certificates.certificate, certificates.key) if in_tls else None
    admission = Admission(per_address=10, in_all=10)
    admission.tell = Doorstep(keeper, 10).tell
    listener = Listener(Service.IMAP, silent, admission, context=context, deadlines=Deadlines(handshake=0.3))
    await listener.open(["127.0.0.1"], 0)
    await asyncio.to_thread(client, listener.port, certificates.authority)
    listener.stop()
    await listener.drain(1)
    [(sign_in, occurrence)] = await house.diary(keeper, DOORSTEP)
    assert (sign_in.cause, sign_in.protocol, sign_in.port) == (cause, "imap", listener.port)
    assert (sign_in.peer, occurrence.facts) == ("127.0.0.1", facts)


@pytest.mark.parametrize(
    ("kind", "detail", "cause"),
    [
        (Kind.TOO_MANY, "", Cause.TOO_MANY_FROM_ADDRESS),
        (Kind.FULL, "", Cause.SERVER_FULL),
        (Kind.FAILED, "NO_SHARED_CIPHER", Cause.TLS_NOTHING_IN_COMMON),
        (Kind.FAILED, "PROXY_MALFORMED", Cause.PROXY_UNREADABLE),
        (Kind.FAILED, "BAD_RECORD_TYPE", Cause.TLS_BROKEN),
    ],
)
def test_further_troubles(kind: Kind, detail: str, cause: Cause) -> None:
    verdict = cause_of(Trouble(kind, Service.POP3, 995, "192.0.2.7", "c1", detail), 10)
    assert verdict.cause is cause


async def test_doors_without_sign_in_keep_no_diary(house: House) -> None:
    keeper = house.keeper()
    for service in (Service.HTTP, Service.LMTP):
        Doorstep(keeper, 10).tell(Trouble(Kind.FULL, service, 80, "192.0.2.7", "c1"))
    await house.diary(keeper, DOORSTEP)
    assert await house.database.read(list_sign_ins, DOORSTEP) == []
