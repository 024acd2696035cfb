"""Names: DNS asked directly, so that it is known how a question failed, with any name server that is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from dataclasses import dataclass
from enum import Enum
from typing import Final

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver

_TRY_SECONDS: Final = 1.5
_TRIES: Final = 2
_LONGEST_SECONDS: Final = 4.0  # for one question, however many name servers are silent
_HOSTS_FILE_SECONDS: Final = 2.0
_MAX_ADDRESSES: Final = 2  # of each family that are looked at


class Status(Enum):
    """How a question to DNS ended."""

    FOUND = "found"
    NO_DATA = "the name exists, but not with this record"
    NO_NAME = "NXDOMAIN: the name does not exist"
    FAILED = "SERVFAIL: its name servers fail"
    BOGUS = "SERVFAIL: its signatures (DNSSEC) do not hold"
    UNREACHABLE = "no name server answers"


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS said: the records as text, those behind an alias (CNAME) too."""

    name: str
    kind: str
    status: Status
    records: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = ", ".join(self.records[:4]) or self.status.value
        return f"DNS {self.name} {self.kind}: {said}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a host is, and what DNS said about it."""

    host: str
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]
    answers: tuple[Answer, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every address that is looked at, IPv4 first."""
        return self.ipv4[:_MAX_ADDRESSES] + self.ipv6[:_MAX_ADDRESSES]


class Resolver:
    """Asks name servers; remembers each answer for the length of a diagnosis."""

    def __init__(
        self, servers: tuple[tuple[str, int], ...] | None = None, *, try_seconds: float = _TRY_SECONDS
    ) -> None:
        """`servers` are (address, port); None takes those of the system, and its hosts file."""
        self._uses_system = servers is None
        self._servers = _system_servers() if servers is None else servers
        self._try_seconds = try_seconds
        self._asked: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    async def query(self, name: str, kind: str) -> Answer:
        """What DNS says of a name; failures are statuses, never exceptions."""
        key = (name.lower().removesuffix("."), kind)
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(*key))
        return await asyncio.shield(task)

    async def addresses(self, host: str) -> Addresses:
        """The addresses of a host, a literal one included."""
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            return Addresses(host, (host,), ()) if literal.version == 4 else Addresses(host, (), (host,))
        if "." not in host:  # localhost, and names of the local network
            return await self._from_system(host, ())
        ipv4, ipv6 = await asyncio.gather(self.query(host, "A"), self.query(host, "AAAA"))
        if self._uses_system and not ipv4.records and not ipv6.records and ipv4.status is not Status.UNREACHABLE:
            return await self._from_system(host, (ipv4, ipv6))
        return Addresses(host, ipv4.records, ipv6.records, (ipv4, ipv6))

    async def close(self) -> None:
        """Stop asking."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _from_system(self, host: str, answers: tuple[Answer, ...]) -> Addresses:
        """What programs on this machine see: its hosts file counts, too."""
        try:
            async with asyncio.timeout(_HOSTS_FILE_SECONDS):
                rows = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError):
            answers = answers or (Answer(host, "A", Status.NO_NAME), Answer(host, "AAAA", Status.NO_NAME))
            return Addresses(host, (), (), answers)
        found = list(dict.fromkeys(str(row[4][0]) for row in rows))
        return Addresses(
            host,
            tuple(each for each in found if ":" not in each),
            tuple(each for each in found if ":" in each),
            answers,
        )

    async def _ask(self, name: str, kind: str) -> Answer:
        try:
            question = dns.message.make_query(name, kind, use_edns=0, want_dnssec=False)
        except (dns.exception.DNSException, UnicodeError):
            return Answer(name, kind, Status.NO_NAME)
        reply = await self._send(question)
        if reply is None:
            return Answer(name, kind, Status.UNREACHABLE)
        if reply.rcode() == dns.rcode.NXDOMAIN:
            return Answer(name, kind, Status.NO_NAME)
        if reply.rcode() != dns.rcode.NOERROR:
            question.flags |= dns.flags.CD  # "do not check": a reply now means that the signatures are at fault
            unchecked = await self._send(question)
            is_bogus = unchecked is not None and unchecked.rcode() == dns.rcode.NOERROR
            return Answer(name, kind, Status.BOGUS if is_bogus else Status.FAILED)
        wanted = dns.rdatatype.from_text(kind)
        records = [_text(rdata, kind) for rrset in reply.answer if rrset.rdtype == wanted for rdata in rrset]
        if not records:
            return Answer(name, kind, Status.NO_DATA)
        return Answer(name, kind, Status.FOUND, tuple(sorted(records)))

    async def _send(self, question: dns.message.Message) -> dns.message.Message | None:
        """The first reply of any server; None when none of them gives one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_SECONDS):
                for address, port in self._servers * _TRIES:
                    with contextlib.suppress(dns.exception.DNSException, OSError, EOFError):
                        reply, _ = await dns.asyncquery.udp_with_fallback(
                            question, address, timeout=self._try_seconds, port=port, ignore_unexpected=True
                        )
                        return reply
        return None


def _system_servers() -> tuple[tuple[str, int], ...]:
    try:
        system = dns.resolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        return ()
    return tuple((str(each), 53) for each in system.nameservers)


def _text(rdata: object, kind: str) -> str:
    """A record as text: TXT joined and without quotes, names without their last dot and in lower case."""
    if kind == "TXT":
        strings: tuple[bytes, ...] = getattr(rdata, "strings", ())
        return b"".join(strings).decode("utf-8", "replace")
    text = str(rdata)
    return text.lower().removesuffix(".") if kind in ("MX", "CNAME", "NS", "SRV", "PTR") else text
