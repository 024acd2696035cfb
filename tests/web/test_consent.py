"""Letting programs in on pages: consent, the code of a device, the list of programs; and those who try to cheat."""

import asyncio
import http.client
import json
import re
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from html import escape, unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from mailhost import oauth
from mailhost.accounts.places.sql import record_places
from mailhost.accounts.sessions.sql import LiveSession, record_sessions
from mailhost.login.programs import CODE_WAIT_SECONDS, MAX_WRONG_CODES
from mailhost.oauth import SCOPES, Kind, NewClient
from mailhost.storage.database import Tx
from mailhost.web.consent import SCOPES as WORDS
from tests.web.browsing import Browser, Page
from tests.web.conftest import ANNA, OTTO, PASSWORD, START, Town
from tests.web.test_second_step import add_app

VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1:7777/done"
EVIL = "<img src=x onerror=alert(1)>"


async def program(town: Town, kind: Kind = Kind.NATIVE, **changes: object) -> NewClient:
    usual: dict[str, object] = {"name": "Thunderbird", "kind": kind, "now": int(START)}
    if kind is Kind.NATIVE:
        usual["redirect_uris"] = ("http://127.0.0.1/done", "com.example.app:/done")
    return await town.database.write(oauth.make_client, town.key, **(usual | changes))


def request_of(client: NewClient, **changes: str) -> str:
    fields = {
        "response_type": "code",
        "client_id": client.client.id,
        "redirect_uri": REDIRECT,
        "scope": "imap.readonly send-only",
        "state": "x y&z",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return "/oauth/authorize?" + urlencode({name: value for name, value in (fields | changes).items() if value})


async def grants(town: Town, address: str = ANNA) -> list[oauth.Grant]:
    return await town.database.read(oauth.list_grants, town.ids[address])


def answer_of(page: Page) -> dict[str, str]:
    """What the redirect tells the program."""
    return dict(parse_qsl(urlsplit(page.headers["location"]).query))


async def consenting(town: Town, client: NewClient, browser: Browser | None = None, **changes: str) -> Page:
    """The consent page, for somebody who signs in on the way."""
    browser = browser or town.browser()
    page = await browser.open(request_of(client, **changes))
    if page.path.startswith("/sign-in"):
        page = await browser.submit(page, "/sign-in", address=ANNA, password=PASSWORD)
    return page


async def post(town: Town, path: str, **fields: str) -> tuple[int, dict[str, str]]:
    """What a program asks, without cookies."""
    page = await town.browser().post(path, fields, follow=False, Origin="", Referer="", Sec_Fetch_Site="")
    return page.status, json.loads(page.text) if page.text else {}


async def test_signing_in_consenting_and_getting_a_token(town: Town) -> None:
    client, browser = await program(town), town.browser()
    page = await consenting(town, client, browser)
    assert page.path == request_of(client)
    for words in ("Let “Thunderbird” use your mail?", ANNA, "Read your mail, and change nothing", "Send mail from"):
        assert words in page.text
    assert "form-action 'self' http://127.0.0.1:7777;" in page.headers["content-security-policy"] + ";"
    answered = await browser.submit(page, page.path, follow=False, answer="allow")
    assert answered.status == 303
    assert answered.headers["location"].startswith(f"{REDIRECT}?code=")
    told = answer_of(answered)
    assert (told["state"], told["iss"]) == ("x y&z", browser.origin)
    fields = {"grant_type": "authorization_code", "code": told["code"], "redirect_uri": REDIRECT}
    status, got = await post(town, "/oauth/token", **fields, code_verifier=VERIFIER, client_id=client.client.id)
    assert (status, got["scope"]) == (200, "imap.readonly send-only")
    assert [grant.name for grant in await grants(town)] == ["Thunderbird"]
    assert await grants(town, OTTO) == []


async def test_no_is_told_to_the_program(town: Town) -> None:
    client, browser = await program(town), town.browser()
    page = await consenting(town, client, browser, redirect_uri="com.example.app:/done")
    assert "form-action 'self' com.example.app:" in page.headers["content-security-policy"]
    for answer in ({"answer": "deny"}, {}):
        answered = await browser.submit(page, page.path, follow=False, **answer)
        assert answered.headers["location"].startswith("com.example.app:/done?error=access_denied")
    assert await grants(town) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": EVIL},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://127.0.0.1:7777/other"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": f"http://127.0.0.1/done?{EVIL}"},
        {"redirect_uri": ""},
    ],
)
async def test_nobody_is_led_to_where_the_program_is_not_known_to_be(town: Town, changes: dict[str, str]) -> None:
    client, stranger, anna = await program(town), town.browser(), await town.signed_in()
    for browser in (stranger, anna):
        page = await browser.open(request_of(client, **changes), follow=False)
        assert (page.status, page.headers["location"]) == (400, None)
        assert "This program cannot be let in" in page.text
        main = page.text.partition("<main")[2].partition("</main>")[0]
        assert "evil.example" not in main, "what others wrote stands on no page of ours"
        assert "onerror" not in main
    page = await consenting(town, client, anna)
    csrf = page.form(page.path).fields["csrf"]
    page = await anna.post(request_of(client, **changes), {"csrf": csrf, "answer": "allow"}, follow=False)
    assert (page.status, page.headers["location"]) == (400, None)
    assert await grants(town) == []


async def test_another_language_is_chosen_without_losing_the_request(town: Town) -> None:
    client, browser = await program(town), await town.signed_in()
    page = await consenting(town, client, browser)
    to = re.search(r'href="(/language/zh-CN[^"]+)"', page.text)
    assert to is not None
    page = await browser.open(unescape(to[1]))
    assert page.path == request_of(client)
    assert "请求以下权限" in page.text


async def test_a_field_twice_is_no_request(town: Town) -> None:
    client = await program(town)
    page = await town.browser().open(request_of(client) + "&redirect_uri=https://evil.example/", follow=False)
    assert (page.status, page.headers["location"]) == (400, None)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
async def test_a_known_program_is_told_what_is_wrong(town: Town, changes: dict[str, str], error: str) -> None:
    client = await program(town)
    page = await town.browser().open(request_of(client, **changes), follow=False)
    assert page.status == 303
    assert page.headers["location"].startswith(f"{REDIRECT}?")
    assert answer_of(page)["error"] == error
    assert answer_of(page)["state"] == "x y&z"


async def test_nobody_consents_for_another(town: Town) -> None:
    client, anna = await program(town), await town.signed_in()
    page = await consenting(town, client, anna)
    stranger = await town.signed_in(OTTO)
    csrf = (await consenting(town, client, stranger)).form(page.path).fields["csrf"]
    for fields, headers in (
        ({"answer": "allow"}, {}),
        ({"answer": "allow", "csrf": csrf}, {}),
        ({"answer": "allow", "csrf": page.form(page.path).fields["csrf"]}, {"Origin": "https://evil.example"}),
    ):
        answered = await anna.post(page.path, fields, follow=False, **headers)
        assert (answered.status, answered.headers["location"]) == (403, None)
    answered = await town.browser().post(page.path, {"answer": "allow"}, follow=False)
    assert answered.headers["location"] is None or answered.headers["location"].startswith("/sign-in")
    assert await grants(town) == await grants(town, OTTO) == []


async def test_whoever_signed_in_long_ago_says_anew_who_they_are(town: Town) -> None:
    client, anna = await program(town), await town.signed_in()
    page = await consenting(town, client, anna)
    town.now += 601
    for again in (
        await anna.open(request_of(client), follow=False),
        await anna.submit(page, page.path, follow=False, answer="allow"),
    ):
        assert again.headers["location"].startswith("/sign-in/again?next=%2Foauth%2Fauthorize")
    assert await grants(town) == []


async def test_the_second_step_comes_before_consent_and_again_after_ten_minutes(town: Town) -> None:
    client, browser = await program(town), town.browser()
    app, _ = await add_app(town, await town.signed_in())
    page = await consenting(town, client, browser)
    assert page.path.startswith("/sign-in/second")
    assert (await browser.open(request_of(client))).path.startswith("/sign-in?")  # half a sign-in consents to nothing
    page = await browser.submit(page, "/sign-in/second", code=app.at(town.now))
    assert page.path == request_of(client)
    town.now += 601
    page = await browser.submit(page, page.path, answer="allow")
    assert page.path.startswith("/sign-in/again?")
    assert await grants(town) == []
    page = await browser.submit(page, "/sign-in/again", code=app.at(town.now))
    assert page.path == request_of(client)
    assert (await browser.submit(page, page.path, follow=False, answer="allow")).status == 303
    assert len(await grants(town)) == 1


async def test_the_address_that_a_program_is_set_up_for(town: Town) -> None:
    client, browser = await program(town), town.browser()
    page = await browser.open(request_of(client, login_hint=OTTO))
    assert page.form("/sign-in").fields["address"] == OTTO
    wrong = "set up for another address"
    page = await browser.submit(page, "/sign-in", address=ANNA, password=PASSWORD)
    assert wrong in page.text
    assert OTTO not in page.text
    for hint in ("Anna@Example.test", "", "anna", f"{EVIL}@x", "x" * 400):
        assert wrong not in (await browser.open(request_of(client, login_hint=hint))).text
    stranger = town.browser()
    for path in (f"/account?login_hint={OTTO}", request_of(client, login_hint=EVIL)):
        page = await stranger.open(path)
        assert page.form("/sign-in").fields["address"] == ""


async def test_another_account_is_chosen_by_signing_out_and_coming_back(town: Town) -> None:
    client, browser = await program(town), await town.signed_in()
    page = await consenting(town, client, browser)
    assert f'name="next" value="{escape(page.path)}"' in page.text
    page = await browser.post("/sign-out", {"csrf": page.form(page.path).fields["csrf"], "next": page.path})
    page = await browser.submit(page, "/sign-in", address=OTTO, password=PASSWORD)
    assert page.path == request_of(client)
    assert OTTO in page.text
    assert ANNA not in page.text


@pytest.mark.parametrize("registered", [False, True])
async def test_what_a_program_calls_itself_stays_words(town: Town, registered: bool) -> None:
    client = await program(town, name=f"{EVIL}“;script-src *", is_registered=registered)
    anna = await town.signed_in()
    page = await consenting(town, client, anna)
    await anna.submit(page, page.path, follow=False, answer="allow")
    programs = await anna.open("/account/programs")
    for shown in (page, programs):
        assert "<img" not in shown.text
        assert "&lt;img src=x onerror=alert(1)&gt;" in shown.text
        assert "script-src *" not in shown.headers["content-security-policy"]
    assert ("nobody checked" in page.text) is registered


@pytest.mark.parametrize(
    ("redirect", "source"),
    [
        ("https://web.example/done", "https://web.example"),
        ("https://web.example:8443/done?x=1", "https://web.example:8443"),
        ("https://a;script-src'unsafe-inline'/", "https:"),
        ("https://a,default-src/", "https:"),
        ("http://[::1]/done", "http:"),
    ],
)
async def test_a_page_s_policy_names_where_its_form_ends_and_nothing_else(
    town: Town, redirect: str, source: str
) -> None:
    client = await program(town, redirect_uris=("https://web.example/",))

    def change(tx: Tx) -> None:  # as if it had been registered so
        tx.execute("update oauth_client set redirect_uris = :uri", uri=redirect)

    await town.database.write(change)
    page = await consenting(town, client, redirect_uri=redirect)
    policy = page.headers["content-security-policy"]
    assert policy.split("form-action ")[1].split(";")[0] == f"'self' {source}"
    assert "unsafe" not in policy


async def ask_as_device(town: Town, client: NewClient) -> dict[str, str]:
    status, begun = await post(town, "/oauth/device", client_id=client.client.id, scope="imap.readonly")
    assert status == 200
    return begun


async def device_token(town: Town, client: NewClient, begun: dict[str, str]) -> dict[str, str]:
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    fields = {"grant_type": grant, "device_code": begun["device_code"], "client_id": client.client.id}
    return (await post(town, "/oauth/token", **fields))[1]


async def test_a_device_is_let_in_by_its_code(town: Town) -> None:
    client = await program(town, Kind.DEVICE, name="Television")
    begun = await ask_as_device(town, client)
    assert (await device_token(town, client, begun))["error"] == "authorization_pending"
    anna = await town.signed_in()
    assert begun["verification_uri"] == f"{anna.origin}/device"
    page = await anna.open("/oauth/device")
    assert page.path == "/device"
    page = await anna.open(f"/device?user_code={begun['user_code'].lower().replace('-', ' ').replace(' ', '%20')}")
    for words in ("Television", "Read your mail, and change nothing", "show this code"):
        assert words in page.text
    page = await anna.submit(page, "/device", answer="allow")
    assert "The device is let in" in page.text
    town.now += 6
    assert (await device_token(town, client, begun))["scope"] == "imap.readonly"
    assert (await anna.open(f"/device?user_code={begun['user_code']}")).status == 404
    again = await ask_as_device(town, client)
    page = await anna.open(again["verification_uri_complete"].removeprefix(anna.origin))
    page = await anna.submit(page, "/device", answer="deny")
    assert "The device is not let in" in page.text
    assert (await device_token(town, client, again))["error"] == "access_denied"


async def test_guessing_at_codes_of_devices_ends_soon(town: Town) -> None:
    client = await program(town, Kind.DEVICE, name="Television")
    begun = await ask_as_device(town, client)
    anna, otto = await town.signed_in(), await town.signed_in(OTTO)
    code = f"/device?user_code={begun['user_code']}"
    page = await anna.open(code)
    for number in range(MAX_WRONG_CODES):
        if number % 2:
            assert (await anna.open(f"/device?user_code=WRNG-{number:04}")).status == 404
        else:
            assert (await anna.submit(page, "/device", user_code=f"{number}", answer="allow")).status == 404
    assert (await anna.open(code)).status == 429
    assert (await anna.submit(page, "/device", answer="allow")).status == 429
    assert await grants(town) == []
    assert (await otto.open(code)).status == 200
    town.now += CODE_WAIT_SECONDS
    assert (await anna.open(code)).path.startswith("/sign-in/again")


async def test_the_list_of_programs_and_their_end(town: Town) -> None:
    client, anna, otto = await program(town), await town.signed_in(), await town.signed_in(OTTO)
    for browser in (anna, otto):
        page = await consenting(town, client, browser)
        await browser.submit(page, page.path, follow=False, answer="allow")
    [grant] = await grants(town)
    row = (town.ids[ANNA], "s1", "p", "imap", grant.id, "192.0.2.7", "Thunderbird", int(START), int(START))

    def used(tx: Tx) -> None:
        record_places(tx, [(town.ids[ANNA], grant.id, "192.0.2.0/24", "thunderbird", int(START))])
        record_sessions(tx, [LiveSession(*row)])

    await town.database.write(used)
    page = await anna.open("/account/programs")
    for words in ("Thunderbird", "Read your mail, and change nothing", "Send mail", "192.0.2.0/24, thunderbird"):
        assert words in page.text
    assert re.search(r"<dt>Connected now</dt>\s*<dd>1</dd>", page.text)
    watch_fired: list[bool] = []
    watch = town.database.watch(f"account:{town.ids[ANNA]}", lambda: watch_fired.append(True))
    [others] = await grants(town, OTTO)
    for number in (str(others.id + 1_000), "x", "", "9" * 30):
        await anna.submit(page, "/account/programs", program=number)
    assert len(await grants(town)) == 1
    page = await anna.submit(page, "/account/programs", program=str(grant.id))
    assert (page.path, await grants(town)) == ("/account/programs", [])
    assert "There is none." in page.text
    assert len(await grants(town, OTTO)) == 1
    watch.close()


async def test_without_tls_nothing_is_answered(town: Town) -> None:
    client = await program(town)

    def exchange(method: str, path: str, body: str = "") -> tuple[int, str, bytes]:
        plain = http.client.HTTPConnection("localhost", town.ports["http"], timeout=10)
        plain.request(method, path, body)
        answer = plain.getresponse()
        found = answer.status, answer.headers.get("location", ""), answer.read()
        plain.close()
        return found

    _, location, _ = await asyncio.to_thread(exchange, "GET", request_of(client))
    assert location == f"https://localhost:{town.ports['https']}{request_of(client)}"
    status, _, body = await asyncio.to_thread(exchange, "POST", "/oauth/token", "grant_type=refresh_token")
    assert (status, json.loads(body)["error"]) == (403, "invalid_request")


async def test_the_metadata_tells_what_is_served(town: Town) -> None:
    browser = town.browser()
    told = json.loads((await browser.open("/.well-known/oauth-authorization-server")).text)
    assert told["issuer"] == browser.origin
    assert told["scopes_supported"] == list(SCOPES)
    for name in told:
        if name.endswith("_endpoint"):
            assert told[name].startswith(f"{browser.origin}/oauth/"), name
            path = told[name].removeprefix(browser.origin)
            if name == "authorization_endpoint":
                assert (await browser.open(path)).status == 400
            else:
                assert (await post(town, path, unknown=secrets.token_hex()))[0] in (200, 400, 401), name


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_every_scope_has_its_words(town: Town, language: str) -> None:
    assert {*WORDS} == {*SCOPES}
    client = await program(town)
    page = await consenting(town, client, town.browser(language), scope=" ".join(SCOPES))
    assert page.status == 200
    assert ("允许“Thunderbird”使用您的邮件吗？" in page.text) is (language == "zh-CN")
