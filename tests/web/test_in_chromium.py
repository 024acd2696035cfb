"""The account pages in Debian's Chromium: passkeys, the keyboard, no script, both languages, a telephone's width."""

import pytest

from mailhost.web.pages import NAVIGATION
from tests.running import Server
from tests.web.chromium import PASSWORD, TELEPHONE, Person, add_key, person

PAGES = (
    *NAVIGATION,
    "/account/two-step/app",
    "/account/two-step/passkey",
    "/account/password",
    "/",
    "/help",
    "/help/web",
)


def switch_off(someone: Person) -> None:
    """So that the next test begins as this one did."""
    someone.open("/account/two-step/off")
    someone.press("Switch off")
    someone.arrive("/account")
    assert "is off" in someone.page.get_by_role("status").inner_text()


def test_a_passkey_opens_the_account(server: Server, browser: object) -> None:
    someone = person(browser, server)
    add_key(someone)
    someone.open("/account")
    someone.sign_in()
    someone.arrive("/account")
    someone.press("Add a passkey")
    someone.page.get_by_label("Name").fill("Chromium's own")
    someone.press("Add a passkey")
    someone.page.locator(".codes").wait_for()
    assert someone.page.locator(".codes li").count() == 10
    someone.press("I have kept them")
    someone.arrive("/account")
    assert "Chromium's own" in someone.page.get_by_role("main").inner_text()

    someone.press("Add a passkey")  # the same one is not taken twice
    someone.page.get_by_label("Name").fill("again")
    someone.press("Add a passkey")
    someone.page.get_by_role("alert").filter(has_text="known already").wait_for()

    someone.press("Sign out")
    someone.sign_in()
    someone.arrive("/sign-in/second")
    someone.press("Use a passkey")
    someone.arrive("/account")
    assert "last used" in someone.page.get_by_role("main").inner_text()
    switch_off(someone)
    assert someone.complaints == []


def test_with_the_keyboard_alone(server: Server, browser: object) -> None:
    someone = person(browser, server)
    someone.open("/sign-in")
    keyboard = someone.page.keyboard
    someone.page.locator("#address:focus").wait_for()
    keyboard.type("me@example.test")
    keyboard.press("Tab")
    keyboard.type("wrong")
    keyboard.press("Enter")
    someone.page.get_by_role("alert").wait_for()
    someone.page.locator("#password:focus").wait_for()
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    someone.arrive("/account")
    keyboard.press("Tab")
    focused = "document.activeElement.textContent.trim()"
    assert someone.page.evaluate(focused) == "To the content"
    keyboard.press("Enter")
    keyboard.press("Tab")
    assert someone.page.evaluate(focused) == "Set up an authenticator app"
    keyboard.press("Enter")
    someone.arrive("/account/two-step/app")


def test_without_javascript(server: Server, browser: object) -> None:
    someone = person(browser, server, java_script_enabled=False)
    someone.open("/account")
    someone.sign_in()
    someone.arrive("/account")
    someone.set_app_up()
    someone.open("/account")
    someone.press("Sign out")
    someone.sign_in()
    someone.arrive("/sign-in/second")
    assert not someone.page.get_by_role("button", name="Use a passkey").is_visible()
    someone.page.get_by_label("Code", exact=True).fill(someone.next_code())
    someone.press("Go on")
    someone.arrive("/account")
    someone.open("/account/two-step/passkey")
    assert someone.page.get_by_text("Passkeys need JavaScript.").is_visible()
    switch_off(someone)


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("options", [{}, {"viewport": TELEPHONE}], ids=["desk", "telephone"])
def test_nobody_stumbles(server: Server, browser: object, language: str, options: dict[str, object]) -> None:
    someone = person(browser, server, locale=language, **options)
    someone.open("/sign-in")
    found = {"/sign-in": someone.stumbles()}
    someone.page.locator("#address").fill("me@example.test")
    someone.page.locator("#password").fill(PASSWORD)
    someone.page.locator("main button").click()
    someone.arrive("/account")
    tag = "zh-CN" if language == "zh-CN" else "en"
    for path in PAGES:
        someone.open(path)
        someone.arrive(path)
        assert someone.page.locator("html").get_attribute("lang") == tag
        found[path] = someone.stumbles()
    assert {path: stumbles for path, stumbles in found.items() if stumbles} == {}
    assert someone.complaints == []
