"""App passwords made, shown once, replaced and revoked on the pages, and what mail programs then notice."""

import asyncio
import html
import http.client
import plistlib
import re

import pytest

from mailhost import accounts
from mailhost.accounts import Scope, TwoStepMissing
from mailhost.accounts.credentials.sql import record_uses
from mailhost.accounts.model import LastUse, Protocols
from mailhost.login.enrol import issue_app_password, issue_own_app_password
from tests.web.browsing import Browser, Page
from tests.web.conftest import ANNA, OTTO, START, MakePhone, Town

HERE = "/account/app-passwords"
NEW = f"{HERE}/new"
NOW = int(START)


async def guarded(town: Town, address: str = ANNA) -> Browser:
    """A browser of somebody who has two-step verification on, and has just proved who they are."""
    browser = await town.signed_in(address)
    await town.database.write(accounts.set_two_step, town.ids[address], is_on=True, now=NOW)
    return browser


async def make(browser: Browser, **typed: str) -> Page:
    page = await browser.open(NEW)
    return await browser.submit(page, NEW, name="Anna’s phone", **({"protocols": "imap"} | typed))


def secret_in(page: Page) -> str:
    found = re.search(r'id="secret">([a-z]{4} [a-z]{4} [a-z]{4} [a-z]{4})<', page.text)
    assert found, page.text
    return found[1]


async def test_offered_only_with_two_step_verification(town: Town) -> None:
    browser = await town.signed_in()
    page = await browser.open(HERE)
    assert "come with two-step verification" in page.text
    assert NEW not in page.text
    assert (await browser.open(NEW)).path == HERE
    csrf = page.form("/sign-out").fields["csrf"]
    assert (await browser.post(NEW, {"csrf": csrf, "name": "x", "protocols": "imap", "last": "0"})).path == HERE
    assert await town.database.read(accounts.list_app_passwords, town.ids[ANNA]) == []
    with pytest.raises(TwoStepMissing):
        await town.database.write(issue_own_app_password, town.key, town.ids[ANNA], name="x", now=NOW)
    await guarded(town)
    assert NEW in (await browser.open(HERE)).text


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_made_shown_once_and_good_for_mail(town: Town, phone: MakePhone, language: str) -> None:
    browser = await guarded(town)
    browser.language = language
    page = await make(browser)
    secret = secret_in(page)
    assert page.headers["cache-control"] == "no-store"
    assert f"<code>{town.ports['imaps']}</code>" in page.text
    device = phone(ANNA, secret)
    assert await device.sign_in() == "OK"
    await town.keeper._diary.flush()
    listed = await browser.open(HERE)
    assert secret not in listed.text
    assert "phone&lt;b&gt; 1" in listed.text
    assert "<b>" not in listed.text
    assert "127.0.0.1" in listed.text
    assert "TLSv1.3" in listed.text
    assert ("Last used" if language == "en" else "最近使用") in listed.text


async def test_revoking_ends_the_live_session_within_a_second(town: Town, phone: MakePhone) -> None:
    browser = await guarded(town)
    device = phone(ANNA, secret_in(await make(browser)))
    assert await device.sign_in() == "OK"
    await town.keeper._diary.flush()
    page = await browser.open(HERE)
    assert "1 connection" in page.text
    page = await browser.submit(page, f"{HERE}/1/revoke")
    assert page.path == f"{HERE}?said=revoked"
    assert await device.ends() < 1
    assert "Invalid credentials" in await device.sign_in()


async def test_replace_this_device(town: Town, phone: MakePhone) -> None:
    browser = await guarded(town)
    old = phone(ANNA, secret_in(await make(browser)))
    assert await old.sign_in() == "OK"
    page = await browser.submit(await browser.open(f"{HERE}/1/replace"), f"{HERE}/1/replace")
    assert "Anna’s phone" in page.text
    assert await old.ends() < 1
    new = phone(ANNA, secret_in(page))
    assert await new.sign_in() == "OK"
    [one] = await town.database.read(accounts.list_app_passwords, town.ids[ANNA])
    assert (one.id, one.name, one.scope.protocols) == (2, "Anna’s phone", Protocols.IMAP)
    assert (await browser.open(f"{HERE}/1/replace")).status == 404


async def test_limits_are_what_was_chosen(town: Town) -> None:
    browser = await guarded(town)
    made = [
        {"may": "read", "protocols": "smtp"},
        {"may": "send", "protocols": "imap"},
        {"networks": "192.0.2.7/24; 2001:db8::/32", "days": "7", "protocols": "pop3"},
    ]
    assert (await make(browser, **made[0])).status == 422, "only to read and only to send leave nothing"
    await make(browser, may="read", protocols="pop3")
    await make(browser, **made[1])
    await make(browser, **made[2])
    scopes = [one.scope for one in await town.database.read(accounts.list_app_passwords, town.ids[ANNA])]
    assert scopes == [
        Scope(Protocols.POP3, read_only=True),
        Scope(Protocols.SMTP),
        Scope(Protocols.POP3, networks=("192.0.2.0/24", "2001:db8::/32"), expires_at=NOW + 7 * 86_400),
    ]
    page = await browser.open(HERE)
    assert "POP3 · only read" in " ".join(page.text.split())
    assert "SMTP · only send" in " ".join(page.text.split())


async def test_an_expired_one_is_told_and_cannot_be_replaced(town: Town) -> None:
    browser = await guarded(town)
    scope = Scope(Protocols.IMAP, expires_at=NOW + 60)
    await town.database.write(issue_app_password, town.key, ANNA, name="phone", now=NOW, scope=scope)
    replace = await browser.open(f"{HERE}/1/replace")
    town.now += 61
    page = await browser.open(HERE)
    assert page.text.count("Expired") == 1
    assert "/replace" not in page.text
    page = await browser.submit(replace, f"{HERE}/1/replace")
    assert page.path == f"{HERE}?said=expired"
    assert len(await town.database.read(accounts.list_app_passwords, town.ids[ANNA])) == 1


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"name": " "}, "Give it a name"),
        ({"name": "x" * 101}, "Give it a name"),
        ({"name": "a\x00b"}, "Give it a name"),
        ({"protocols": "gopher"}, "at least one protocol"),
        ({"networks": "<script>"}, "Write networks like"),
        ({"networks": " ".join(["192.0.2.0/24"] * 21)}, "Write networks like"),
    ],
)
async def test_mistakes_are_told_and_nothing_typed_is_lost(town: Town, typed: dict[str, str], told: str) -> None:
    browser = await guarded(town)
    page = await browser.open(NEW)
    page = await browser.submit(page, NEW, **({"name": "keep <me>", "protocols": "imap", "days": "90"} | typed))
    assert page.status == 422
    assert told in html.unescape(page.text)
    assert "<script>" not in page.text
    if "name" not in typed:
        assert 'value="keep &lt;me&gt;"' in page.text
    assert '<option value="90" selected>' in page.text
    assert await town.database.read(accounts.list_app_passwords, town.ids[ANNA]) == []


async def test_a_form_that_is_sent_again_makes_no_second_one(town: Town) -> None:
    browser = await guarded(town)
    page = await browser.open(NEW)
    assert secret_in(await browser.submit(page, NEW, name="phone", protocols="imap"))
    again = await browser.submit(page, NEW, name="phone", protocols="imap")
    assert again.path == f"{HERE}?said=made"
    assert len(await town.database.read(accounts.list_app_passwords, town.ids[ANNA])) == 1


async def test_making_one_wants_a_proof_of_the_last_ten_minutes(town: Town) -> None:
    browser = await guarded(town)
    page = await browser.open(NEW)
    town.now += 601
    assert "/sign-in" in (await browser.submit(page, NEW, follow=False, name="x")).headers["location"]
    assert "/sign-in" in (await browser.open(NEW, follow=False)).headers["location"]
    assert await town.database.read(accounts.list_app_passwords, town.ids[ANNA]) == []


async def plain_status(town: Town, path: str) -> int:
    """What the door without TLS answers."""

    def ask() -> int:
        client = http.client.HTTPConnection("localhost", town.ports["http"], timeout=20)
        client.request("GET", path)
        status = client.getresponse().status
        client.close()
        return status

    return await asyncio.to_thread(ask)


async def test_the_profile_comes_with_the_password_while_it_is_unused(town: Town) -> None:
    browser = await guarded(town)
    await town.database.write(accounts.set_two_step, town.ids[ANNA], is_on=True, now=NOW)
    page = await browser.open(NEW)
    form = page.form(NEW)
    csrf = {"csrf": form.fields["csrf"], "last": "0", "name": "phone", "may": "all"}
    town.ports |= {"imaps": 993, "submissions": 465}
    page = await browser.post_many(NEW, [*csrf.items(), ("protocols", "imap"), ("protocols", "smtp")])
    secret = secret_in(page)
    [link] = re.findall(r'href="(/setup/device/[\w-]+)"', page.text)
    assert page.text.count("<svg") == 2
    telephone = town.browser()  # not signed in
    profile = await telephone.open(link)
    assert profile.headers["content-type"] == "application/x-apple-aspen-config"
    assert profile.headers["cache-control"] == "no-store"
    plist = plistlib.loads(profile.body[profile.body.index(b"<?xml") : profile.body.index(b"</plist>") + 8])
    assert secret in str(plist)
    changed = link[:-4] + ("AAAA" if not link.endswith("AAAA") else "BBBB")
    for path in (changed, "/setup/device/x", "/setup/device/" + "A" * 200, "/setup/device/é"):
        assert (await telephone.open(path.replace("é", "%C3%A9"))).status == 404
    assert await plain_status(town, link) == 404, "nothing of it goes without TLS"
    town.now += 599
    assert (await telephone.open(link)).status == 200
    await town.database.write(record_uses, [(town.ids[ANNA], 1, LastUse(NOW, "192.0.2.7", "imap"))])
    assert (await telephone.open(link)).status == 404, "it is in use: who scans the code now is somebody else"


async def test_links_end_by_time_and_with_their_password(town: Town) -> None:
    browser = await guarded(town)
    town.ports |= {"imaps": 993, "submissions": 465}
    page = await browser.open(NEW)
    fields = [*page.form(NEW).fields.items(), ("protocols", "imap"), ("protocols", "smtp"), ("name", "phone")]
    page = await browser.post_many(NEW, [pair for pair in fields if pair != ("name", "")])
    [link] = re.findall(r'href="(/setup/device/[\w-]+)"', page.text)
    town.now += 601
    assert (await town.browser().open(link)).status == 404
    town.now = START
    assert (await town.browser().open(link)).status == 200
    await town.database.write(accounts.revoke_app_password, town.ids[ANNA], 1, NOW)
    assert (await town.browser().open(link)).status == 404


async def test_strangers_reach_nothing(town: Town) -> None:
    await town.database.write(issue_app_password, town.key, ANNA, name="Anna’s secret phone", now=NOW)
    otto = await guarded(town, OTTO)
    page = await otto.open(HERE)
    assert "Anna" not in page.text
    csrf = {"csrf": page.form("/sign-out").fields["csrf"]}
    for path in (f"{HERE}/1/revoke", f"{HERE}/1/replace", f"{HERE}/-1/revoke", f"{HERE}/{10**30}/revoke"):
        assert (await otto.post(path, csrf)).status == 404, path
    assert (await otto.open(f"{HERE}/1/replace")).status == 404
    assert len(await town.database.read(accounts.list_app_passwords, town.ids[ANNA])) == 1


@pytest.mark.parametrize("path", [NEW, f"{HERE}/1/replace", f"{HERE}/1/revoke"])
async def test_without_the_word_of_a_form_nothing_happens(town: Town, path: str) -> None:
    await town.database.write(issue_app_password, town.key, ANNA, name="phone", now=NOW)
    browser = await guarded(town)
    for fields in ({}, {"csrf": "0" * 64}):
        sent = {"name": "x", "protocols": "imap", "last": "1"} | fields
        assert (await browser.post(path, sent)).status == 403
    assert [one.id for one in await town.database.read(accounts.list_app_passwords, town.ids[ANNA])] == [1]
    assert (await town.browser().open(HERE)).path.startswith("/sign-in")
