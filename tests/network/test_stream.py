"""Streams between real sockets: plain and in TLS, quick and slow peers, good and bad ends."""

import asyncio
import fcntl
import os
import socket
import ssl
import struct
import sys
import termios
import time
from contextlib import suppress

import pytest

from mailhost.network.dial import dial as dial_out
from mailhost.network.listener import Admission, Listener
from mailhost.network.stream import OUTBOX_BOUND, Deadlines, Stream
from mailhost.network.tls import TlsFailed
from mailhost.network.trouble import Kind, Trouble
from tests.network.loopback import Open, dial, read_all


async def test_a_line_goes_there_and_back(listen: Open) -> None:
    listener = await listen()

    def talk() -> bytes:
        with dial(listener) as client:
            client.sendall(b"hello\r\n")
            return client.recv(100)

    assert await asyncio.to_thread(talk) == b"hello\r\n"


async def test_tls_tells_version_cipher_and_name(
    listen: Open, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def tell(stream: Stream) -> None:
        assert stream.tls is not None
        await stream.write(f"{stream.tls.version} {stream.tls.server_name}".encode())

    listener = await listen(tell, context=server_tls)

    def talk() -> bytes:
        with client_tls.wrap_socket(dial(listener), server_hostname="imap.example.test") as client:
            return read_all(client)

    assert await asyncio.to_thread(talk) == b"TLSv1.3 imap.example.test"


async def test_first_words_in_one_packet_with_the_handshake_are_heard(
    listen: Open, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    listener = await listen(context=server_tls)

    def talk() -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_tls.wrap_bio(incoming, outgoing, server_hostname="example.test")
        with dial(listener) as client:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    client.sendall(outgoing.read())
                    incoming.write(client.recv(65536))
            tls.write(b"at once")
            client.sendall(outgoing.read())  # the end of the handshake, and the words
            while True:
                try:
                    return tls.read(100)
                except ssl.SSLWantReadError:
                    incoming.write(client.recv(65536))

    assert await asyncio.to_thread(talk) == b"at once"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
async def test_a_client_of_old_gets_an_alert_and_the_reason_is_kept(listen: Open, server_tls: ssl.SSLContext) -> None:
    told: list[Trouble] = []
    listener = await listen(context=server_tls, admission=Admission(per_address=10, in_all=10, tell=told.append))

    def talk() -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError) as caught, dial(listener) as plain:
            context.wrap_socket(plain)
        return str(caught.value.reason)

    assert await asyncio.to_thread(talk) == "TLSV1_ALERT_PROTOCOL_VERSION"
    assert [(one.peer, one.detail, one.offered) for one in told] == [("127.0.0.1", "UNSUPPORTED_PROTOCOL", "TLSv1.1")]


async def test_a_client_that_distrusts_us_is_told_of(listen: Open, server_tls: ssl.SSLContext) -> None:
    told: list[Trouble] = []
    admission = Admission(per_address=10, in_all=10, tell=told.append)
    ended = asyncio.Event()

    async def wait_for_end(stream: Stream) -> None:
        assert await stream.read(10) == b""
        ended.set()

    listener = await listen(wait_for_end, context=server_tls, admission=admission)

    def talk() -> None:
        context = ssl.create_default_context(cafile=None)
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # TLS 1.3 clients find out after our side of the handshake
        with pytest.raises(ssl.SSLCertVerificationError), dial(listener) as plain:
            context.wrap_socket(plain, server_hostname="localhost")

    await asyncio.to_thread(talk)
    assert [(one.peer, one.detail) for one in told] == [("127.0.0.1", "TLSV1_ALERT_UNKNOWN_CA")]


async def test_plain_text_pipelined_behind_starttls_is_thrown_away(
    listen: Open, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def upgrade(stream: Stream) -> None:
        assert await stream.read(10) == b"a STARTTLS\r\n"
        await asyncio.sleep(0.1)  # the next segment is in the inbox by now
        await stream.start_tls(server_tls, b"a OK\r\n")
        await stream.write(await stream.read(10) or b"nothing")

    listener = await listen(upgrade)

    def talk() -> bytes:
        with dial(listener) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.sendall(b"a STARTTLS\r\n")
            time.sleep(0.03)
            plain.sendall(b"b NOOP\r\n")
            assert plain.recv(100) == b"a OK\r\n"
            with client_tls.wrap_socket(plain, server_hostname="localhost") as client:
                client.sendall(b"c NOOP\r\n")
                return read_all(client)

    assert await asyncio.to_thread(talk) == b"c NOOP\r\n"


async def test_starttls_that_fails_ends_the_session(listen: Open, server_tls: ssl.SSLContext) -> None:
    reasons: list[str] = []

    async def upgrade(stream: Stream) -> None:
        await stream.read(10)
        with pytest.raises(TlsFailed) as caught:
            await stream.start_tls(server_tls, b"OK\r\n")
        reasons.append(str(caught.value))

    listener = await listen(upgrade)

    def talk() -> bytes:
        with dial(listener) as client:
            client.sendall(b"STARTTLS\r\n")
            assert client.recv(100) == b"OK\r\n"
            client.sendall(b"this is no TLS\r\n")
            return read_all(client)

    assert await asyncio.to_thread(talk) == b""
    assert reasons == ["WRONG_VERSION_NUMBER"]


@pytest.mark.parametrize("hello", [b"", b"\x16", b"\x16\x03\x01\x02\x00"])
async def test_a_slow_handshake_is_cut(listen: Open, server_tls: ssl.SSLContext, hello: bytes) -> None:
    told: list[Trouble] = []
    admission = Admission(per_address=10, in_all=10, tell=told.append)
    listener = await listen(context=server_tls, admission=admission, deadlines=Deadlines(handshake=0.2, close=0.2))

    def talk() -> bytes:
        with dial(listener) as client:
            client.sendall(hello)
            return read_all(client)

    answer = await asyncio.to_thread(talk)
    assert answer.startswith(b"* BYE This port expects TLS") if not hello else answer == b""
    expected = (Kind.FAILED, "HANDSHAKE_TIMEOUT") if hello else (Kind.MISDIRECTED, "nothing")
    assert [(one.kind, one.detail) for one in told] == [expected]


async def test_half_a_close_still_gets_its_answers(listen: Open) -> None:
    async def answer_at_the_end(stream: Stream) -> None:
        heard = b""
        while data := await stream.read(10):
            heard += data
        await stream.write(heard.upper())

    listener = await listen(answer_at_the_end)

    def talk() -> bytes:
        with dial(listener) as client:
            client.sendall(b"half")
            client.shutdown(socket.SHUT_WR)
            return read_all(client)

    assert await asyncio.to_thread(talk) == b"HALF"


@pytest.mark.parametrize("in_tls", [False, True])
async def test_a_megabyte_echoes_through_small_buffers(
    listen: Open, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, in_tls: bool
) -> None:
    most = 0

    async def watch(stream: Stream) -> None:
        nonlocal most
        while data := await stream.read(30):
            most = max(most, len(data))
            await stream.write(data)

    listener = await listen(watch, context=server_tls if in_tls else None)
    sent = b"no other protocol begins like this" + os.urandom(1 << 20)

    def talk() -> bytes:
        client = dial(listener)
        if in_tls:
            client = client_tls.wrap_socket(client, server_hostname="localhost")
        got = bytearray()
        with client:
            for start in range(0, len(sent), 32768):
                client.sendall(sent[start : start + 32768])
                while len(got) < start:
                    got += client.recv(65536)
            while len(got) < len(sent):
                got += client.recv(65536)
        return bytes(got)

    assert await asyncio.to_thread(talk) == sent
    assert most < 2 * 65536


async def test_writes_wait_for_a_peer_that_does_not_read_and_then_give_up(listen: Open) -> None:
    written = 0
    failure: list[Exception] = []
    opened: list[bool] = []

    async def pour(stream: Stream) -> None:
        nonlocal written
        try:
            while True:
                await stream.write(bytes(16384))
                written += 16384
        except ConnectionError as error:
            failure.append(error)
            opened.append(stream.is_open)

    listener = await listen(pour, deadlines=Deadlines(write=0.3))

    def talk() -> None:
        with dial(listener) as client:
            time.sleep(1)
            client.recv(1)

    await asyncio.to_thread(talk)
    assert [str(error) for error in failure] == ["the peer does not read"]
    assert opened == [False]  # it was cut off, though it may read on
    assert written < OUTBOX_BOUND + 16 * (1 << 20)  # our bound and what the kernel's buffers of both sides take


async def test_a_peer_that_does_not_read_is_not_read_either(listen: Open) -> None:
    """Else it could have us answer without end, to key updates of TLS say, and keep all of that in memory."""
    streams: list[Stream] = []

    async def pour(stream: Stream) -> None:
        streams.append(stream)
        with suppress(ConnectionError):
            while True:
                await stream.write(bytes(16384))

    listener = await listen(pour, deadlines=Deadlines(write=2))

    def talk() -> int:
        with dial(listener) as client:
            time.sleep(0.5)  # by now nothing more fits on the way to us
            client.sendall(bytes(1000))
            time.sleep(0.2)
            unread = fcntl.ioctl(streams[0].socket.fileno(), termios.FIONREAD, bytes(4))
            return int.from_bytes(unread, sys.byteorder)

    assert await asyncio.to_thread(talk) == 1000


async def test_reading_stops_while_nobody_reads(listen: Open) -> None:
    go_on, done = asyncio.Event(), asyncio.Event()
    heard: list[int] = []

    async def sleep_then_read(stream: Stream) -> None:
        await go_on.wait()
        while data := await stream.read(10):
            heard.append(len(data))
        done.set()

    listener = await listen(sleep_then_read)
    size = 32 << 20

    def talk() -> int:
        with dial(listener) as client:
            client.settimeout(0.3)
            sent = 0
            try:
                while sent < size:
                    sent += client.send(bytes(65536))
            except TimeoutError:
                pass
            return sent

    sent = await asyncio.to_thread(talk)
    go_on.set()
    await done.wait()
    assert sum(heard) == sent
    assert sent < size
    assert max(heard) <= 2 * 65536


async def test_interrupt_wakes_a_read_and_loses_nothing(listen: Open) -> None:
    seen: list[bytes | None] = []
    streams: list[Stream] = []

    async def note(stream: Stream) -> None:
        streams.append(stream)
        while (data := await stream.read(10)) != b"":
            seen.append(data)
            await stream.write(b"!")

    listener = await listen(note)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"one")
    await reader.readexactly(1)
    streams[0].interrupt()
    await reader.readexactly(1)
    streams[0].interrupt()
    streams[0].interrupt()
    writer.write(b"two")
    await reader.readexactly(2)
    writer.close()
    await writer.wait_closed()
    assert seen == [b"one", None, None, b"two"]


async def test_a_read_ends_after_its_time_and_the_stream_lives_on(listen: Open) -> None:
    waits: list[float] = []

    async def be_impatient(stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        for seconds in (5.0, 0.2, 0.1):
            began = loop.time()
            if seconds == 5.0:
                assert await stream.read(seconds) == b"first"
                continue
            with pytest.raises(TimeoutError):
                await stream.read(seconds)
            waits.append(loop.time() - began)
        await stream.write(b"bye")

    listener = await listen(be_impatient)

    def talk() -> bytes:
        with dial(listener) as client:
            client.sendall(b"first")
            return read_all(client)

    assert await asyncio.to_thread(talk) == b"bye"
    assert 0.15 < waits[0] < 2
    assert 0.05 < waits[1] < 2


async def test_last_words_arrive_although_the_peer_was_still_talking(listen: Open) -> None:
    async def hang_up(stream: Stream) -> None:
        await stream.read(10)
        await stream.write(b"* BYE enough\r\n")

    listener = await listen(hang_up)

    def talk() -> bytes:
        with dial(listener) as client:
            client.sendall(bytes(100_000))
            time.sleep(0.2)
            return read_all(client)

    assert await asyncio.to_thread(talk) == b"* BYE enough\r\n"


async def test_tls_ends_with_a_close_notify(
    listen: Open, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def leave(stream: Stream) -> None:
        await stream.write(b"bye")

    listener = await listen(leave, context=server_tls)

    def talk() -> bytes:
        client_tls.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        with client_tls.wrap_socket(dial(listener), server_hostname="localhost", suppress_ragged_eofs=False) as client:
            return read_all(client)  # raises when the TCP connection ends without the close_notify

    assert await asyncio.to_thread(talk) == b"bye"


async def test_many_idle_connections_stand_side_by_side(
    listen: Open, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    listener = await listen(context=server_tls)
    pairs = await asyncio.gather(
        *(
            asyncio.open_connection("127.0.0.1", listener.port, ssl=client_tls, server_hostname="localhost")
            for _ in range(60)
        )
    )
    for number, (_, writer) in enumerate(pairs):
        writer.write(f"{number}\n".encode())
    assert [int(await reader.readline()) for reader, _ in pairs] == list(range(60))
    for _, writer in pairs:
        writer.transport.abort()


async def test_a_client_stream_checks_the_name(
    listen: Open, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    listener = await listen(context=server_tls)
    stream = await dial_out("127.0.0.1", listener.port, client_tls, server_name="localhost")
    await stream.write(b"x" * 100_000)
    got = 0
    while got < 100_000:
        got += len(await stream.read(10) or b"")
    await stream.close()
    with pytest.raises(TlsFailed, match="match"):
        await dial_out("127.0.0.1", listener.port, client_tls, server_name="other.test")
    listener.stop()
    with pytest.raises(ConnectionError):
        await dial_out("127.0.0.1", listener.port)


async def test_a_reset_at_any_moment_is_an_end_like_any_other(listen: Open, capsys: pytest.CaptureFixture[str]) -> None:
    async def talk_much(stream: Stream) -> None:
        await stream.read(10)
        while True:
            await stream.write(bytes(10_000))

    async def talk_once(stream: Stream) -> None:
        await stream.read(10)
        await asyncio.sleep(0.05)
        await stream.write(b"bye")

    async def listen_only(stream: Stream) -> None:
        while await stream.read(10):
            pass

    def reset(listener: Listener) -> None:
        for pause in (0.0, 0.001, 0.06):
            with dial(listener) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(b"x")
                time.sleep(pause)

    for handler in (talk_much, talk_once, listen_only):
        listener = await listen(handler)
        await asyncio.to_thread(reset, listener)
        listener.stop()
        await listener.drain(2)
    assert "crashed" not in capsys.readouterr().out


@pytest.mark.parametrize("says_goodbye", [True, False])
async def test_an_end_of_tls_without_goodbye_is_a_cut(
    listen: Open, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, says_goodbye: bool
) -> None:
    seen: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def look(stream: Stream) -> None:
        while await stream.read(10):
            assert not stream.was_cut
        seen.set_result(stream.was_cut)

    listener = await listen(look, context=server_tls)

    def talk() -> None:
        with client_tls.wrap_socket(dial(listener), server_hostname="localhost") as client:
            client.sendall(b"then gone")
            if says_goodbye:
                with suppress(OSError):
                    client.unwrap()

    await asyncio.to_thread(talk)
    async with asyncio.timeout(10):
        assert await seen is not says_goodbye
