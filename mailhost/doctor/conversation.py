"""What the doctor says in IMAP, POP3 and SMTP, and what it hears; one way of asking for all three."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mailhost.doctor.messages import decode_reply
from mailhost.doctor.targets import Protocol
from mailhost.doctor.wire import Closed, Wire

_MAX_LINES: Final = 2000
_SIGNS: Final = (
    ("TLS", re.compile(rb"[\x14-\x17]\x03[\x00-\x04]", re.DOTALL)),
    ("IMAP", re.compile(rb"\* (?:OK|PREAUTH|BYE|NO|BAD)", re.IGNORECASE)),
    ("POP3", re.compile(rb"\+OK|-ERR", re.IGNORECASE)),
    ("FTP", re.compile(rb"220[ -][^\r\n]*FTP", re.IGNORECASE)),
    ("SMTP", re.compile(rb"[245][0-9][0-9][ -]")),
    ("HTTP", re.compile(rb"HTTP/|<html|<!doctype", re.IGNORECASE)),
    ("SSH", re.compile(rb"SSH-")),
)
_NAMES: Final = {Protocol.IMAP: "IMAP", Protocol.POP: "POP3", Protocol.SMTP: "SMTP"}
HELLO_NAME: Final = "mailhost-doctor.invalid"


def identify(first: bytes) -> str:
    """The protocol that these first bytes belong to, or an empty text."""
    return next((name for name, sign in _SIGNS if sign.match(first)), "")


def is_of(protocol: Protocol, first: bytes) -> bool:
    """Whether a server's first bytes belong to the protocol."""
    return identify(first) == _NAMES[protocol]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply: whether it is a yes, and its lines."""

    is_ok: bool
    lines: tuple[str, ...]

    @property
    def last(self) -> str:
        """The line that decides, with those before it where SMTP says one thing in several."""
        return self.lines[-1] if self.lines else ""

    @property
    def text(self) -> str:
        """Everything, on one line."""
        return " ".join(self.lines)


class Conversation:
    """One dialogue over a wire, from the greeting on. Every method raises Silent, Closed, HandshakeFailed."""

    def __init__(self, wire: Wire, protocol: Protocol, seconds: float) -> None:
        self.wire = wire
        self.protocol = protocol
        self._seconds = seconds
        self._tag = 0

    async def greeting(self, seconds: float) -> Reply:
        """The first thing that the server says; `wire.first` has its bytes, whatever they are."""
        line = await self.wire.read_line(seconds)
        lines = [decode_reply(line)]
        if self.protocol is Protocol.SMTP and re.match(rb"[0-9]{3}-", line):
            lines += await self._rest_of_smtp()
        is_ok = line[:4].upper() in (b"* OK", b"* PR", b"220 ", b"220-") or line[:3] == b"+OK" or line == b"220"
        return Reply(is_ok, tuple(lines))

    async def capabilities(self) -> tuple[Reply, frozenset[str]]:
        """What the server offers, in one spelling: STARTTLS, LOGINDISABLED, AUTH=PLAIN, SIZE=n …"""
        if self.protocol is Protocol.IMAP:
            reply = await self.command("CAPABILITY")
            words = [word for line in reply.lines if line[:12].upper() == "* CAPABILITY" for word in line.split()[2:]]
            return reply, frozenset(word.upper() for word in words)
        if self.protocol is Protocol.POP:
            reply = await self.command("CAPA", is_long=True)
            return reply, _offered(reply.lines[1:], {"STLS": "STARTTLS"})
        reply = await self.command(f"EHLO {HELLO_NAME}")
        return reply, _offered(tuple(line[4:] for line in reply.lines[1:]), {})

    async def begin_tls(self) -> Reply:
        """Ask for STARTTLS; the handshake is the caller's."""
        return await self.command("STLS" if self.protocol is Protocol.POP else "STARTTLS")

    async def command(self, text: str, *, is_long: bool = False) -> Reply:
        """One command; `is_long` for POP3 answers that end with a dot."""
        if self.protocol is Protocol.IMAP:
            self._tag += 1
            await self.wire.write(f"d{self._tag} {text}\r\n".encode())
            return await self._imap_reply()
        await self.wire.write(f"{text}\r\n".encode())
        if self.protocol is Protocol.POP:
            return await self._pop_reply(is_long=is_long)
        return await self.smtp_reply()

    async def say(self, text: str) -> Reply:
        """A line inside a command (a SASL answer), and the reply."""
        await self.wire.write(f"{text}\r\n".encode())
        if self.protocol is Protocol.IMAP:
            return await self._imap_reply()
        return await (self._pop_reply(is_long=False) if self.protocol is Protocol.POP else self.smtp_reply())

    async def _imap_reply(self) -> Reply:
        tag = f"d{self._tag} "
        lines: list[str] = []
        while len(lines) < _MAX_LINES:
            line = decode_reply(await self.wire.read_line(self._seconds))
            lines.append(line)
            if line.startswith(tag):
                return Reply(line[len(tag) :].upper().startswith("OK"), tuple(lines))
            if line.startswith("+"):
                return Reply(True, tuple(lines))
            if line[:5].upper() == "* BYE":
                return Reply(False, tuple(lines))
        raise Closed("the server's answer has no end")

    async def _pop_reply(self, *, is_long: bool) -> Reply:
        lines = [decode_reply(await self.wire.read_line(self._seconds))]
        is_ok = lines[0].startswith("+")
        while is_ok and is_long and len(lines) < _MAX_LINES:
            line = decode_reply(await self.wire.read_line(self._seconds))
            if line == ".":
                break
            lines.append(line)
        return Reply(is_ok, tuple(lines))

    async def smtp_reply(self) -> Reply:
        """The next whole reply of SMTP."""
        lines = await self._rest_of_smtp()
        return Reply(lines[-1][:1] in ("2", "3"), tuple(lines))

    async def _rest_of_smtp(self) -> list[str]:
        lines: list[str] = []
        while len(lines) < _MAX_LINES:
            lines.append(decode_reply(await self.wire.read_line(self._seconds)))
            if lines[-1][3:4] != "-":
                return lines
        raise Closed("the server's answer has no end")


def _offered(lines: tuple[str, ...], spellings: dict[str, str]) -> frozenset[str]:
    """Keywords with parameters as `AUTH=PLAIN`; `AUTH`, `AUTH=` and `SASL` list mechanisms."""
    found: set[str] = set()
    for line in lines:
        name, *values = line.upper().replace("AUTH=", "AUTH ").split() or [""]
        name = spellings.get(name, name)
        if name in ("AUTH", "SASL"):
            found.update(f"AUTH={value}" for value in values)
        found.add(f"{name}={values[0]}" if name == "SIZE" and values else name)
    return frozenset(found)


def mechanisms(offered: frozenset[str]) -> frozenset[str]:
    """The ways of sign-in that are offered by name, such as PLAIN."""
    return frozenset(word[5:] for word in offered if word.startswith("AUTH="))
