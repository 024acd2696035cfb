"""HTTP over our Stream: real sockets, Python's own client, and bytes that no client should send."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from mailhost.network.listener import Admission, Listener
from mailhost.network.misdirected import Service
from mailhost.web.bridge import MAX_BODY, MAX_HEAD, HttpServer
from mailhost.web.pages import Pages
from mailhost.web.setup import Facts
from mailhost.web.site import Site

Ask = Callable[..., bytes]


async def listen(server: HttpServer) -> Listener:
    listener = Listener(Service.HTTP, server.serve, Admission(per_address=50, in_all=50))
    await listener.open(["127.0.0.1"], 0)
    return listener


async def close(listener: Listener) -> None:
    listener.stop()
    await listener.drain(0)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Listener]:
    authority = tmp_path / "ca.pem"
    authority.write_text("a certificate")
    ports = {"imaps": 1993, "imap": 1143, "submissions": 1465, "http": 1080}

    async def is_well() -> bool:
        return True

    listener = await listen(
        HttpServer(Site(Pages(Facts("localhost", "example.test", ports, authority)), is_well).application())
    )
    yield listener
    await close(listener)


def exchange(listener: Listener, sent: bytes) -> bytes:
    """Everything that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as client:
        client.sendall(sent)
        received = b""
        while piece := client.recv(65536):
            received += piece
        return received


async def test_one_connection_serves_many_requests(site: Listener) -> None:
    def ask() -> list[tuple[int, bytes]]:
        client = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
        answers = []
        for method, path in (("GET", "/healthz"), ("HEAD", "/help"), ("GET", "/ca.pem"), ("GET", "/help/relay")):
            client.request(method, path)
            answer = client.getresponse()
            answers.append((answer.status, answer.read()))
        assert client.sock is not None
        client.close()
        return answers

    answers = await asyncio.to_thread(ask)
    assert [status for status, _ in answers] == [200, 200, 200, 200]
    assert answers[:3] == [(200, b"ok\n"), (200, b""), (200, b"a certificate")]


async def test_pipelined_requests_are_answered_in_order(site: Listener) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /ca.pem HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await asyncio.to_thread(exchange, site, one + one + last)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.endswith(b"a certificate")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET /help HTTP/1.1\r\n\r\n", b"400"),  # without a Host
        (b"GET /" + b"x" * 16 * MAX_HEAD + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
        (b"POST /help HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /help/nothing HTTP/1.0\r\n\r\n", b"404"),
        (b"POST /help HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", b"405"),
        (b"EHLO example.test\r\n", b"503"),
    ],
)
async def test_what_is_wrong_gets_its_status_and_an_end(site: Listener, sent: bytes, status: bytes) -> None:
    answer = await asyncio.to_thread(exchange, site, sent)
    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_a_body_that_is_too_large_is_refused() -> None:
    seen = 0

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal seen
        while (message := await receive())["more_body"]:
            seen += len(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    listener = await listen(HttpServer(count))

    def post(size: int) -> bytes:
        head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        return exchange(listener, head.encode() + bytes(size))

    assert (await asyncio.to_thread(post, MAX_BODY)).startswith(b"HTTP/1.1 200")
    assert seen == MAX_BODY
    assert (await asyncio.to_thread(post, MAX_BODY + 1)).startswith(b"HTTP/1.1 413")
    await close(listener)


async def test_a_mistake_of_the_application_is_a_500() -> None:
    async def stumble(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("a mistake")

    listener = await listen(HttpServer(stumble))
    answer = await asyncio.to_thread(exchange, listener, b"GET /help HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"a mistake" not in answer
    await close(listener)


async def test_a_mistake_after_the_answer_ends_the_connection_and_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"no"})
        raise RuntimeError("a mistake")

    listener = await listen(HttpServer(broken))
    answer = await asyncio.to_thread(exchange, listener, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nno")
    await close(listener)
    assert capsys.readouterr().out.count("session.crashed") == 1


async def test_a_store_that_does_not_answer_shows() -> None:
    async def is_ill() -> bool:
        return False

    listener = await listen(HttpServer(Site(Pages(Facts("localhost", "example.test", {}, None)), is_ill).application()))
    ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await asyncio.to_thread(exchange, listener, ask)).startswith(b"HTTP/1.1 503")
    assert (await asyncio.to_thread(exchange, listener, ask.replace(b"healthz", b"ca.pem"))).startswith(b"HTTP/1.1 404")
    await close(listener)


async def test_a_mistake_of_ours_shows_a_page_and_stands_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    async def is_well() -> bool:
        raise LookupError("a mistake")

    listener = await listen(
        HttpServer(Site(Pages(Facts("localhost", "example.test", {}, None)), is_well).application())
    )
    answer = await asyncio.to_thread(exchange, listener, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"content-security-policy" in answer
    assert b"Something went wrong (500)" in answer
    assert b"a mistake" not in answer
    await close(listener)
    assert capsys.readouterr().out.count("session.crashed") == 1
