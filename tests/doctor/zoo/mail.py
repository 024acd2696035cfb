"""Mail and web servers of the zoo: small, on threads with blocking TLS (which sends its alerts), wrong on demand."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

IMAP_OFFERS = "IMAP4rev1 SASL-IR IDLE QUOTA SPECIAL-USE AUTH=PLAIN AUTH=XOAUTH2"
SMTP_OFFERS = ("SIZE 52428800", "8BITMIME", "AUTH PLAIN LOGIN XOAUTH2")
POP_OFFERS = ("USER", "SASL PLAIN", "UIDL", "TOP")
FOLDERS = (("\\Sent", "Sent"), ("\\Trash", "Trash"), ("\\Drafts", "Drafts"), ("", "INBOX"))


class HungUp(Exception):
    """The conversation is over."""


@dataclass
class Line:
    """The server's end of one conversation."""

    sock: socket.socket
    buffer: bytes = b""

    def send(self, text: str | bytes) -> None:
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self) -> str:
        while b"\n" not in self.buffer:
            data = self.sock.recv(4096)
            if not data:
                raise HungUp
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")


@dataclass
class Mail:
    """One mail server. `replies` maps a verb (LOGIN, AUTH, MAIL, EXAMINE, …) to what it says instead of yes.

    A reply of IMAP is without its tag; "* …" lines before the last go out untagged.
    """

    protocol: str
    context: ssl.SSLContext | None = None
    """For TLS from the first byte, or behind STARTTLS."""
    is_implicit: bool = True
    greeting: bytes = b""
    offers: tuple[str, ...] | None = None
    replies: dict[str, str | bytes] = field(default_factory=dict)
    folders: tuple[tuple[str, str], ...] = FOLDERS
    hidden: tuple[str, ...] = ()
    idle_seconds: float = 60.0
    greets_after: float = 0.0
    needs_id: bool = False

    def serve(self, sock: socket.socket) -> None:
        if self.context is not None and self.is_implicit:
            sock = self.context.wrap_socket(sock, server_side=True)
        line = Line(sock)
        try:
            time.sleep(self.greets_after)
            usual = {"imap": b"* OK ready\r\n", "pop": b"+OK ready\r\n", "smtp": b"220 mail.example.test ESMTP\r\n"}
            line.send(self.greeting or usual[self.protocol])
            {"imap": self._imap, "pop": self._pop, "smtp": self._smtp}[self.protocol](line)
        finally:
            line.sock.close()

    def _offered(self, usual: tuple[str, ...], line: Line) -> list[str]:
        offers = list(self.offers if self.offers is not None else usual)
        can_upgrade = self.context is not None and not self.is_implicit and not isinstance(line.sock, ssl.SSLSocket)
        if can_upgrade and self.offers is None:
            offers.append("STLS" if self.protocol == "pop" else "STARTTLS")
            if self.protocol == "imap":
                offers.append("LOGINDISABLED")
        return offers

    def _upgrade(self, line: Line, begin: str, tag: str = "") -> None:
        if "STARTTLS" in self.replies:
            line.send(tag + _text(self.replies["STARTTLS"]) + "\r\n")
            return
        line.send(begin + "\r\n")
        assert self.context is not None
        line.sock = self.context.wrap_socket(line.sock, server_side=True)

    # IMAP

    def _imap(self, line: Line) -> None:
        identified = False
        while True:
            tag, _, rest = line.line().partition(" ")
            verb = rest.split(" ")[0].upper()
            identified = identified or verb == "ID"
            if verb == "CAPABILITY":
                line.send(f"* CAPABILITY {' '.join(self._offered(tuple(IMAP_OFFERS.split()), line))}\r\n{tag} OK\r\n")
            elif verb == "STARTTLS":
                self._upgrade(line, f"{tag} OK begin", f"{tag} ")
            elif verb == "EXAMINE" and self.needs_id and not identified:
                line.send(f"{tag} NO EXAMINE Unsafe Login. Please contact kefu@188.com for help\r\n")
            elif verb in self.replies:
                self._say(line, tag, self.replies[verb])
            elif verb == "IDLE":
                self._idle(line, tag)
            elif verb == "LOGOUT":
                line.send(f"* BYE\r\n{tag} OK\r\n")
                return
            else:
                line.send("".join(self._told(verb)) + f"{tag} OK done\r\n")

    def _say(self, line: Line, tag: str, reply: str | bytes) -> None:
        *before, last = _text(reply).split("\n")
        for each in before:
            line.send(each.encode("latin-1") + b"\r\n")
            if each.startswith("+"):
                line.line()
        line.send(f"{tag} ".encode() + last.encode("latin-1") + b"\r\n")

    def _told(self, verb: str) -> list[str]:
        if verb in ("LIST", "LSUB"):
            shown = [each for each in self.folders if verb == "LIST" or each[1] not in self.hidden]
            return [f'* {verb} ({flags}) "/" "{name}"\r\n' for flags, name in shown]
        return ["* QUOTAROOT INBOX x\r\n* QUOTA x (STORAGE 10 1000)\r\n"] if verb == "GETQUOTAROOT" else []

    def _idle(self, line: Line, tag: str) -> None:
        line.send("+ idling\r\n")
        line.sock.settimeout(self.idle_seconds)
        try:
            line.line()
        except TimeoutError:
            raise HungUp from None
        line.sock.settimeout(20)
        line.send(f"{tag} OK\r\n")

    # POP3 and SMTP

    def _pop(self, line: Line) -> None:
        while True:
            verb = line.line().split(" ")[0].upper()
            if verb == "CAPA":
                line.send("+OK\r\n" + "".join(f"{each}\r\n" for each in self._offered(POP_OFFERS, line)) + ".\r\n")
            elif verb == "STLS":
                self._upgrade(line, "+OK begin")
            elif verb in self.replies:
                line.send(_bytes(self.replies[verb]) + b"\r\n")
            else:
                line.send("+OK 0 0\r\n")

    def _smtp(self, line: Line) -> None:
        while True:
            verb = line.line().split(" ")[0].upper()
            if verb == "EHLO":
                lines = ["mail.example.test", *self._offered(SMTP_OFFERS, line)]
                line.send("".join(f"250{'-' if n < len(lines) else ' '}{each}\r\n" for n, each in enumerate(lines, 1)))
            elif verb == "STARTTLS":
                self._upgrade(line, "220 begin")
            elif verb in self.replies:
                for each in _bytes(self.replies[verb]).split(b"\n"):
                    line.send(each + b"\r\n")
                    if each.startswith(b"334"):
                        line.line()
            else:
                line.send("235 ok\r\n" if verb == "AUTH" else "250 ok\r\n")


def _text(reply: str | bytes) -> str:
    return reply.decode("latin-1") if isinstance(reply, bytes) else reply


def _bytes(reply: str | bytes) -> bytes:
    return reply.encode() if isinstance(reply, str) else reply


@dataclass
class Web:
    """One web server: (host, path without query) → (status, Content-Type, body); everything else is 404.

    The body of a 302 is where it leads.
    """

    context: ssl.SSLContext | None
    pages: dict[tuple[str, str], tuple[int, str, bytes]]
    answers_after: float = 0.0
    catch_all: tuple[int, str, bytes] | None = None

    def serve(self, sock: socket.socket) -> None:
        if self.context is not None:
            sock = self.context.wrap_socket(sock, server_side=True)
        with sock:
            line = Line(sock)
            path = line.line().split(" ")[1].partition("?")[0]
            host = ""
            length = 0
            while field := line.line():
                name, _, value = field.partition(":")
                host = value.strip() if name.lower() == "host" else host
                length = int(value) if name.lower() == "content-length" else length
            while len(line.buffer) < length:
                line.buffer += sock.recv(4096)
            time.sleep(self.answers_after)
            missing = self.catch_all or (404, "text/plain", b"no such page\n")
            status, kind, body = self.pages.get((host, path), missing)
            head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            head += f"Location: {body.decode()}\r\n" if status == 302 else ""
            line.send(head.encode() + b"\r\n" + body)


# Servers that are no servers


def closes_at_once(sock: socket.socket) -> None:
    """A proxy with nothing behind it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def cuts_handshake(sock: socket.socket) -> None:
    """A filter: it reads the ClientHello and hangs up."""
    with sock:
        sock.recv(4096)


def stays_silent(sock: socket.socket) -> None:
    """It accepts and never says a word."""
    with sock, contextlib.suppress(TimeoutError):
        while sock.recv(4096):
            pass


class Listener:
    """Accepts on a loopback port of its own, each connection on a thread; `close` ends them all."""

    def __init__(self, serve: Callable[[socket.socket], None], delay: float = 0.0) -> None:
        self._serve = serve
        self._delay = delay
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            sock.settimeout(20)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(sock)
            thread = threading.Thread(target=self._run, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket) -> None:
        time.sleep(self._delay)
        try:
            # What the client does (hanging up, refusing our certificate) ends the conversation, and no more.
            with contextlib.suppress(OSError, HungUp, ValueError):
                self._serve(sock)
        finally:
            self._open.discard(sock)
            sock.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(25)


def challenge(reason: str) -> str:
    """The server's reason in XOAUTH2."""
    return base64.b64encode(reason.encode()).decode()
