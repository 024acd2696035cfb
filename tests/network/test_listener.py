"""Who is let in, who is turned away and with which words, and how it ends."""

import asyncio
import ipaddress
import resource
import socket
import ssl
import subprocess
import sys

import pytest

from mailhost.network.addresses import household
from mailhost.network.listener import Admission, CannotListen, Listener
from mailhost.network.misdirected import Service
from mailhost.network.stream import Stream
from mailhost.network.trouble import Kind, Trouble
from tests.network.loopback import Open, dial, echo, read_all


def ask(listener: Listener, first: bytes) -> bytes:
    with dial(listener) as client:
        client.sendall(first)
        return read_all(client)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (Service.IMAP, b"* BYE This port expects TLS"),
        (Service.POP3, b"-ERR This port expects TLS"),
        (Service.SMTP, b"421 4.3.2 This port expects TLS"),
        (
            Service.HTTP,
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
            b"This port expects TLS from the first byte. Open it with https://",
        ),
    ],
)
async def test_plain_text_on_a_tls_port_is_answered_in_words(
    listen: Open, server_tls: ssl.SSLContext, service: Service, words: bytes
) -> None:
    told: list[Trouble] = []
    admission = Admission(per_address=10, in_all=10, tell=told.append)
    listener = await listen(service=service, context=server_tls, admission=admission)
    answer = await asyncio.to_thread(ask, listener, b"hello\r\n")
    assert answer.startswith(words)
    assert answer.endswith(b"\r\n")
    assert [(one.kind, one.service, one.peer, one.detail) for one in told] == [
        (Kind.MISDIRECTED, service, "127.0.0.1", "plaintext")
    ]


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (Service.IMAP, b"* BYE This port begins without TLS"),
        (Service.POP3, b"-ERR This port begins without TLS"),
        (Service.SMTP, b"421 4.3.2 This port begins without TLS"),
        (
            Service.HTTP,
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
            b"This port begins without TLS. Open it with http://",
        ),
    ],
)
async def test_tls_on_a_plain_port_is_answered_in_words(listen: Open, service: Service, words: bytes) -> None:
    listener = await listen(service=service)

    def talk() -> bytes:
        hello = ssl.MemoryBIO()
        tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        return ask(listener, hello.read())

    assert (await asyncio.to_thread(talk)).startswith(words)


@pytest.mark.parametrize(
    ("service", "first", "words"),
    [
        (Service.IMAP, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"* BYE This port speaks IMAP, and you speak HTTP"),
        (Service.IMAP, b"EHLO me\r\n", b"* BYE This port speaks IMAP, and you speak SMTP"),
        (Service.IMAP, b"USER otto\r\n", b"* BYE This port speaks IMAP, and you speak POP3"),
        (Service.POP3, b"A1 LOGIN otto x\r\n", b"-ERR This port speaks POP3, and you speak IMAP"),
        (Service.SMTP, b"POST /x HTTP/1.1\r\n\r\n", b"421 4.3.2 This port speaks SMTP, and you speak HTTP"),
    ],
)
async def test_another_protocol_is_answered_in_words(
    listen: Open, service: Service, first: bytes, words: bytes
) -> None:
    listener = await listen(service=service)
    assert (await asyncio.to_thread(ask, listener, first)).startswith(words)


@pytest.mark.parametrize("first", [b"EHLO login.example.test\r\n", b"EHLO ID\r\n", b"HELO capability\r\n", b"QUIT\r\n"])
async def test_right_first_words_pass(listen: Open, first: bytes) -> None:
    listener = await listen(service=Service.SMTP)

    def talk() -> bytes:
        with dial(listener) as client:
            client.sendall(first)
            return client.recv(100)

    assert await asyncio.to_thread(talk) == first


async def test_one_connection_too_many_is_told_so_and_the_others_live(listen: Open) -> None:
    listener = await listen(admission=Admission(per_address=2, in_all=10))

    def talk() -> tuple[bytes, bytes]:
        with dial(listener) as first, dial(listener) as second:
            for client in (first, second):
                client.sendall(b"x")
                assert client.recv(1) == b"x"
            with dial(listener) as third:
                refused = read_all(third)
            first.sendall(b"still here")
            return refused, first.recv(100)

    refused, alive = await asyncio.to_thread(talk)
    assert refused.startswith(b"* BYE Too many connections from your address")
    assert alive == b"still here"
    assert await asyncio.to_thread(ask_once, listener) == b"again"  # their places are free again


def ask_once(listener: Listener) -> bytes:
    with dial(listener) as client:
        client.sendall(b"again")
        return client.recv(100)


async def test_beyond_the_total_connections_are_dropped(listen: Open) -> None:
    admission = Admission(per_address=10, in_all=1)
    listener = await listen(admission=admission)

    def talk() -> bytes:
        with dial(listener) as first:
            first.sendall(b"x")
            first.recv(1)
            with dial(listener) as second:
                try:
                    return read_all(second)
                except ConnectionResetError:
                    return b""

    assert await asyncio.to_thread(talk) == b""
    assert await asyncio.to_thread(ask_once, listener) == b"again"


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 203.0.113.7 203.0.113.1 5000 993\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\x00\x71\x07\xcb\x00\x71\x01\x13\x88\x03\xe1",
    ],
)
async def test_a_trusted_proxy_says_for_whom_it_speaks(
    listen: Open, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, header: bytes
) -> None:
    async def tell(stream: Stream) -> None:
        await stream.write(f"{stream.peer} {stream.local}".encode())

    admission = Admission(per_address=10, in_all=10, proxies=[ipaddress.ip_network("127.0.0.0/8")])
    listener = await listen(tell, context=server_tls, admission=admission)

    def talk() -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_tls.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with dial(listener) as client:
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            client.sendall(header + outgoing.read())  # in one segment: the hello must not get lost
            while True:
                try:
                    tls.do_handshake()
                    client.sendall(outgoing.read())
                    return tls.read(1000)
                except ssl.SSLWantReadError:
                    client.sendall(outgoing.read())
                    incoming.write(client.recv(65536))

    assert await asyncio.to_thread(talk) == b"('203.0.113.7', 5000) ('203.0.113.1', 993)"


async def test_a_proxy_header_from_anybody_else_is_not_believed(listen: Open) -> None:
    listener = await listen(
        admission=Admission(per_address=10, in_all=10, proxies=[ipaddress.ip_network("192.0.2.0/24")])
    )

    def talk() -> bytes:
        with dial(listener) as client:
            client.sendall(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n")
            return client.recv(100)

    assert (await asyncio.to_thread(talk)).startswith(b"PROXY")  # it is what the service gets to see


async def test_a_proxy_without_its_header_is_cut(listen: Open) -> None:
    told: list[Trouble] = []
    proxies = [ipaddress.ip_network("127.0.0.1/32")]
    listener = await listen(admission=Admission(per_address=10, in_all=10, proxies=proxies, tell=told.append))
    assert await asyncio.to_thread(ask, listener, b"a LOGIN x y\r\n") == b""
    assert [(one.peer, one.detail) for one in told] == [("127.0.0.1", "PROXY_MALFORMED")]


async def test_a_mistake_of_ours_ends_one_session_alone(listen: Open) -> None:
    async def stumble(stream: Stream) -> None:
        while data := await stream.read(10):
            if data == b"stumble":
                raise LookupError("a mistake")
            await stream.write(data)

    listener = await listen(stumble)

    def talk() -> bytes:
        with dial(listener) as other:
            with dial(listener) as client:
                client.sendall(b"stumble")
                assert client.recv(100) == b""
            other.sendall(b"fine")
            return other.recv(100)

    assert await asyncio.to_thread(talk) == b"fine"


async def test_draining_lets_sessions_say_goodbye(listen: Open) -> None:
    async def leave_politely(stream: Stream) -> None:
        await stream.write(b"hello")
        while (data := await stream.read(30)) != b"":
            if data is None and stream.draining:
                await stream.write(b"* BYE")
                return

    listener = await listen(leave_politely)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert await reader.readexactly(5) == b"hello"
    listener.stop()
    draining = asyncio.create_task(listener.drain(10))
    assert await reader.read() == b"* BYE"
    writer.close()
    await writer.wait_closed()
    await draining
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", listener.port)


async def test_draining_ends_those_that_do_not_leave(listen: Open) -> None:
    async def stay(stream: Stream) -> None:
        await stream.write(b"hello")
        await asyncio.sleep(3600)

    listener = await listen(stay)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert await reader.readexactly(5) == b"hello"
    listener.stop()
    await asyncio.wait_for(listener.drain(0.1), 10)
    assert await reader.read() == b""
    writer.close()


async def test_a_busy_port_is_said_in_one_sentence(listen: Open) -> None:
    first = await listen()
    second = Listener(Service.IMAP, echo, Admission(per_address=1, in_all=1))
    with pytest.raises(CannotListen, match=r"another program uses it\. "):
        await second.open(["127.0.0.1"], first.port)


async def test_an_absent_ipv6_is_no_harm() -> None:
    listener = Listener(Service.IMAP, echo, Admission(per_address=1, in_all=1))
    await listener.open(["127.0.0.1", "2001:db8::1"], 0)
    assert listener.port > 0
    listener.stop()
    await listener.drain(0)
    with pytest.raises(CannotListen, match="does not have that address"):
        await listener.open(["2001:db8::1"], 0)


async def test_both_families_get_the_same_port() -> None:
    listener = Listener(Service.IMAP, echo, Admission(per_address=5, in_all=5))
    await listener.open(["127.0.0.1", "::1"], 0)
    families = [socket.AF_INET] + ([socket.AF_INET6] if socket.has_ipv6 and _has_loopback6() else [])
    for family in families:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            host = "127.0.0.1" if family is socket.AF_INET else "::1"
            await asyncio.get_running_loop().sock_connect(client, (host, listener.port))
    listener.stop()
    await listener.drain(0)


def _has_loopback6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_an_ipv6_household_counts_as_one_address() -> None:
    assert household("2001:db8::1") == household("2001:db8::ffff:1")
    assert household("2001:db8::1") != household("2001:db8:0:1::1")
    assert household("192.0.2.1") == "192.0.2.1"


STARVED = """
import asyncio, resource, socket, sys
from mailhost import observe
from mailhost.network.addresses import household
from mailhost.network.listener import Admission, Listener
from mailhost.network.misdirected import Service
from tests.network.loopback import echo

async def main():
    observe.configure()
    listener = Listener(Service.IMAP, echo, Admission(per_address=999, in_all=999))
    await listener.open(["127.0.0.1"], 0)
    print(listener.port, flush=True)
    await asyncio.to_thread(sys.stdin.readline)

if sys.argv[1] == "uvloop":
    import uvloop
    loop = uvloop.new_event_loop()
else:
    loop = asyncio.new_event_loop()
loop.run_until_complete(asyncio.sleep(0))
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
loop.run_until_complete(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_running_out_of_files_is_survived(loop: str) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 200
    command = [sys.executable, "-c", STARVED, loop]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(60)]
        for client in clients:
            client.close()
        for _ in range(50):  # asyncio takes a second off after running out
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                    client.sendall(b"alive")
                    if client.recv(5) == b"alive":
                        break
            except ConnectionError:
                continue
        else:
            pytest.fail("the server does not accept any more")
        server.communicate("\n", timeout=10)
