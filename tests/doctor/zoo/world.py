"""A small internet on loopback: a name server, a healthy provider at example.test, and a network that can fail."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import json
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from mailhost.doctor.client import Question, diagnose
from mailhost.doctor.names import Resolver
from mailhost.doctor.providers import Provider, built_in
from mailhost.doctor.report import Report
from mailhost.doctor.signin import Credentials
from mailhost.doctor.targets import Protocol, Target, parse_target
from mailhost.doctor.world import Deadlines, World, connect
from tests.doctor.zoo import papers
from tests.doctor.zoo.mail import Listener, Mail, Web
from tests.doctor.zoo.zone import Zone

DOMAIN = "example.test"
ADDRESS = f"anna@{DOMAIN}"
SECRET = "korrekt-pferd-batterie"
MAIL_HOST, WEB_HOST = "192.0.2.10", "192.0.2.20"
MAIL_HOST_6 = "2001:db8::10"
BLACK_HOLE = "black hole"
NO_ROUTE = "no route"
# Short where a case waits for one to pass; long where a busy machine must not make it pass.
QUICK = Deadlines(connect=1.0, greeting=1.0, patience=2.0, handshake=3.0, reply=10.0, idle=0.5, http=3.0)

AUTOCONFIG = f"""<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="{DOMAIN}"><domain>{DOMAIN}</domain>
<displayName>Zoo</displayName>
<incomingServer type="imap"><hostname>imap.{DOMAIN}</hostname><port>993</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></incomingServer>
<incomingServer type="pop3"><hostname>pop.{DOMAIN}</hostname><port>995</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></incomingServer>
<outgoingServer type="smtp"><hostname>smtp.{DOMAIN}</hostname><port>465</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></outgoingServer>
</emailProvider></clientConfig>"""

AUTODISCOVER = """<?xml version="1.0"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
<Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"><Account>
<AccountType>email</AccountType><Action>settings</Action>
<Protocol><Type>IMAP</Type><Server>imap.example.test</Server><Port>993</Port><SSL>on</SSL></Protocol>
<Protocol><Type>SMTP</Type><Server>smtp.example.test</Server><Port>465</Port><SSL>on</SSL></Protocol>
</Account></Response></Autodiscover>"""

PACC = json.dumps({"protocols": {"imap": {"host": f"imap.{DOMAIN}"}, "smtp": {"host": f"smtp.{DOMAIN}"}}}).encode()

HEALTHY_SOURCES = {
    "Thunderbird": "autoconfig",
    "Thunderbird for Android, K-9": "autoconfig",
    "FairEmail": "SRV records",
    "Evolution": "autoconfig",
    "GNOME Online Accounts": "guess",
    "KMail": "autoconfig",
    "Outlook": "Autodiscover",
    "Apple Mail": "PACC",
    "eM Client": "SRV records",
}
"""Where each program finds the settings of a provider that publishes them all."""


def sources(report: Report) -> dict[str, str]:
    """Program → where its settings come from."""
    return {each.program: each.source for each in report.conclusions}


class Zoo:
    """Change what you like between `healthy()` and `ask`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.zone = Zone()
        self.servers: dict[tuple[str, int], Callable[[socket.socket], None] | str] = {}
        self.pages: dict[tuple[str, str], tuple[int, str, bytes]] = {}
        self.delay = 0.0
        self.good: ssl.SSLContext = papers.good_context(folder)
        self._ports: dict[tuple[str, int], int] = {}

    # Building

    def mail(self, protocol: str, port: int, *, host: str = MAIL_HOST, **quirks: object) -> Mail:
        """A mail server at an address; good unless quirks say otherwise."""
        is_implicit = port in (993, 995, 465)
        server = Mail(protocol, **{"context": self.good, "is_implicit": is_implicit, **quirks})
        self.servers[host, port] = server.serve
        return server

    def healthy(self) -> Zoo:
        """Everything is as it should be."""
        for name in ("imap", "pop", "smtp", "mail"):
            self.zone.add(f"{name}.{DOMAIN}", "A", MAIL_HOST)
        for name in (f"autoconfig.{DOMAIN}", f"autodiscover.{DOMAIN}", f"ua-auto-config.{DOMAIN}", DOMAIN):
            self.zone.add(name, "A", WEB_HOST)
        self.zone.add(DOMAIN, "MX", f"10 mail.{DOMAIN}")
        for service, port, host in (("_imaps", 993, "imap"), ("_pop3s", 995, "pop"), ("_submissions", 465, "smtp")):
            self.zone.add(f"{service}._tcp.{DOMAIN}", "SRV", f"0 1 {port} {host}.{DOMAIN}")
        digest = base64.b64encode(hashlib.sha256(PACC).digest()).decode()
        self.zone.add(f"_ua-auto-config.{DOMAIN}", "TXT", f"v=UAAC1; a=sha256; d={digest}")
        for protocol, ports in (("imap", (993, 143)), ("pop", (995, 110)), ("smtp", (465, 587))):
            for port in ports:
                self.mail(protocol, port)
        self.mail("smtp", 25, offers=("SIZE 1000", "STARTTLS"))
        self.pages[f"autoconfig.{DOMAIN}", "/mail/config-v1.1.xml"] = (200, "text/xml", AUTOCONFIG.encode())
        self.pages[f"autodiscover.{DOMAIN}", "/autodiscover/autodiscover.xml"] = (
            200,
            "text/xml",
            AUTODISCOVER.encode(),
        )
        document = "/.well-known/user-agent-configuration.json"
        self.pages[f"ua-auto-config.{DOMAIN}", document] = (200, "application/json", PACC)
        self.servers[WEB_HOST, 443] = Web(self.good, self.pages).serve
        self.servers[WEB_HOST, 80] = Web(None, self.pages).serve
        return self

    def certify(self, leaf: papers.Paper, *chain: papers.Paper) -> None:
        """Every mail server shows this certificate from now on."""
        self.use(papers.context(self.folder, leaf, *chain))

    def use(self, context: ssl.SSLContext) -> None:
        """Every mail server uses this context from now on."""
        for port, protocol in ((993, "imap"), (143, "imap"), (995, "pop"), (110, "pop"), (465, "smtp"), (587, "smtp")):
            self.mail(protocol, port, context=context)

    # Asking

    async def connect(self, address: str, port: int) -> socket.socket:
        """The network: what is no server is closed, a black hole or out of reach."""
        here = self.servers.get((address, port), self.servers.get((address, 0)))
        if here == BLACK_HOLE:
            await asyncio.sleep(60)
        if here == NO_ROUTE or (":" in address and here is None):
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        await asyncio.sleep(self.delay)
        return await connect("127.0.0.1", self._ports.get((address, port), 1))

    async def ask(
        self,
        address: str = ADDRESS,
        *servers: str,
        message: str = "",
        credentials: Credentials | None = None,
        protocols: tuple[Protocol, ...] = (Protocol.IMAP, Protocol.SMTP),
        provider: str = "auto",
        deadlines: Deadlines = QUICK,
    ) -> Report:
        """One diagnosis; `servers` are written `imap=HOST:PORT/tls`."""
        async with Opened(self) as world:
            world.deadlines = deadlines
            question = Question(address, protocols, provider, tuple(map(_target, servers)), message, credentials)
            return await diagnose(question, world, self.providers())

    def providers(self) -> dict[str, Provider]:
        return built_in()


class Opened:
    """The zoo while its servers run, as the doctor's world."""

    def __init__(self, zoo: Zoo) -> None:
        self._zoo = zoo
        self._listeners: list[Listener] = []

    async def __aenter__(self) -> World:
        zoo = self._zoo
        for place, serve in zoo.servers.items():
            if callable(serve):
                listener = Listener(serve, zoo.delay)
                self._listeners.append(listener)
                zoo._ports[place] = listener.port
        zoo.zone.delay = zoo.delay
        self._resolver = Resolver((await zoo.zone.serve(),), try_seconds=3.0)
        return World(self._resolver, zoo.connect, None, QUICK, trusting=papers.trust())

    async def __aexit__(self, *_: object) -> None:
        await self._resolver.close()
        self._zoo.zone.close()
        await asyncio.gather(*(asyncio.to_thread(listener.close) for listener in self._listeners))


def _target(text: str) -> Target:
    protocol, _, server = text.partition("=")
    return parse_target(Protocol(protocol), server)
