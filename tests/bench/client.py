"""The one client of the benchmark: raw sockets and as little Python as possible between two reads."""

import multiprocessing
import socket
import ssl
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

HOST = "127.0.0.1"
TAG = b"q9z7"
_LINE = 4096  # no tagged answer is longer; LOGIN tells capabilities in its own
BUFFER = bytearray(1 << 20)
VIEW = memoryview(BUFFER)
FORK = multiprocessing.get_context("fork")


def tls_context() -> ssl.SSLContext:
    """TLS 1.3 without resumption; the certificate is not checked, on either server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET
    return context


class Imap:
    """One IMAP connection: send a command, read to its tagged answer, count the octets."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, source: str = HOST) -> None:
        plain = socket.create_connection((HOST, port), timeout=60, source_address=(source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: socket.socket = plain if tls is None else tls.wrap_socket(plain)
        self.line()

    def line(self) -> bytes:
        """One line, for greetings, continuations and untagged news."""
        data = b""
        while not data.endswith(b"\r\n"):
            piece = self.socket.recv(8192)
            if not piece:
                raise ConnectionError(data)
            data += piece
        return data

    def run(self, command: bytes) -> int:
        """Send one command and return how many octets came back. Anything but OK is an error."""
        self.socket.sendall(TAG + b" " + command + b"\r\n")
        return self.finish()

    def finish(self) -> int:
        """Read to the tagged answer."""
        total = 0
        tail = b""
        receive = self.socket.recv_into
        while True:
            count = receive(VIEW)
            if not count:
                raise ConnectionError(tail)
            total += count
            tail = (tail + bytes(VIEW[max(0, count - _LINE) : count]))[-_LINE:]
            if tail.endswith(b"\r\n"):
                line = tail[tail.rfind(b"\n", 0, -2) + 1 :]
                if line.startswith(TAG):
                    if line[4:8] != b" OK ":
                        raise ConnectionError(line)
                    return total

    def answer(self, command: bytes) -> bytes:
        """Send one command and return all that came back; for what is to be looked at, not for what is measured."""
        self.socket.sendall(TAG + b" " + command + b"\r\n")
        data = b""
        while True:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise ConnectionError(data[-200:])
            data += piece
            last = data[data.rfind(b"\n", 0, -2) + 1 :]
            if data.endswith(b"\r\n") and last.startswith(TAG):
                if last[4:8] != b" OK ":
                    raise ConnectionError(last)
                return data

    def login(self, user: str, password: str) -> None:
        """Sign in with LOGIN."""
        self.run(f'LOGIN "{user}" "{password}"'.encode())

    def append(self, mailbox: str, messages: list[bytes], words: list[bytes] | None = None) -> None:
        """One APPEND (MULTIAPPEND when there are several), non-synchronising literals, one answer.

        `words` stand before each literal: flags in parentheses, a date in quotes.
        """
        pieces = [TAG + b" APPEND " + mailbox.encode()]
        for place, message in enumerate(messages):
            said = b" " + words[place] if words else b""
            pieces += [said, b" {%d+}\r\n" % len(message), message]
        pieces.append(b"\r\n")
        self.socket.sendall(b"".join(pieces))
        self.finish()

    def close(self) -> None:
        """LOGOUT and close."""
        self.run(b"LOGOUT")
        self.socket.close()


class Lmtp:
    """One LMTP connection; the envelope goes out in one packet, as Postfix sends it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies(1)
        self.socket.sendall(b"LHLO bench.example\r\n")
        self.replies(1)

    def replies(self, count: int) -> None:
        """Read `count` complete replies; a refusal is an error."""
        data = b""
        while count:
            piece = self.socket.recv(8192)
            if not piece:
                raise ConnectionError(data)
            data += piece
            *lines, data = data.split(b"\r\n")
            for line in lines:
                if line[:1] not in (b"2", b"3"):
                    raise ConnectionError(line)
                count -= line[3:4] == b" "

    def deliver(self, recipient: str, message: bytes) -> None:
        """One message to one recipient; returns when the server has answered for it."""
        self.socket.sendall(b"MAIL FROM:<seed@bench.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % recipient.encode())
        self.replies(3)
        end = b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n"
        self.socket.sendall(message.replace(b"\r\n.", b"\r\n..") + end)
        self.replies(1)

    def close(self) -> None:
        """QUIT and close."""
        self.socket.sendall(b"QUIT\r\n")
        self.replies(1)
        self.socket.close()


Load = Callable[[int], None]
Prepare = Callable[[int], Load]


def worker(index: int, prepare: Prepare, pipe: Connection, share: int) -> None:
    """Connect, say that we are ready, wait for the start, work, tell when we were done."""
    load = prepare(index)
    pipe.send("ready")
    pipe.recv()
    load(share)
    pipe.send(time.monotonic())


def together(workers: int, total: int, prepare: Prepare) -> float:
    """Operations a second when `workers` processes share `total` of them. What `prepare` does is not counted."""
    pipes, processes = [], []
    for index in range(workers):
        ours, theirs = FORK.Pipe()
        process = FORK.Process(target=worker, args=(index, prepare, theirs, total // workers), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    started = time.monotonic()
    for pipe in pipes:
        pipe.send("go")
    ended = max(float(pipe.recv()) for pipe in pipes)
    for process in processes:
        process.join()
    return total / (ended - started)
