"""Consent in Debian's Chromium, which applies a page's `form-action` to the redirects that follow its form, too."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import AF_INET, AF_INET6
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.clients.test_oauth import make_client
from tests.running import Server
from tests.web.chromium import TELEPHONE, person

EVIL = "<img src=x onerror=alert(1)>" + "W" * 72
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Program(HTTPServer):
    """A program that waits for its answer on this device, as Google's library does."""

    def __init__(self, family: int, host: str) -> None:
        self.address_family = family
        super().__init__((host, 0), _Answer)
        self.told: list[str] = []
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def end(self) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Program)
        self.server.told.append(self.path)
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>Signed in</title>")

    def log_message(self, *words: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def listen() -> Iterator[Callable[[int, str], Program]]:
    made: list[Program] = []

    def start(family: int, host: str) -> Program:
        made.append(Program(family, host))
        return made[-1]

    yield start
    for program in made:
        program.end()


def request_of(client_id: str, redirect: str) -> str:
    fields = {"response_type": "code", "client_id": client_id, "redirect_uri": redirect, "scope": "imap", "state": "s"}
    return "/oauth/authorize?" + urlencode(fields | {"code_challenge": "x" * 43, "code_challenge_method": "S256"})


def device_code(server: Server, client_id: str) -> str:
    """The code that a device shows."""
    asked = urlencode({"client_id": client_id, "scope": "imap.readonly"}).encode()
    url = f"https://localhost:{server.ports['https']}/oauth/device"
    with urlopen(url, data=asked, context=server.tls()) as answer:
        return str(json.load(answer)["user_code"])


def test_consent_leads_to_the_program(server: Server, browser: object, listen: Callable[[int, str], Program]) -> None:
    client_id = make_client(server)["installed"]["client_id"]
    telephone = make_client(server, "--redirect", "com.example.app:/done")["installed"]["client_id"]
    someone = person(browser, server)
    page = someone.page
    for family, host, name in (
        (AF_INET, "127.0.0.1", "127.0.0.1"),
        (AF_INET, "127.0.0.1", "localhost"),
        (AF_INET6, "::1", "[::1]"),
    ):
        program = listen(family, host)
        someone.open(request_of(client_id, f"http://{name}:{program.server_port}/"))
        if someone.path == "/sign-in":
            someone.sign_in()
        someone.press("Allow")
        page.wait_for_function("document.title == 'Signed in'")
        assert program.told[0].startswith("/?code="), name
    someone.open(request_of(telephone, "com.example.app:/done"))
    with page.expect_request(lambda request: request.url.startswith("com.example.app:/done?code=")):
        someone.press("Allow")
    assert not [words for words in someone.complaints if "Content Security Policy" in words]


@pytest.mark.parametrize("options", [{}, {"locale": "zh-CN", "viewport": TELEPHONE}], ids=["desk", "telephone"])
def test_everybody_can_use_the_pages(server: Server, browser: object, options: dict[str, object]) -> None:
    """Whatever a program calls itself; with the keyboard, with a screen reader, on a telephone, in both languages."""
    device = make_client(server, "--kind", "device", name=EVIL)["installed"]["client_id"]
    client_id = make_client(server, name=EVIL)["installed"]["client_id"]
    someone = person(browser, server, **options)
    page = someone.page
    someone.open("/device")
    page.locator("#address").fill("me@example.test")
    page.locator("#password").fill("correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url("**/device")
    assert someone.stumbles() == []
    page.keyboard.type(device_code(server, device).lower())  # the field has the focus
    page.keyboard.press("Enter")
    page.locator("button[value=allow]").wait_for()
    assert someone.stumbles() == []
    page.locator("button[value=allow]").focus()
    page.keyboard.press("Enter")
    page.locator("p.done").wait_for()
    assert someone.stumbles() == []
    for path in ("/account/programs", request_of(client_id, "http://localhost/"), "/device?user_code=none"):
        someone.open(path)
        assert someone.stumbles() == [], path
    assert someone.complaints == ["Failed to load resource: the server responded with a status of 404 (Not Found)"]
    someone.open(request_of(client_id, "https://evil.example/"))
    assert someone.stumbles() == []


def test_without_scripts(server: Server, browser: object, listen: Callable[[int, str], Program]) -> None:
    client_id = make_client(server, name="No script")["installed"]["client_id"]
    someone, program = person(browser, server, java_script_enabled=False), listen(AF_INET, "127.0.0.1")
    someone.open(request_of(client_id, f"http://127.0.0.1:{program.server_port}/"))
    someone.sign_in()
    someone.press("No")
    someone.page.wait_for_url("http://127.0.0.1:*/**")
    assert program.told[0].startswith("/?error=access_denied")
    someone.open("/account/programs")
    for _ in range(someone.page.get_by_role("button", name="Withdraw").count()):
        someone.press("Withdraw")
    someone.page.get_by_text("There is none.").wait_for(timeout=10_000)  # the last page may be on its way
