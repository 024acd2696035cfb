"""A sign-in that was held: the client is sent to a page that works, and its owner answers there."""

import html
import re
from urllib.parse import urlsplit

import pytest

from mailhost import accounts
from mailhost.accounts.audit.model import Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import record_sign_ins
from mailhost.accounts.credentials.sql import does_roam
from mailhost.accounts.held.sql import State, hold, list_held
from mailhost.accounts.places.sql import places_of, record_places
from mailhost.login.enrol import issue_app_password
from mailhost.storage.database import Tx
from tests.web.conftest import ANNA, OTTO, START, MakePhone, Town

HERE = "/account/unusual"
NOW = int(START)
FAR = "203.0.113.0/24"


async def held(town: Town, address: str = ANNA, credential: int = 1, client: str = "mutt") -> int:
    """A sign-in that waits; returns its number."""
    account_id = town.ids[address]

    def note(tx: Tx) -> int:
        hold(
            tx,
            account_id,
            credential,
            network=FAR,
            client=client,
            peer="203.0.113.9",
            protocol="imap",
            why="network,far,failures",
            now=NOW,
        )
        return list_held(tx, account_id)[0].id

    return await town.database.write(note)


async def app_password(town: Town, address: str = ANNA) -> str:
    _, secret = await town.database.write(issue_app_password, town.key, address, name="Anna’s phone", now=NOW)
    return secret


async def test_from_the_refusal_to_the_answer_and_in(town: Town, phone: MakePhone) -> None:
    secret, anna = await app_password(town), town.ids[ANNA]
    # At home elsewhere, with many failures lately: a new network, another part of the Internet, and these.
    await town.database.write(record_places, [(anna, 1, FAR, "mutt", NOW - 7_200)])
    wrong = SignIn(anna, Cause.WRONG_PASSWORD, "", "imap", 993, "198.51.100.7", "198.51.100.0/24", None, "", "", None)
    await town.database.write(record_sign_ins, [(wrong, Occurrence(NOW, "c1", 10))])
    device = phone(ANNA, secret)
    said = await device.sign_in()
    [url] = re.findall(r"https://\S+/account/unusual", said)
    parts = urlsplit(url)
    assert parts.port == town.ports["https"]
    browser = town.browser()
    page = await browser.open(parts.path)
    assert page.path.startswith("/sign-in")
    page = await town.sign_in(browser, to=parts.path)
    told = html.unescape(page.text)
    assert "Anna’s phone" in told
    assert "127.0.0.1" in told
    assert "a new network, in another part of the Internet than before, many failed sign-ins" in told
    for where in ("/account", "/account/sign-ins"):
        assert "1 sign-in waits for your word." in (await browser.open(where)).text
    page = await browser.submit(page, f"{HERE}/1/mine")
    assert page.path == f"{HERE}?said=mine"
    assert await device.sign_in() == "OK"
    [one] = await town.database.read(list_held, anna)
    assert one.state is State.APPROVED
    assert not await town.database.read(does_roam, anna, 1)


async def test_a_program_that_comes_through_a_cloud_gets_in_from_everywhere(town: Town) -> None:
    await app_password(town)
    number = await held(town)
    browser = await town.signed_in()
    page = await browser.open(HERE)
    await browser.submit(page, f"{HERE}/{number}/mine", everywhere="yes")
    assert await town.database.read(does_roam, town.ids[ANNA], 1)
    assert [place.network for place in await town.database.read(places_of, town.ids[ANNA], 1)] == [FAR]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_it_was_not_me_ends_the_password_and_leads_on(town: Town, phone: MakePhone, language: str) -> None:
    secret = await app_password(town)
    device = phone(ANNA, secret)
    assert await device.sign_in() == "OK"
    number = await held(town)
    browser = town.browser(language)
    page = await town.sign_in(browser, to=HERE)
    page = await browser.submit(page, f"{HERE}/{number}/not-mine")
    assert ("That password is revoked" if language == "en" else "该密码已撤销") in page.text
    assert 'href="/account/password"' in page.text
    assert 'href="/account/app-passwords/new"' in page.text
    assert "203.0.113.9" in page.text
    assert await device.ends() < 1
    assert "Invalid credentials" in await device.sign_in()
    again = await browser.submit(await browser.open(HERE), "/sign-out", follow=False)
    assert again.status == 303


async def test_an_answer_is_given_once(town: Town) -> None:
    await app_password(town)
    number = await held(town)
    browser = await town.signed_in()
    page = await browser.open(HERE)
    assert (await browser.submit(page, f"{HERE}/{number}/mine")).path == f"{HERE}?said=mine"
    assert (await browser.submit(page, f"{HERE}/{number}/not-mine")).path == f"{HERE}?said=settled"
    assert [one.state for one in await town.database.read(list_held, town.ids[ANNA])] == [State.APPROVED]
    assert (await browser.submit(page, f"{HERE}/{number}/mine")).path == f"{HERE}?said=settled"


async def test_of_a_password_that_has_ended_nothing_can_be_approved(town: Town) -> None:
    await app_password(town)
    number = await held(town)
    browser = await town.signed_in()
    page = await browser.open(HERE)
    await town.database.write(accounts.revoke_app_password, town.ids[ANNA], 1, NOW)
    after = await browser.submit(page, f"{HERE}/{number}/mine", everywhere="yes")
    assert after.path == f"{HERE}?said=ended"
    assert "The password has ended meanwhile" in after.text
    assert "waits for your word" not in (await browser.open("/account")).text
    assert f"{HERE}/{number}/mine" not in after.text


async def test_what_was_let_in_can_be_disowned_too(town: Town) -> None:
    await app_password(town)
    row = SignIn(town.ids[ANNA], Cause.SIGNED_IN_UNUSUALLY, "", "imap", 993, "203.0.113.9", FAR, None, "", "<evil>", 1)
    await town.database.write(record_sign_ins, [(row, Occurrence(NOW, "c1", 1, {"why": "network,far,program"}))])
    browser = await town.signed_in()
    page = await browser.open(HERE)
    assert "&lt;evil&gt; signed in over IMAP from 203.0.113.9" in page.text
    page = await browser.submit(page, f"{HERE}/password/1/not-mine")
    assert "That password is revoked" in page.text
    assert await town.database.read(accounts.list_app_passwords, town.ids[ANNA]) == []


async def test_letting_somebody_in_wants_a_proof_of_the_last_ten_minutes(town: Town) -> None:
    await app_password(town)
    number = await held(town)
    browser = await town.signed_in()
    page = await browser.open(HERE)
    town.now += 601
    after = await browser.submit(page, f"{HERE}/{number}/mine", follow=False)
    assert after.headers["location"].startswith("/sign-in")
    assert [one.state for one in await town.database.read(list_held, town.ids[ANNA])] == [State.WAITING]
    assert "is revoked" in (await browser.submit(page, f"{HERE}/{number}/not-mine")).text


async def test_strangers_decide_nothing(town: Town) -> None:
    await app_password(town)
    number = await held(town, client="Anna’s program")
    annas, ottos = await town.signed_in(), await town.signed_in(OTTO)
    page = await ottos.open(HERE)
    assert "Anna" not in page.text
    csrf = {"csrf": page.form("/sign-out").fields["csrf"]}
    paths = (f"{HERE}/{number}/mine", f"{HERE}/{number}/not-mine", f"{HERE}/password/1/not-mine", f"{HERE}/x/mine")
    for path in paths:
        assert (await ottos.post(path, csrf)).status == 404, path
        assert (await annas.post(path, {})).status == 403, path
    assert [one.state for one in await town.database.read(list_held, town.ids[ANNA])] == [State.WAITING]
    assert len(await town.database.read(accounts.list_app_passwords, town.ids[ANNA])) == 1


async def test_evil_clients_are_shown_and_do_nothing(town: Town) -> None:
    await app_password(town)
    await held(town, client="<script>alert(1)</script>")
    page = await (await town.signed_in()).open(HERE)
    assert "<script" not in page.text
    assert "<script>alert(1)</script>" in html.unescape(page.text)
