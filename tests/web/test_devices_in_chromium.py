"""App passwords, sessions, unusual sign-ins and storage in Debian's Chromium, full of what strangers may have said."""

import asyncio
import imaplib
import itertools
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailhost import mailstore
from mailhost.accounts import set_two_step
from mailhost.accounts.audit.model import Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import record_sign_ins
from mailhost.accounts.held.sql import hold
from mailhost.cli.store import opened
from mailhost.crypto import hash_password
from mailhost.login.enrol import account_at, enrol, issue_app_password
from mailhost.mailstore import Intake, NewMessage
from tests.running import Server
from tests.web.chromium import PASSWORD, TELEPHONE, Person, person

HASH = hash_password(PASSWORD)
numbers = itertools.count(1)
EVIL = "<img src=x onerror=alert(1)>" + "W" * 120
PAGES = ("app-passwords", "app-passwords/new", "app-passwords/1/replace", "sessions", "sign-ins", "unusual", "storage")


async def settle(server: Server, address: str) -> None:
    """An account of somebody about whom strangers had much to say, wherever a page shows it."""
    now = int(time.time())
    async with opened(server.folder) as store:
        database = store.database
        account_id = (await database.write(enrol, address, password_hash=HASH, now=now)).id
        await database.write(issue_app_password, store.key, address, name=EVIL[:100], now=now)
        seen = ("imap", 993, "203.0.113.9", "203.0.113.0/24", "TLSv1.3", "PLAIN", EVIL, 1)
        rows = [
            (SignIn(account_id, cause, "", *seen), Occurrence(now, "c1", 3, {"why": "network", "devices": EVIL}))
            for cause in (Cause.SIGNED_IN_UNUSUALLY, Cause.TOO_MANY_CONNECTIONS, Cause.HELD)
        ]
        await database.write(record_sign_ins, rows)
        for network in ("198.51.100.0/24", "2001:db8::/48"):
            await database.write(
                hold,
                account_id,
                1,
                network=network,
                client=EVIL,
                peer="198.51.100.7",
                protocol="imap",
                why="network,far,failures",
                now=now,
            )
        for mailbox in ("INBOX", "Trash"):
            intake = Intake(store.blobs, 1_000_000, normalise=True)
            intake.write(f"From: {EVIL} <x@example.test>\r\nSubject: {EVIL}\r\n\r\n".encode())
            for _ in range(200):
                intake.write(b"x" * 998 + b"\r\n")
            box = await database.read(mailstore.find_mailbox, account_id, mailbox)
            message = NewMessage(await intake.finish(), now)
            await database.write(mailstore.append, store.blobs, account_id, box.id, [message], now)


async def switch_two_step_on(server: Server, address: str) -> None:
    async with opened(server.folder) as store:
        account_id = (await store.database.read(account_at, address)).id
        await store.database.write(set_two_step, account_id, is_on=True, now=int(time.time()))


def apart(work: Coroutine[object, object, None]) -> None:
    """Run it in a thread of its own: Playwright has a loop in this one."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()


def newcomer(browser: object, server: Server, **options: object) -> tuple[Person, str]:
    """Somebody of their own, who has just signed in and has two-step verification on; and their address."""
    address = f"person{next(numbers)}@example.test"
    apart(settle(server, address))
    someone = person(browser, server, **options)
    someone.open("/account/app-passwords")
    someone.page.locator("#address").fill(address)
    someone.page.locator("#password").fill(PASSWORD)
    someone.page.locator("main button").click()
    someone.page.wait_for_url("**/account/app-passwords")
    apart(switch_two_step_on(server, address))
    return someone, address


@pytest.mark.parametrize(
    ("language", "options"),
    [("en-GB", {"java_script_enabled": False}), ("zh-CN", {"viewport": TELEPHONE})],
    ids=["desk-without-script", "telephone"],
)
def test_from_a_new_app_password_to_its_end(
    server: Server, browser: object, language: str, options: dict[str, object]
) -> None:
    someone, address = newcomer(browser, server, locale=language, **options)
    page = someone.page
    someone.open("/account/app-passwords/new")
    page.locator("#name").fill("Tablet")
    page.locator("main form > button").click()
    secret = page.locator("#secret").inner_text()
    assert page.locator("svg.qr").count() == 2
    if "viewport" in options:
        assert someone.stumbles() == []
    with page.expect_download() as downloading:
        page.locator("main a[href^='/setup/device/']").click()
    assert downloading.value.suggested_filename == "mail.mobileconfig"
    client = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls())
    client.login(address, secret)
    page.locator("main a[href='/account/app-passwords']").click()
    newest = page.locator("section.card").first
    assert "Tablet" in newest.inner_text()
    newest.locator("summary").click()
    newest.locator("details button").click()
    page.get_by_role("status").wait_for()
    assert b"BYE" in client.readline()
    client.shutdown()
    assert someone.complaints == []


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("options", [{}, {"viewport": TELEPHONE}], ids=["desk", "telephone"])
def test_nobody_stumbles_over_what_strangers_say(
    server: Server, browser: object, language: str, options: dict[str, object]
) -> None:
    someone, _ = newcomer(browser, server, locale=language, **options)
    found = {}
    for name in PAGES:
        someone.open(f"/account/{name}")
        assert someone.path == f"/account/{name}"
        for summary in someone.page.locator("main details > summary").all():
            summary.click()
        found[name] = someone.stumbles()
        if name in ("sign-ins", "unusual", "storage"):
            assert EVIL in someone.page.locator("main").inner_text()
    assert {name: stumbles for name, stumbles in found.items() if stumbles} == {}
    assert someone.complaints == []
