"""The second step over the real door: app, passkey, backup codes; used twice, guessed at, from elsewhere."""

import asyncio
import html
import re

import pyotp
import pytest

from mailhost.accounts import has_two_step, list_app_passwords
from mailhost.accounts.audit.model import Cause
from mailhost.accounts.second_steps.sql import second_steps
from mailhost.accounts.web_sessions.sql import HALF_SECONDS
from mailhost.login.enrol import issue_own_app_password, leave
from mailhost.login.second_step import reset_two_step
from mailhost.storage.database import Tx
from tests.web.authenticator import SoftKey, tampered
from tests.web.browsing import Browser, Page
from tests.web.conftest import ANNA, PASSWORD, Town

EVIL = "<script>alert(1)</script>\"'{{7*7}}%s\\"
NEW_CODE = 61.0  # seconds until even a neighbour's code is another one


def options_of(page: Page) -> str:
    [found] = re.findall(r'data-options="([^"]+)"', page.text)
    return html.unescape(found)


def codes_of(page: Page) -> list[str]:
    return re.findall(r"<li>([a-z0-9]{5}-[a-z0-9]{5})</li>", page.text)


async def add_app(town: Town, browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    """Set an authenticator app up as a person does; the app and the backup codes."""
    page = await browser.open("/account/two-step/app")
    [secret] = re.findall(r'<code class="secret">([A-Z2-7 ]+)</code>', page.text)
    app = pyotp.TOTP(secret.replace(" ", ""))
    page = await browser.submit(page, "/account/two-step/app", code=app.at(town.now))
    assert page.status == 200
    town.now += NEW_CODE
    return app, codes_of(page)


async def add_passkey(browser: Browser, name: str = "my phone", *, counts: bool = True) -> tuple[SoftKey, Page]:
    key = SoftKey(browser.origin, counts=counts)
    page = await browser.open("/account/two-step/passkey")
    answer = key.make(options_of(page))
    return key, await browser.submit(page, "/account/two-step/passkey", name=name, passkey=answer)


async def test_an_app_of_codes_from_setting_up_to_signing_in(town: Town) -> None:
    browser = await town.signed_in()
    page = await browser.open("/account/two-step/app")
    assert "<svg" in page.text
    wrong = await browser.submit(page, "/account/two-step/app", code="000000")
    assert wrong.status == 403
    assert wrong.form("/account/two-step/app").fields["salt"] == page.form("/account/two-step/app").fields["salt"]
    assert not await town.database.read(has_two_step, town.ids[ANNA])
    app, codes = await add_app(town, browser)
    assert len({*codes}) == 10
    assert await town.database.read(has_two_step, town.ids[ANNA])

    other = town.browser()
    page = await town.sign_in(other, to="/account/settings")
    assert page.path.startswith("/sign-in/second")
    assert (await other.open("/account")).path.startswith("/sign-in?")  # half a sign-in opens nothing
    page = await other.submit(page, "/sign-in/second", code=f" {app.at(town.now)[:3]} {app.at(town.now)[3:]} ")
    assert page.path == "/account/settings"
    assert {*await town.causes()} == {Cause.SIGNED_IN, Cause.SECOND_STEP_AWAITED}


async def test_a_code_works_once_whoever_saw_it(town: Town) -> None:
    app, _ = await add_app(town, await town.signed_in())
    code = app.at(town.now)
    first, second = town.browser(), town.browser()
    pages = [await town.sign_in(browser) for browser in (first, second)]
    assert (await first.submit(pages[0], "/sign-in/second", code=code)).path == "/account"
    page = await second.submit(pages[1], "/sign-in/second", code=code)
    assert page.status == 403
    assert "aria-invalid" in page.text
    older = app.at(town.now - 30)
    assert (await second.submit(pages[1], "/sign-in/second", code=older)).status == 403
    assert (await second.open("/account")).path.startswith("/sign-in")
    town.now += 30
    assert (await second.submit(pages[1], "/sign-in/second", code=app.at(town.now))).path == "/account"
    assert (await town.causes()).count(Cause.SECOND_STEP_WRONG) == 1  # equal ones within a moment are one row


async def test_the_code_that_set_the_app_up_opens_nothing(town: Town) -> None:
    app, _ = await add_app(town, await town.signed_in())
    town.now -= NEW_CODE
    browser = town.browser()
    page = await town.sign_in(browser)
    assert (await browser.submit(page, "/sign-in/second", code=app.at(town.now))).status == 403


async def test_guessing_at_codes_has_to_wait_wherever_it_comes_from(town: Town) -> None:
    app, codes = await add_app(town, await town.signed_in())
    browser = town.browser()
    page = await town.sign_in(browser)
    statuses = []
    for number in range(7):
        guess = f"{(int(app.at(town.now)) + number + 1) % 1_000_000:06}"
        statuses.append((await browser.submit(page, "/sign-in/second", code=guess)).status)
    assert statuses == [403] * 6 + [429]
    assert (await browser.submit(page, "/sign-in/second", code=app.at(town.now))).status == 429
    assert (await browser.submit(page, "/sign-in/second", code=codes[0])).status == 429
    another = town.browser()
    page = await town.sign_in(another)
    assert (await another.submit(page, "/sign-in/second", code=app.at(town.now))).status == 429
    town.now += 6
    assert (await another.submit(page, "/sign-in/second", code=app.at(town.now))).path == "/account"


async def test_each_backup_code_works_once_and_new_ones_end_the_old(town: Town) -> None:
    browser = await town.signed_in()
    _, codes = await add_app(town, browser)
    other = town.browser()
    page = await town.sign_in(other)
    page = await other.submit(page, "/sign-in/second", code=codes[3].upper().replace("-", " "))
    assert page.path == "/account"
    assert "9 left" in page.text
    third = town.browser()
    page = await town.sign_in(third)
    assert (await third.submit(page, "/sign-in/second", code=codes[3])).status == 403
    fresh = codes_of(await other.submit(await other.open("/account"), "/account/two-step/codes"))
    assert len({*fresh, *codes}) == 20
    assert (await third.submit(page, "/sign-in/second", code=codes[4])).status == 403
    assert (await third.submit(page, "/sign-in/second", code=fresh[4])).path == "/account"


@pytest.mark.parametrize("counts", [True, False])
async def test_a_passkey_from_adding_it_to_signing_in(town: Town, counts: bool) -> None:
    browser = await town.signed_in()
    key, page = await add_passkey(browser, "Anna's “phone”", counts=counts)
    assert len(codes_of(page)) == 10
    page = await browser.open("/account")
    assert "Anna&#39;s “phone”" in page.text
    for _ in range(2):
        other = town.browser()
        page = await town.sign_in(other)
        page = await other.submit(page, "/sign-in/second", passkey=key.sign(options_of(page)))
        assert page.path == "/account"
    assert "last used" in page.text


async def test_a_passkey_s_answer_is_for_one_question_of_one_browser(town: Town) -> None:
    key, _ = await add_passkey(await town.signed_in())
    first, second = town.browser(), town.browser()
    page, other = await town.sign_in(first), await town.sign_in(second)
    answer = key.sign(options_of(page))
    assert (await second.submit(other, "/sign-in/second", passkey=answer)).status == 403  # stolen on its way
    assert (await first.submit(page, "/sign-in/second", passkey=answer)).path == "/account"
    third = town.browser()
    await town.sign_in(third)
    page = await third.open("/sign-in/second")
    assert (await third.submit(page, "/sign-in/second", passkey=answer)).status == 403  # replayed


@pytest.mark.parametrize(
    "trick", ["origin", "subdomain", "host", "kind", "signature", "authenticatorData", "copy", "junk"]
)
async def test_a_passkey_used_in_a_wrong_way_opens_nothing(town: Town, trick: str) -> None:
    browser = await town.signed_in()
    key, _ = await add_passkey(browser)
    other = town.browser()
    page = await town.sign_in(other)
    options = options_of(page)
    match trick:
        case "origin":
            answer = key.sign(options, origin="https://localhost.evil.example")
        case "subdomain":
            answer = key.sign(options, origin=f"https://evil.localhost:{other.port}")
        case "host":
            answer = key.sign(options, host="evil.example")
        case "kind":
            answer = key.sign(options, kind="webauthn.create")
        case "copy":
            assert (await other.submit(page, "/sign-in/second", passkey=key.sign(options))).path == "/account"
            other, key.counter = town.browser(), 0
            page = await town.sign_in(other)
            answer = key.sign(options_of(page))
        case "junk":
            answer = '{"id": []}'
        case _:
            answer = tampered(key.sign(options), trick)
    page = await other.submit(page, "/sign-in/second", passkey=answer)
    assert page.status == 403
    if trick != "copy":
        assert (await other.submit(page, "/sign-in/second", passkey=key.sign(options_of(page)))).path == "/account"
    assert Cause.SECOND_STEP_WRONG in await town.causes()


async def test_a_stranger_s_passkey_opens_nothing(town: Town) -> None:
    await add_passkey(await town.signed_in())
    browser = town.browser()
    page = await town.sign_in(browser)
    assert (
        await browser.submit(page, "/sign-in/second", passkey=SoftKey(browser.origin).sign(options_of(page)))
    ).status == 403


@pytest.mark.parametrize(
    "answer", ["", "{", "[]", '{"id": 1}', '{"id":"AA","rawId":"AA","type":"public-key","response":{}}']
)
async def test_what_is_no_passkey_is_not_kept(town: Town, answer: str) -> None:
    browser = await town.signed_in()
    page = await browser.open("/account/two-step/passkey")
    page = await browser.submit(page, "/account/two-step/passkey", name="x", passkey=answer)
    assert page.status == 403
    key = SoftKey(browser.origin)
    page = await browser.submit(
        page, "/account/two-step/passkey", name="x", passkey=key.make(options_of(page), origin="https://evil.example")
    )
    assert page.status == 403
    page = await browser.submit(page, "/account/two-step/passkey", name=" ", passkey=key.make(options_of(page)))
    assert page.status == 403
    assert "aria-describedby" in page.text
    assert not await town.database.read(has_two_step, town.ids[ANNA])


async def test_names_do_not_become_code(town: Town) -> None:
    browser = await town.signed_in()
    _, page = await add_passkey(browser, EVIL)
    assert page.status == 200
    page = await browser.open("/account")
    assert "<script>alert" not in page.text
    assert html.unescape(page.text).count(EVIL) == 2  # the name, and the label of its button


async def test_grave_things_want_the_second_step_anew(town: Town) -> None:
    browser = await town.signed_in()
    app, _ = await add_app(town, browser)
    page = await browser.open("/account")
    token = browser.cookies["__Host-session"]
    town.now += 601
    again = await browser.submit(page, "/account/two-step/codes")
    assert again.path == "/sign-in/again?next=%2Faccount"
    assert (await browser.submit(again, "/sign-in/again", code="000000")).status == 403
    page = await browser.submit(again, "/sign-in/again", code=app.at(town.now))
    assert page.path == "/account"
    assert browser.cookies["__Host-session"] != token
    assert len(codes_of(await browser.submit(page, "/account/two-step/codes"))) == 10


async def test_without_a_second_step_it_is_the_password_that_is_asked_anew(town: Town) -> None:
    browser = await town.signed_in()
    town.now += 601
    page = await browser.open("/account/two-step/app")
    assert page.path.startswith("/sign-in/again")
    assert (await browser.submit(page, "/sign-in/again", password="wrong")).status == 403
    assert (await browser.submit(page, "/sign-in/again", password=PASSWORD)).path == "/account/two-step/app"


async def test_the_second_step_does_not_wait_for_ever(town: Town) -> None:
    app, _ = await add_app(town, await town.signed_in())
    browser = town.browser()
    page = await town.sign_in(browser)
    town.now += HALF_SECONDS + 1
    assert (await browser.submit(page, "/sign-in/second", code=app.at(town.now))).path.startswith("/sign-in?")


async def test_each_step_draws_another_token(town: Town) -> None:
    app, _ = await add_app(town, await town.signed_in())
    browser = town.browser()
    seen = set()
    page = await browser.open("/sign-in")
    seen.add(browser.cookies["__Host-session"])
    page = await browser.submit(page, "/sign-in", address=ANNA, password=PASSWORD)
    half = browser.cookies["__Host-session"]
    seen.add(half)
    await browser.submit(page, "/sign-in/second", code=app.at(town.now))
    seen.add(browser.cookies["__Host-session"])
    assert len(seen) == 3
    thief = town.browser()
    thief.cookies["__Host-session"] = half
    assert (await thief.open("/account")).path.startswith("/sign-in")


async def test_switching_off_says_what_ends_and_ends_it(town: Town) -> None:
    browser = await town.signed_in()
    await add_app(town, browser)
    account_id = town.ids[ANNA]
    await town.database.write(issue_own_app_password, town.key, account_id, name=EVIL, now=int(town.now))
    page = await browser.open("/account/two-step/off")
    assert html.unescape(page.text).count(EVIL) == 1
    page = await browser.submit(page, "/account/two-step/off")
    assert "ended with it: 1." in page.text
    assert not await town.database.read(list_app_passwords, account_id)
    steps = await town.database.read(second_steps, account_id)
    assert (steps.app_since, steps.passkeys, steps.codes_left) == (None, [], 0)
    assert (await town.sign_in(town.browser())).path == "/account"


async def test_the_last_step_cannot_be_removed_by_the_way(town: Town) -> None:
    browser = await town.signed_in()
    await add_passkey(browser)
    page = await browser.submit(await browser.open("/account"), "/account/two-step/passkey/1/remove")
    assert page.path == "/account/two-step/off"
    await add_app(town, browser)
    page = await browser.submit(await browser.open("/account"), "/account/two-step/passkey/1/remove")
    assert page.path == "/account?done=passkey-removed"
    assert await town.database.read(has_two_step, town.ids[ANNA])


async def test_a_lost_telephone_is_no_lost_account(town: Town) -> None:
    browser = await town.signed_in()
    app, old = await add_app(town, browser)
    codes = await town.database.write(reset_two_step, town.key, town.ids[ANNA])
    assert (await browser.open("/account")).path.startswith("/sign-in")
    page = await town.sign_in(browser)
    for dead in (app.at(town.now), old[0]):
        assert (await browser.submit(page, "/sign-in/second", code=dead)).status == 403
    page = await browser.submit(page, "/sign-in/second", code=codes[0])
    assert "backup codes only" in page.text
    await add_app(town, browser)
    assert "backup codes only" not in (await browser.open("/account")).text


async def test_many_tries_at_once_are_looked_at_one_after_the_other(town: Town) -> None:
    app, _ = await add_app(town, await town.signed_in())
    browser = town.browser()
    page = await town.sign_in(browser)
    code = app.at(town.now)
    wrong = [f"{(int(code) + number + 1) % 1_000_000:06}" for number in range(12)]
    answers = await asyncio.gather(*(browser.submit(page, "/sign-in/second", code=guess) for guess in wrong))
    assert sorted(answer.status for answer in answers) == [403] * 6 + [429] * 6


async def test_of_one_code_given_twice_at_once_only_one_opens(town: Town) -> None:
    app, codes = await add_app(town, await town.signed_in())
    for code in (app.at(town.now), codes[0]):
        browsers = [town.browser() for _ in range(4)]
        pages = [await town.sign_in(browser) for browser in browsers]
        answers = await asyncio.gather(
            *(
                browser.submit(page, "/sign-in/second", follow=False, code=code)
                for browser, page in zip(browsers, pages, strict=True)
            )
        )
        assert sorted(answer.status for answer in answers) == [303, 403, 403, 403]


async def test_the_owner_hears_of_what_guards_the_account(town: Town) -> None:
    browser = await town.signed_in()
    await add_app(town, browser)
    await add_passkey(browser, EVIL)
    await browser.submit(await browser.open("/account"), "/account/two-step/codes")
    page = await browser.submit(await browser.open("/account"), "/account/two-step/app/remove")
    assert "is removed" in page.text
    await browser.submit(await browser.open("/account/two-step/off"), "/account/two-step/off")
    told = await town.messages()
    assert len(told) == 5
    for message, words in zip(
        told, ("switched on", "passkey of anna", "New backup codes", "authenticator app", "switched off"), strict=True
    ):
        assert words in message
        assert "If it was not you, change the account password at once" in message
        assert "如果不是您本人" in message
        assert "https://mail.example.test/account\r\n" in message
        assert EVIL not in message


async def test_the_owner_hears_once_that_somebody_guesses_at_codes(town: Town) -> None:
    await add_app(town, await town.signed_in())
    before = len(await town.messages())
    browser = town.browser()
    page = await town.sign_in(browser)
    for number in range(8):
        await browser.submit(page, "/sign-in/second", code=f"wrong-{number:05}")
        town.now += 10
    [message] = (await town.messages())[before:]
    assert "somebody knows your account password" in message


async def test_a_removed_account_leaves_nothing_of_it(town: Town) -> None:
    browser = await town.signed_in()
    await add_app(town, browser)
    await add_passkey(browser)
    await town.database.write(leave, ANNA)

    def count(tx: Tx) -> list[int]:
        tables = ("web_session", "authenticator", "passkey", "backup_code")
        return [tx.execute(f"select count(*) from {table}")[0][0] for table in tables]

    assert await town.database.read(count) == [0, 0, 0, 0]


async def test_under_another_name_of_the_host_there_are_no_passkeys(town: Town) -> None:
    browser = await town.signed_in()
    key, _ = await add_passkey(browser)
    elsewhere = {"Host": f"mail.example.test:{browser.port}"}
    page = await browser.open("/account/two-step/passkey", **elsewhere)
    assert "bound to the name of this server" in page.text
    assert "data-options" not in page.text
    other = town.browser()
    page = await town.sign_in(other)
    answer = key.sign(options_of(page), origin=f"https://mail.example.test:{browser.port}", host="mail.example.test")
    fields = page.form("/sign-in/second", "passkey").fields | {"passkey": answer}
    origin = f"https://mail.example.test:{browser.port}"
    assert (await other.post("/sign-in/second", fields, Origin=origin, **elsewhere)).status == 403
