"""The security page, another password, the language: what owners see and change."""

import html

import pytest

from mailhost.accounts import list_app_passwords
from mailhost.accounts.audit.model import Cause
from mailhost.login import Visit
from mailhost.login.enrol import issue_app_password
from tests.web.conftest import ANNA, PASSWORD, Town

NEW = "another horse, quite another"


async def test_another_password_ends_what_the_old_one_opened_but_for_this_browser(town: Town) -> None:
    browser, other = await town.signed_in(), await town.signed_in()
    await town.database.write(issue_app_password, town.key, ANNA, name="old & <b>phone</b>", now=int(town.now))
    page = await browser.open("/account/password")
    assert "old &amp; &lt;b&gt;phone&lt;/b&gt;" in page.text
    token = browser.cookies["__Host-session"]
    page = await browser.submit(page, "/account/password", old=PASSWORD, new=NEW)
    assert "ended with the old one: 1." in page.text
    assert browser.cookies["__Host-session"] != token
    assert (await browser.open("/account")).path == "/account"
    assert (await other.open("/account")).path.startswith("/sign-in")
    assert not await town.database.read(list_app_passwords, town.ids[ANNA])
    assert (await town.sign_in(other)).status == 403
    assert (await town.sign_in(other, password=NEW)).path == "/account"


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("wrong", NEW, "old", "not right"),
        (PASSWORD, "short", "new", "8 to 256"),
        (PASSWORD, "x" * 257, "new", "8 to 256"),
        (PASSWORD, "with\ta tab", "new", "can be seen"),
        (PASSWORD, PASSWORD, "new", "you have"),
    ],
)
async def test_what_is_wrong_is_told_at_its_field(town: Town, old: str, new: str, field: str, words: str) -> None:
    browser = await town.signed_in()
    page = await browser.submit(await browser.open("/account/password"), "/account/password", old=old, new=new)
    assert page.status == 403
    assert f'id="error-{field}">' in page.text
    assert words in page.text.partition(f'id="error-{field}">')[2].partition("</p>")[0]
    assert (await town.sign_in(town.browser())).path == "/account"


async def test_guessing_at_the_present_password_has_to_wait(town: Town) -> None:
    browser = await town.signed_in()
    page = await browser.open("/account/password")
    # A browser's own network is known by now, so that only this account's counter counts.
    statuses = [(await browser.submit(page, "/account/password", old=f"no {n}", new=NEW)).status for n in range(5)]
    assert statuses == [403, 403, 403, 403, 429]


async def test_others_are_signed_out(town: Town) -> None:
    browser, other = await town.signed_in(), await town.signed_in()
    page = await browser.open("/account")
    assert "1 other browser" in page.text
    page = await browser.submit(page, "/account/sign-out-others")
    assert "signed out: 1." in page.text
    assert (await other.open("/account")).path.startswith("/sign-in")


async def test_recent_sign_ins_stand_on_the_first_page_in_the_reader_s_language(town: Town) -> None:
    browser = await town.signed_in()
    await town.sign_in(town.browser(), password="wrong")
    await town.causes()
    page = await browser.open("/account")
    assert "A wrong account password was typed on the sign-in page" in html.unescape(page.text)
    page = await browser.open("/account/settings")
    page = await browser.submit(page, "/account/settings", language="zh-CN")
    assert '<html lang="zh-CN">' in page.text
    assert "输入了错误的账户密码" in (await browser.open("/account")).text
    page = await browser.submit(page, "/account/settings", language="tlh")
    assert '<html lang="en">' in page.text
    assert Cause.WRONG_PASSWORD_IN_WEB in await town.causes()


async def test_what_was_done_is_only_ever_one_of_our_sentences(town: Town) -> None:
    browser = await town.signed_in()
    for query in ("done=%3Cscript%3E", "done=two-step-off&ended=%3Cb%3E", "done=signed-out&ended=9999999"):
        page = await browser.open(f"/account?{query}")
        assert page.status == 200
        assert "<script>" not in page.text
        assert "<b>" not in page.text
        assert "9999999" not in page.text.partition("<main")[2].partition("<footer")[0]


async def test_a_sign_in_from_an_unusual_place_is_told_to_the_owner_once(town: Town) -> None:
    home = Visit("web", 443, "192.0.2.7", "c1", "TLSv1.3", client_id="Firefox 140 (Linux)")
    away = Visit("web", 443, "203.0.113.9", "c2", "TLSv1.3", client_id="Chrome 156 (Windows)")
    for visit in (home, home, away, away):
        await town.keeper.web.welcome(town.ids[ANNA], ANNA, visit)
        await town.causes()
    assert (await town.causes()).count(Cause.SIGNED_IN_UNUSUALLY) == 1
    [message] = await town.messages()
    assert "Chrome 156 (Windows) signed in over HTTPS from 203.0.113.9, which is not usual" in message
