"""A client that says whatever a test wants, and only listens to what comes back."""

import base64
import contextlib
import re
import socket
import ssl
import time

from tests.running import Account, Server

GREETED = {"imap", "pop3", "smtp", "submission", "lmtp"}


class Wire:
    """A connection to one of the server's ports; `imaps`, `pop3s` and `submissions` speak TLS first."""

    def __init__(self, server: Server, service: str, seconds: float = 10) -> None:
        self.server = server
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", server.ports[service]), timeout=seconds)
        if service.endswith("s"):
            self.start_tls()
        self.greeting = self.line() if service.removesuffix("s") in GREETED else b""

    def start_tls(self) -> None:
        """The client's half of a TLS handshake."""
        self.socket = self.server.tls().wrap_socket(self.socket, server_hostname="localhost")

    def send(self, data: bytes) -> None:
        """Send; that the server has hung up already is for the reader to notice."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.socket.sendall(data)

    def receive(self) -> bytes:
        """What comes next; b"" once the server has closed."""
        try:
            return self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return b""

    def line(self) -> bytes:
        """One line, octet by octet, so that nothing behind it is taken."""
        data = b""
        while not data.endswith(b"\n"):
            octet = self.socket.recv(1)
            if not octet:
                break
            data += octet
        return data

    def until(self, pattern: bytes) -> bytes:
        """Everything up to a match of the pattern, or up to the end of the connection."""
        data = b""
        while not re.search(pattern, data):
            piece = self.receive()
            if not piece:
                break
            data += piece
        return data

    def is_closed(self, seconds: float = 10) -> bool:
        """Whether the server ends the connection in time; what it says before is passed over."""
        self.socket.settimeout(0.2)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                if not self.socket.recv(65536):
                    return True
            except TimeoutError:
                continue
            except (ConnectionError, ssl.SSLError):
                return True
        return False

    def close(self) -> None:
        """Hang up without a word."""
        self.socket.close()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def signed_in(server: Server, account: Account, service: str) -> Wire:
    """A connection that has signed in, ready for commands."""
    wire = Wire(server, service)
    secret = base64.b64encode(f"\0{account.address}\0{account.password}".encode())
    if service == "imaps":
        wire.send(b"l AUTHENTICATE PLAIN " + secret + b"\r\n")
        assert b"l OK" in wire.until(rb"(?m)^l .*\r\n")
    elif service == "pop3s":
        wire.send(b"AUTH PLAIN " + secret + b"\r\n")
        assert wire.line().startswith(b"+OK")
    else:
        wire.send(b"EHLO torture.example\r\n")
        wire.until(rb"(?m)^250 .*\r\n")
        wire.send(b"AUTH PLAIN " + secret + b"\r\n")
        assert wire.line().startswith(b"235")
    return wire
