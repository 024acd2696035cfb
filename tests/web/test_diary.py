"""The diary on its page: in words, with what to do; and harmless, whatever clients say of themselves."""

import html
import re

import pytest

from mailhost.accounts.audit.model import DOORSTEP, Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import record_sign_ins
from mailhost.web.diary import PAGE
from tests.login.test_catalogue import FACTS
from tests.web.conftest import ANNA, OTTO, START, Town

HERE = "/account/sign-ins"
NOW = int(START)
EVIL = "<script>alert(1)</script>\"'>{{ 7*7 }} {peer} %(x)s"


def entry(account_id: int, cause: Cause, client: str = "mutt", peer: str = "192.0.2.7") -> SignIn:
    network = peer.rpartition(".")[0] + ".0/24"
    return SignIn(account_id, cause, "", "imap", 993, peer, network, "TLSv1.3", "PLAIN", client, 1)


async def write(town: Town, *rows: SignIn) -> None:
    await town.database.write(record_sign_ins, [(row, Occurrence(NOW, "c1", 1, FACTS)) for row in rows])


async def test_a_failure_is_told_with_its_remedy_and_where_it_is_done(town: Town) -> None:
    await write(town, entry(town.ids[ANNA], Cause.ACCOUNT_PASSWORD_USED))
    browser = await town.signed_in()
    page = await browser.open(HERE)
    told = html.unescape(page.text)
    assert "Your account password was right, but it was used in a mail program over IMAP" in told
    assert "Make an app password for this program" in told
    assert '<a href="/account/app-passwords">App passwords</a>' in told
    assert '<a href="/help/app-passwords">' in told
    chinese = town.browser("zh-CN")
    await town.sign_in(chinese)
    assert "账户密码正确，但它被用在通过 IMAP 收发邮件的程序里" in (await chinese.open(HERE)).text


async def test_every_remedy_leads_to_a_page(town: Town) -> None:
    await write(town, *(entry(town.ids[ANNA], cause) for cause in Cause))
    browser = await town.signed_in()
    links: set[str] = set()
    page = await browser.open(HERE)
    while True:
        links |= set(re.findall(r'href="(/[^"?]*)"', page.text))
        further = re.search(r'href="([^"]*)" rel="next"', page.text)
        if further is None:
            break
        page = await browser.open(html.unescape(further[1]))
    assert {"/account/unusual", "/account/storage", "/help/throttled"} <= links
    for link in sorted(links):
        assert (await browser.open(link)).status == 200, link


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_what_clients_say_of_themselves_is_shown_and_does_nothing(town: Town, language: str) -> None:
    rows = [entry(town.ids[ANNA], cause, EVIL) for cause in (Cause.SIGNED_IN, Cause.TOO_MANY_CONNECTIONS)]
    evil = {"devices": EVIL, "limit": 15}
    await town.database.write(record_sign_ins, [(row, Occurrence(NOW, EVIL, 1, evil)) for row in rows])
    browser = town.browser(language)
    await town.sign_in(browser)
    page = await browser.open(HERE)
    assert "<script" not in page.text
    assert html.unescape(page.text).count(EVIL) >= 4
    assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_a_page_at_a_time_and_failures_alone(town: Town) -> None:
    anna = town.ids[ANNA]
    await write(town, *(entry(anna, Cause.SIGNED_IN, f"good {number}") for number in range(PAGE)))
    await write(town, *(entry(anna, Cause.WRONG_PASSWORD_REPEATED, f"bad {number}") for number in range(PAGE + 3)))
    browser = await town.signed_in()
    seen: list[str] = []
    page = await browser.open(f"{HERE}?show=failures")
    sizes = []
    while True:
        found = re.findall(r"<dd>((?:bad|good) \d+)</dd>", page.text)
        sizes.append(len(found))
        seen += found
        further = re.search(r'href="([^"]*)" rel="next"', page.text)
        if further is None:
            break
        page = await browser.open(html.unescape(further[1]))
    assert seen == [f"bad {number}" for number in reversed(range(PAGE + 3))]
    assert sizes == [PAGE, 3]
    page = await browser.open(f"{HERE}?before=1")
    assert "There is nothing to tell" in page.text
    for before in ("x", "-1", "9" * 40, "1 or 1=1"):
        assert (await browser.open(f"{HERE}?before={before.replace(' ', '%20')}")).status == 404


async def test_owners_read_their_own_and_their_doorstep_and_nobody_else_anything(town: Town) -> None:
    anna = town.ids[ANNA]
    await write(
        town,
        entry(anna, Cause.SIGNED_IN, "Anna's own"),
        entry(DOORSTEP, Cause.PLAIN_TEXT_REFUSED, "near"),
        entry(DOORSTEP, Cause.PLAIN_TEXT_REFUSED, "far", peer="198.51.100.7"),
    )
    page = await (await town.signed_in()).open(HERE)
    assert ("near" in page.text, "198.51.100.7" in page.text) == (True, False)
    page = await (await town.signed_in(OTTO)).open(HERE)
    assert ("Anna" in page.text, "192.0.2.7" in page.text) == (False, False)
    assert (await town.browser().open(HERE)).path.startswith("/sign-in")
