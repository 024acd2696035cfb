"""A name server on loopback that knows one zone, and how to fail."""

from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

SERVFAIL = "SERVFAIL"
BOGUS = "BOGUS"


class Zone(asyncio.DatagramProtocol):
    """(name, kind) → records as text. A name whose records are SERVFAIL or BOGUS fails; `*.name` is a wildcard."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.delay = 0.0
        self._transport: asyncio.DatagramTransport

    def add(self, name: str, kind: str, *records: str) -> None:
        self.records[name, kind] = list(records)

    def drop(self, name: str) -> None:
        """Nothing is known of the name any more."""
        self.records = {key: value for key, value in self.records.items() if key[0] != name}

    async def serve(self) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        address: tuple[str, int] = self._transport.get_extra_info("sockname")[:2]
        return address

    def close(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self.answer(dns.message.from_wire(data)).to_wire()
        asyncio.get_running_loop().call_later(self.delay, self._send, reply, addr)

    def _send(self, reply: bytes, addr: tuple[str, int]) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(reply, addr)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        question = query.question[0]
        name, kind = question.name.to_text(True).lower(), dns.rdatatype.to_text(question.rdtype)
        for key, texts in self.records.items():
            if key[0] == name and texts in ([SERVFAIL], [BOGUS]):
                if texts == [SERVFAIL] or not query.flags & dns.flags.CD:
                    reply.set_rcode(dns.rcode.SERVFAIL)
                return reply
        self._fill(reply, name, kind)
        if not reply.answer and not any(key[0] == name or key[0].endswith("." + name) for key in self.records):
            wild = "*." + name.partition(".")[2]
            if any(key[0] == wild for key in self.records):
                self._fill(reply, name, kind, wild)
            else:
                reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def _fill(self, reply: dns.message.Message, name: str, kind: str, key: str = "") -> None:
        alias = self.records.get((key or name, "CNAME"))
        if alias and kind != "CNAME":
            reply.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "CNAME", alias[0] + "."))
            self._fill(reply, alias[0], kind)
            return
        texts = self.records.get((key or name, kind), [])
        if texts:
            reply.answer.append(dns.rrset.from_text_list(name + ".", 60, "IN", kind, [_full(kind, t) for t in texts]))


def _full(kind: str, text: str) -> str:
    """Names get their last dot, texts their quotes."""
    if kind in ("MX", "SRV", "CNAME", "NS", "PTR"):
        return text if text.endswith(".") else text + "."
    return f'"{text}"' if kind == "TXT" else text
