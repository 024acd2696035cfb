"""Who is signed in, told and ended on the page; and what is left of the limits."""

import html

import pytest

from mailhost import accounts
from mailhost.accounts.sessions.sql import LiveSession, list_sessions, record_sessions
from mailhost.accounts.web_sessions.sql import list_web_sessions
from mailhost.limits import Rules
from mailhost.login.enrol import issue_app_password
from mailhost.login.model import SETTINGS
from mailhost.login.quantities import count_moved
from tests.web.conftest import ANNA, OTTO, START, MakePhone, Town
from tests.web.mailing import Phone

HERE = "/account/sessions"
NOW = int(START)


async def signed_in(town: Town, phone: MakePhone, address: str = ANNA, name: str = "phone") -> Phone:
    _, secret = await town.database.write(issue_app_password, town.key, address, name=name, now=NOW)
    device = phone(address, secret)
    assert await device.sign_in() == "OK"
    await town.keeper._diary.flush()
    return device


async def test_a_mail_program_is_told_and_signed_out(town: Town, phone: MakePhone) -> None:
    device = await signed_in(town, phone, name="Anna’s <phone>")
    await signed_in(town, phone, OTTO)
    browser = await town.signed_in()
    page = await browser.open(HERE)
    told = html.unescape(page.text)
    assert "phone<b> 1" in told
    assert "“Anna’s <phone>”" in told
    assert "<b>" not in page.text
    assert "1 of 15 IMAP connections" in told
    [session] = await town.database.read(list_sessions, town.ids[ANNA])
    page = await browser.submit(page, f"{HERE}/mail/{session.id}/end")
    assert page.path == f"{HERE}?said=one"
    assert await device.ends() < 1
    await town.keeper._diary.flush()
    assert "No mail program is signed in" in (await browser.open(HERE)).text
    assert len(await town.database.read(list_sessions, town.ids[OTTO])) == 1, "Otto goes on"


async def test_everything_is_signed_out_but_this_browser(town: Town, phone: MakePhone) -> None:
    devices = [await signed_in(town, phone) for _ in range(2)]
    browser, other, ottos = await town.signed_in(), await town.signed_in(), await town.signed_in(OTTO)
    page = await browser.open(HERE)
    assert page.text.count("Firefox 140 (Linux)</strong>") == 2
    assert page.text.count(">this one<") == 1
    page = await browser.submit(page, f"{HERE}/end")
    assert page.path == f"{HERE}?said=all"
    for device in devices:
        assert await device.ends() < 1
    assert (await other.open(HERE)).path.startswith("/sign-in")
    assert (await ottos.open(HERE)).status == 200
    await town.keeper._diary.flush()


async def test_another_browser_is_signed_out(town: Town) -> None:
    browser, other = await town.signed_in(), await town.signed_in()
    [first, second] = await town.database.read(list_web_sessions, town.ids[ANNA], NOW)
    page = await browser.open(HERE)
    [number] = [one.id for one in (first, second) if f"{HERE}/web/{one.id}/end" in page.text]
    await browser.submit(page, f"{HERE}/web/{number}/end")
    assert (await other.open(HERE)).path.startswith("/sign-in")
    assert (await browser.open(HERE)).status == 200


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_limits_say_how_much_is_left_and_when_they_end(town: Town, language: str) -> None:
    anna = town.ids[ANNA]
    await town.database.write(accounts.set_rules, anna, Rules(imap_connections=3, pop3_download=1_000))
    sessions = [
        LiveSession(anna, f"c{number}", "p", "imap", 1, "192.0.2.7", "mutt", NOW - 600, NOW - 60) for number in range(3)
    ]
    await town.database.write(record_sessions, sessions)
    await town.database.write(count_moved, {(anna, "imap-download"): 12_345_678, (anna, "pop3-download"): 2_000},
                              SETTINGS, NOW)  # fmt: skip
    browser = town.browser(language)
    await town.sign_in(browser)
    told = " ".join(html.unescape((await browser.open(HERE)).text).split())
    assert "mutt, 192.0.2.7: 3" in told
    midnight = "2027-01-16 00:00 UTC"
    if language == "en":
        assert "3 of 3 IMAP connections are in use." in told
        assert "12.35 MB of 2.5 GB" in told
        assert f'Closed until <time datetime="2027-01-16T00:00:00Z">{midnight}</time>' in told
        assert "2 kB of 1 kB" in told
        assert "0 of 500" in told
    else:
        assert "IMAP 连接已用 3 个，上限 3 个。" in told
        assert "已用 12.35 MB，上限 2.5 GB" in told
        assert f'关闭至 <time datetime="2027-01-16T00:00:00Z">{midnight}</time>' in told


async def test_strangers_end_nothing(town: Town) -> None:
    anna = town.ids[ANNA]
    await town.database.write(record_sessions, [LiveSession(anna, "abcd", "p", "imap", 1, "192.0.2.7", "", NOW, NOW)])
    annas, ottos = await town.signed_in(), await town.signed_in(OTTO)
    [session] = await town.database.read(list_web_sessions, anna, NOW)
    page = await ottos.open(HERE)
    assert "abcd" not in page.text
    csrf = {"csrf": page.form("/sign-out").fields["csrf"]}
    for path in (f"{HERE}/mail/abcd/end", f"{HERE}/web/{session.id}/end", f"{HERE}/web/x/end"):
        assert (await ottos.post(path, csrf)).status == 404, path
    for path in (f"{HERE}/mail/abcd/end", f"{HERE}/web/{session.id}/end", f"{HERE}/end"):
        assert (await annas.post(path, {})).status == 403, path
    await ottos.post(f"{HERE}/end", csrf)
    assert len(await town.database.read(list_sessions, anna)) == 1
    assert (await annas.open(HERE)).status == 200
