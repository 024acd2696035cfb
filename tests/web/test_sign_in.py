"""Signing in to the account pages over the real door, and everything that must not work there."""

import asyncio
import http.client
from urllib.parse import quote

import pytest

from mailhost.accounts import AccountState, set_state
from mailhost.accounts.audit.model import NOBODY, Cause
from mailhost.accounts.web_sessions.sql import IDLE_SECONDS, MOST_SESSIONS, WHOLE_SECONDS
from mailhost.login.enrol import change_password, enrol, leave
from tests.web.conftest import ANNA, HASH, OTTO, PASSWORD, START, Town


async def test_in_and_out(town: Town) -> None:
    browser = town.browser()
    page = await browser.open("/account")
    assert page.path == "/sign-in?next=%2Faccount"
    page = await browser.submit(page, "/sign-in", address=" Anna@Example.Test ", password=PASSWORD)
    assert (page.status, page.path) == (200, "/account")
    assert ANNA in page.text
    page = await browser.submit(page, "/sign-out")
    assert page.path == "/sign-in"
    assert (await browser.open("/account")).path.startswith("/sign-in")
    assert await town.causes() == [Cause.SIGNED_IN]


async def test_an_unknown_user_and_a_wrong_password_get_the_same_page(town: Town) -> None:
    browser = town.browser()
    page = await browser.open("/sign-in")
    unknown = await browser.submit(page, "/sign-in", address="nobody@example.test", password="wrong")
    checks = town.keeper._checks.made
    await town.database.write(enrol, "nobody@example.test", password_hash=HASH, now=int(START))
    town.now += 7_200
    known = await browser.submit(page, "/sign-in", address="nobody@example.test", password="wrong")
    assert (unknown.status, unknown.body) == (known.status, known.body)
    assert unknown.status == 403
    assert "not right" in unknown.text
    assert (checks, town.keeper._checks.made) == (1, 2)
    assert await town.causes(NOBODY) == [Cause.UNKNOWN_USER]


async def test_guessing_has_to_wait_even_with_the_right_password_and_for_unknown_names_too(town: Town) -> None:
    for address in (ANNA, "nobody@example.test"):
        browser = town.browser()
        for number in range(4):
            page = await town.sign_in(browser, address, f"wrong {number}")
            assert page.status == 403
        page = await town.sign_in(browser, address, PASSWORD)
        assert page.status == 429
        assert "UTC" in page.text
    checks = town.keeper._checks.made
    assert (await town.sign_in(town.browser(), ANNA, PASSWORD)).status == 429
    assert town.keeper._checks.made == checks
    town.now += 6
    assert (await town.sign_in(town.browser())).path == "/account"
    causes = await town.causes()
    assert causes[0] is Cause.SIGNED_IN
    assert {*causes} == {Cause.SIGNED_IN, Cause.THROTTLED, Cause.WRONG_PASSWORD_IN_WEB}


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({"Origin": "https://evil.example"}, None),
        ({"Origin": "null"}, None),
        ({"Sec_Fetch_Site": "cross-site"}, None),
        ({"Sec_Fetch_Site": "same-site"}, None),
        ({"Origin": "", "Sec_Fetch_Site": ""}, "0" * 64),
        ({}, ""),
        ({}, "0" * 64),
        ({}, "é\ud800"),
    ],
)
async def test_forms_of_others_do_nothing(town: Town, headers: dict[str, str], csrf: str | None) -> None:
    browser = await town.signed_in()
    own = (await browser.open("/account")).form("/sign-out").fields["csrf"]
    sent = quote(own if csrf is None else csrf, errors="surrogatepass")
    page = (
        await browser.post("/sign-out", {}, **headers)
        if csrf == ""
        else await browser.post("/sign-out", {"csrf": sent}, **headers)
    )
    assert page.status == 403
    assert (await browser.open("/account")).path == "/account"
    stranger = town.browser()
    opened = await stranger.open("/sign-in")
    fields = opened.form("/sign-in").fields | {"address": ANNA, "password": PASSWORD}
    fields |= {} if csrf is None else {"csrf": sent}
    assert (await stranger.post("/sign-in", fields, **headers)).status == 403
    assert (await stranger.open("/account")).path.startswith("/sign-in")


async def test_a_program_that_read_the_form_need_not_say_where_it_stood(town: Town) -> None:
    browser = await town.signed_in()
    word = (await browser.open("/account")).form("/sign-out").fields["csrf"]
    assert (await browser.post("/sign-out", {"csrf": word}, Origin="", Sec_Fetch_Site="")).path == "/sign-in"


async def test_a_form_s_word_is_of_one_browser_and_one_sign_in(town: Town) -> None:
    anna, otto = await town.signed_in(), await town.signed_in(OTTO)
    words = (await otto.open("/account")).form("/sign-out").fields
    assert (await anna.post("/sign-out", words)).status == 403
    before = town.browser()
    words = (await before.open("/sign-in")).form("/sign-in").fields
    await town.sign_in(before)
    assert (await before.post("/sign-out", words)).status == 403


async def test_a_token_that_somebody_planted_is_not_the_one_of_afterwards(town: Town) -> None:
    victim, attacker = town.browser(), town.browser()
    planted = "planted-by-somebody-else"
    victim.cookies["__Host-session"] = attacker.cookies["__Host-session"] = planted
    assert (await town.sign_in(victim)).path == "/account"
    assert victim.cookies["__Host-session"] != planted
    assert (await attacker.open("/account")).path.startswith("/sign-in")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example", "javascript:alert(1)", "evil",
     "/\t/evil.example", "/ok\r\nSet-Cookie: a=b", "/" + "a" * 5_000, ""],
)  # fmt: skip
async def test_nobody_is_led_elsewhere(town: Town, elsewhere: str) -> None:
    browser = town.browser()
    page = await browser.open(f"/sign-in?next={quote(elsewhere)}")
    page = await browser.submit(page, "/sign-in", follow=False, address=ANNA, password=PASSWORD, next=elsewhere)
    assert (page.status, page.headers["location"]) == (303, "/account")
    page = await browser.open(f"/sign-in?next={quote(elsewhere)}", follow=False)
    assert page.headers["location"] == "/account"
    page = await browser.open(f"/language/en?next={quote(elsewhere)}", follow=False)
    assert page.headers["location"] in ("/account", "/")


async def test_the_way_back_is_kept_with_its_query(town: Town) -> None:
    browser = town.browser()
    page = await browser.open("/account?a=1&b=x%2Fy")
    page = await browser.submit(page, "/sign-in", address=ANNA, password=PASSWORD)
    assert page.path == "/account?a=1&b=x%2Fy"


async def test_sessions_end_when_unused_and_when_old(town: Town) -> None:
    browser = await town.signed_in()
    for _ in range(WHOLE_SECONDS // (IDLE_SECONDS - 60)):
        town.now += IDLE_SECONDS - 60
        assert (await browser.open("/account")).path == "/account"
    town.now = START + WHOLE_SECONDS + 1
    assert (await browser.open("/account")).path.startswith("/sign-in")
    await town.sign_in(browser)
    town.now += IDLE_SECONDS + 1
    assert (await browser.open("/account")).path.startswith("/sign-in")


async def test_the_oldest_of_too_many_sessions_makes_room(town: Town) -> None:
    first, second = await town.signed_in(), await town.signed_in()
    for _ in range(MOST_SESSIONS - 1):
        town.now += 1
        await town.signed_in()
    assert (await first.open("/account")).path.startswith("/sign-in")
    assert (await second.open("/account")).path == "/account"


async def test_suspended_removed_and_renewed_accounts_have_no_sessions(town: Town) -> None:
    browser, other = await town.signed_in(), await town.signed_in(OTTO)
    await town.database.write(set_state, town.ids[ANNA], AccountState.SUSPENDED)
    assert (await browser.open("/account")).path.startswith("/sign-in")
    assert "suspended" in (await town.sign_in(browser)).text
    await town.database.write(set_state, town.ids[ANNA], AccountState.LIVE)
    assert (await browser.open("/account")).path.startswith("/sign-in")
    await town.sign_in(browser)
    await town.database.write(change_password, town.ids[ANNA], HASH, int(town.now))
    assert (await browser.open("/account")).path.startswith("/sign-in")
    await town.database.write(leave, OTTO)
    assert (await other.open("/account")).path.startswith("/sign-in")


async def test_without_tls_nothing_is_shown_and_nothing_taken(town: Town) -> None:
    def ask(method: str, path: str, host: str = "localhost") -> tuple[int, str | None, str | None]:
        client = http.client.HTTPConnection("localhost", town.ports["http"], timeout=10)
        client.request(method, path, "x=1", {"Cookie": "__Host-session=x", "Host": host})
        answer = client.getresponse()
        client.close()
        return answer.status, answer.getheader("location"), answer.getheader("set-cookie")

    base = f"https://localhost:{town.ports['https']}"
    for method, path in (("GET", "/account?a=1"), ("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/sign-out")):
        assert await asyncio.to_thread(ask, method, path) == (303, base + path, None)
    for host, to in (
        ("evil.example", "localhost"),
        ("192.0.2.7:8080", "192.0.2.7"),
        ("[2001:db8::1]:80", "[2001:db8::1]"),
        ("127.0.0.1.evil.example", "localhost"),
        ("x@evil.example", "127.0.0.1"),  # no host at all: our own end of the connection
    ):
        _, location, _ = await asyncio.to_thread(ask, "GET", "/account", host)
        assert location == f"https://{to}:{town.ports['https']}/account"


async def test_every_page_is_guarded_by_its_headers(town: Town) -> None:
    page = await (await town.signed_in()).open("/account")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert "style=" not in page.text
    assert "onclick" not in page.text
    assert "strict-transport-security" not in page.headers  # nobody outside trusts our own authority


async def test_the_language_is_the_account_s_then_the_cookie_s_then_the_browser_s(town: Town) -> None:
    browser = town.browser("zh-CN,zh;q=0.9")
    page = await browser.open("/sign-in")
    assert '<html lang="zh-CN">' in page.text
    assert "账户密码" in page.text
    page = await browser.open("/language/en?next=/sign-in")
    assert '<html lang="en">' in page.text
    assert (await browser.open("/language/tlh")).status == 404
