"""The doors of a server, as one table: which service on which port, in TLS or not."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailhost.app.services import Services
from mailhost.app.web import web_server
from mailhost.delivery.model import Office
from mailhost.login import DoorKeeper
from mailhost.mailstore.indexer import TextIndex
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.network.listener import Handler
from mailhost.network.misdirected import Service
from mailhost.servers.imap.server import ImapServer
from mailhost.servers.imap.session import ImapServices, ImapSettings
from mailhost.servers.pop3.server import Pop3Server
from mailhost.servers.pop3.session import Pop3Services, Pop3Settings
from mailhost.servers.smtp.lmtp import LmtpSession
from mailhost.servers.smtp.mx import MxSession
from mailhost.servers.smtp.server import SmtpServer
from mailhost.servers.smtp.session import SmtpServices, SmtpSettings
from mailhost.servers.smtp.submission import SubmissionSession
from mailhost.web.setup import Facts

LOCAL: Final = frozenset({"lmtp"})
"""Doors for this machine alone, whatever `listen` says: nobody signs in there."""


@dataclass(frozen=True, slots=True)
class Door:
    """One port: its name in settings and in the JSON line, what it speaks, whether TLS comes first."""

    name: str
    service: Service
    handler: Handler
    in_tls: bool = False


@dataclass(frozen=True, slots=True)
class House:
    """What all doors share."""

    services: Services
    index: TextIndex
    office: Office
    keeper: DoorKeeper
    context: ssl.SSLContext
    facts: Facts  # where people reach us


def all_doors(house: House) -> Sequence[Door]:
    """Every door, in the order in which people read them."""
    imap, pop3 = _imap(house).serve, _pop3(house).serve
    settings = SmtpSettings(
        house.facts.help_url, house.facts.unusual_url, plaintext_sign_in=house.services.config.plaintext_sign_in
    )
    smtp = SmtpServices(house.office, house.keeper, lambda: house.context, settings)
    lmtp = SmtpServices(house.office, house.keeper, None, settings)
    submission = SmtpServer(SubmissionSession, smtp).serve
    web = web_server(house.services, house.keeper, house.facts, time.time).serve
    return (
        Door("imaps", Service.IMAP, imap, in_tls=True),
        Door("imap", Service.IMAP, imap),
        Door("pop3s", Service.POP3, pop3, in_tls=True),
        Door("pop3", Service.POP3, pop3),
        Door("submissions", Service.SMTP, submission, in_tls=True),
        Door("submission", Service.SMTP, submission),
        Door("smtp", Service.SMTP, SmtpServer(MxSession, smtp).serve),
        Door("lmtp", Service.LMTP, SmtpServer(LmtpSession, lmtp).serve),
        Door("http", Service.HTTP, web),
        Door("https", Service.HTTP, web, in_tls=True),
    )


def _imap(house: House) -> ImapServer:
    services, limits = house.services, house.services.config.limits
    return ImapServer(
        ImapServices(
            services.database,
            services.blobs,
            house.index,
            KnownMailboxes(services.database),
            house.keeper,
            time.time,
            lambda: house.context,
            ImapSettings(
                house.facts.help_url,
                house.facts.unusual_url,
                append_limit=limits.message_octets,
                plaintext_sign_in=services.config.plaintext_sign_in,
            ),
        )
    )


def _pop3(house: House) -> Pop3Server:
    services = house.services
    return Pop3Server(
        Pop3Services(
            services.database,
            services.blobs,
            house.keeper,
            time.time,
            house.office.host,
            lambda: house.context,
            Pop3Settings(
                house.facts.help_url, house.facts.unusual_url, plaintext_sign_in=services.config.plaintext_sign_in
            ),
        )
    )
