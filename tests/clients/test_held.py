"""A sign-in that is held, at a server as it is started: every protocol and the message name a page that answers."""

import asyncio
import imaplib
import poplib
import smtplib
import time
import urllib.request
from collections.abc import Callable
from email import message_from_bytes, policy

import pytest

from mailhost.accounts.audit.model import Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import record_sign_ins
from mailhost.accounts.held.sql import list_held
from mailhost.accounts.places.sql import record_places
from mailhost.cli.store import opened
from mailhost.login.enrol import account_at
from mailhost.login.unusual import approve
from mailhost.storage.database import Tx
from tests.running import Account, Server


def at(server: Server, account: Account, work: Callable[[Tx, int, int], None]) -> None:
    """Do something in the store, beside the running server."""

    def with_id(tx: Tx) -> None:
        work(tx, account_at(tx, account.address).id, int(time.time()))

    async def write() -> None:
        async with opened(server.folder) as store:
            await store.database.write(with_id)

    asyncio.run(write())


def elsewhere(tx: Tx, account_id: int, now: int) -> None:
    """The app password is at home far away, and many sign-ins failed lately: one from here is held."""
    record_places(tx, [(account_id, 1, "203.0.113.0/24", "", now - 7_200)])
    wrong = SignIn(account_id, Cause.WRONG_PASSWORD, "", "imap", 993, "x", "x", None, "", "", None)
    record_sign_ins(tx, [(wrong, Occurrence(now, "c1", 20))])


def it_was_me(tx: Tx, account_id: int, now: int) -> None:
    for held in list_held(tx, account_id):
        approve(tx, account_id, held.id, now)


def refusals(server: Server, account: Account) -> list[str]:
    """What each protocol says."""
    said = []
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls()) as imap:
        with pytest.raises(imaplib.IMAP4.error) as refused:
            imap.login(account.address, account.password)
        said.append(str(refused.value))
    pop = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=server.tls())
    pop.user(account.address)
    with pytest.raises(poplib.error_proto) as refused_by_pop:
        pop.pass_(account.password)
    said.append(str(refused_by_pop.value))
    pop.close()
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls()) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused_by_smtp:
            smtp.login(account.address, account.password)
        said.append(str(refused_by_smtp.value.smtp_error))
    return said


def test_every_protocol_and_the_message_lead_to_the_page(server: Server, account: Account) -> None:
    at(server, account, elsewhere)
    page = f"https://localhost:{server.ports['https']}/account/unusual"
    for said in refusals(server, account):
        assert page in said
    with urllib.request.urlopen(page, context=server.tls()) as answer:
        assert answer.status == 200
        assert "/sign-in" in answer.url
        assert 'autocomplete="current-password"' in answer.read().decode()
    at(server, account, it_was_me)
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls()) as imap:
        imap.login(account.address, account.password)
        imap.select()
        [(_, content), *_] = (part for part in imap.fetch("1", "(RFC822)")[1] if isinstance(part, tuple))
    message = message_from_bytes(content, policy=policy.default)
    assert message["Subject"].startswith("A sign-in to your mail that looks unusual")
    assert message.get_content().count(page) == 2
    assert "was held, because it was unusual" in message.get_content()
