"""Chromium, which applies a page's `form-action` to the redirects that follow its form too, from consent to program."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import AF_INET, AF_INET6
from urllib.parse import urlencode

import pytest

from tests.clients.test_oauth import PASSWORD, make_client
from tests.running import Account, Server, needs

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


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


def request_of(server: Server, client_id: str, redirect: str) -> str:
    fields = {"response_type": "code", "client_id": client_id, "redirect_uri": redirect, "scope": "imap", "state": "s"}
    fields |= {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    return f"https://localhost:{server.ports['https']}/oauth/authorize?{urlencode(fields)}"


def test_consent_leads_to_the_program(server: Server, account: Account, listen: Callable[[int, str], Program]) -> None:
    chromium = needs("chromium", "chromium")
    client_id = make_client(server)["installed"]["client_id"]
    telephone = make_client(server, "--redirect", "com.example.app:/done")["installed"]["client_id"]
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(ignore_https_errors=True)
        for family, host, name in (
            (AF_INET, "127.0.0.1", "127.0.0.1"),
            (AF_INET, "127.0.0.1", "localhost"),
            (AF_INET6, "::1", "[::1]"),
        ):
            program = listen(family, host)
            page.goto(request_of(server, client_id, f"http://{name}:{program.server_port}/"))
            if "/sign-in" in page.url:
                page.get_by_label("Address").fill(account.address)
                page.get_by_label("Account password").fill(PASSWORD)
                page.get_by_role("button", name="Sign in").click()
            page.get_by_role("button", name="Allow").click()
            page.wait_for_function("document.title == 'Signed in'")
            assert program.told[0].startswith("/?code="), name
        page.goto(request_of(server, telephone, "com.example.app:/done"))
        with page.expect_request(lambda request: request.url.startswith("com.example.app:/done?code=")):
            page.get_by_role("button", name="Allow").click()
        browser.close()
