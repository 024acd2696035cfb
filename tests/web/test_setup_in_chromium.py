"""The set-up page in Debian's Chromium: both languages, a telephone's width, copying, and without script."""

import pytest

from tests.running import Server
from tests.web.chromium import ADDRESS, DESK, TELEPHONE, person

PAGE = f"/setup?address={ADDRESS}"


@pytest.mark.parametrize("viewport", [DESK, TELEPHONE], ids=["desk", "telephone"])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_nobody_stumbles_with_everything_open(
    server: Server, browser: object, locale: str, viewport: dict[str, int]
) -> None:
    someone = person(browser, server, locale=locale, viewport=viewport)
    someone.open(PAGE)
    opened = 'each => { each.removeAttribute("name"); each.open = true; }'
    someone.page.evaluate(f'document.querySelectorAll("details").forEach({opened})')
    assert someone.stumbles() == []
    assert someone.page.locator("svg.qr").is_visible()
    assert someone.complaints == []


def test_a_button_copies_and_says_so(server: Server, browser: object) -> None:
    someone = person(browser, server, permissions=["clipboard-read", "clipboard-write"])
    someone.open(PAGE)
    someone.page.get_by_role("button", name=f"Copy: {ADDRESS}").click()
    someone.page.get_by_text("Copied", exact=True).wait_for()
    assert someone.page.evaluate("navigator.clipboard.readText()") == ADDRESS
    assert someone.complaints == []


def test_a_link_to_a_program_opens_its_steps_and_one_closes_the_other(server: Server, browser: object) -> None:
    someone = person(browser, server)
    someone.open(f"{PAGE}#foxmail")
    steps = someone.page.locator("#foxmail ol")
    steps.wait_for()
    someone.page.locator("#mutt summary").click()
    assert not steps.is_visible()
    assert "smtps://" in someone.page.locator("#mutt pre").inner_text()


def test_without_script_the_form_makes_it_personal(server: Server, browser: object) -> None:
    someone = person(browser, server, java_script_enabled=False, viewport=TELEPHONE)
    someone.open("/")
    someone.page.get_by_label("Your address").fill("nobody@example.test")
    someone.press("Show my settings")
    assert someone.page.locator("dd code").first.inner_text() == "nobody@example.test"
    assert someone.page.get_by_role("button", name="Copy").count() == 0
    someone.page.get_by_label("Your address").fill("somebody@elsewhere.example")
    someone.press("Show my settings")
    assert "is not here" in someone.page.get_by_role("alert").inner_text()
