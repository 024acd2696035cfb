"""Each test of the network runs on both event loops, over real sockets of the loopback, against Python's own TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
import uvloop

from mailhost.network.certificates import CertificateFiles, ensure_certificates, names_of
from mailhost.network.listener import Admission, Listener
from mailhost.network.misdirected import Service
from mailhost.network.stream import Deadlines, Stream
from mailhost.network.tls import server_context
from tests.network.loopback import Open, echo


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], object]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    folder = tmp_path_factory.mktemp("certificates")
    return ensure_certificates(folder, names_of(["example.test"]), datetime.now(UTC))[0]


@pytest.fixture
def server_tls(certificates: CertificateFiles) -> ssl.SSLContext:
    return server_context(certificates.certificate, certificates.key)


@pytest.fixture
def client_tls(certificates: CertificateFiles) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates.authority)


@pytest.fixture
async def listen() -> AsyncIterator[Open]:
    """Opens listeners on free ports and ends them with the test."""
    listeners: list[Listener] = []

    async def open_listener(
        handler: Callable[[Stream], Awaitable[None]] = echo,
        *,
        service: Service = Service.IMAP,
        context: ssl.SSLContext | None = None,
        admission: Admission | None = None,
        deadlines: Deadlines | None = None,
    ) -> Listener:
        listener = Listener(
            service,
            handler,
            admission or Admission(per_address=1000, in_all=1000),
            context=context,
            deadlines=deadlines or Deadlines(),
        )
        await listener.open(["127.0.0.1"], 0)
        listeners.append(listener)
        return listener

    yield open_listener
    for listener in listeners:
        listener.stop()
        await listener.drain(0)
