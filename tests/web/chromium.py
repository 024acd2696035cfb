"""Chromium in front of a server that an operator started: pages as people see and use them."""

import base64
import hashlib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pyotp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.running import MAILHOST, Server, needs, run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ADDRESS = "me@example.test"
PASSWORD = "correct horse battery"
TELEPHONE = {"width": 390, "height": 844}
DESK = {"width": 1200, "height": 800}

# What a person who cannot see the page, or has no mouse, would stumble over.
STUMBLES = """() => {
  const found = [];
  const name = (e) => e.outerHTML.slice(0, 120);
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!e.labels.length && !e.getAttribute("aria-label")) found.push("no label: " + name(e));
  for (const e of document.querySelectorAll("a, button"))
    if (!(e.textContent.trim() || e.getAttribute("aria-label"))) found.push("no name: " + name(e));
  for (const attribute of ["aria-describedby", "aria-labelledby", "for"])
    for (const e of document.querySelectorAll(`[${attribute}]`))
      for (const id of e.getAttribute(attribute).split(" "))
        if (!document.getElementById(id)) found.push(`${attribute} leads nowhere: ` + name(e));
  for (const e of document.querySelectorAll("[id]"))
    if (document.querySelectorAll("#" + CSS.escape(e.id)).length > 1) found.push("two of one id: " + name(e));
  for (const e of document.querySelectorAll("svg"))
    if (!e.closest("[role=img][aria-label], [aria-hidden]")) found.push("no words: " + name(e));
  let level = 0;
  for (const e of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(e.tagName[1]);
    if (next > level + 1) found.push("headings leap: " + name(e));
    level = next;
  }
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  const wide = document.documentElement.scrollWidth;
  if (wide > window.innerWidth) found.push(`wider than the window: ${wide}`);
  return found;
}"""


@dataclass
class Person:
    """Somebody at Chromium. `complaints` is what it says on its console: whatever the pages' own rules forbid, say."""

    page: Any  # playwright.sync_api.Page
    base: str
    complaints: list[str] = field(default_factory=list)
    secret: str = ""
    used: int = 0

    def open(self, path: str) -> None:
        """Go to a page of the server."""
        self.page.goto(self.base + path)

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def arrive(self, path: str) -> None:
        """Wait until a page of this path is there."""
        self.page.wait_for_url(lambda url: urlsplit(url).path == path)

    def press(self, name: str) -> None:
        """A button or a link."""
        self.page.get_by_role("button", name=name, exact=True).or_(
            self.page.get_by_role("link", name=name, exact=True)
        ).first.click()

    def sign_in(self, password: str = PASSWORD) -> None:
        """Address and password, as on an English page."""
        self.page.get_by_label("Address").fill(ADDRESS)
        self.page.get_by_label("Account password").fill(password)
        self.press("Sign in")

    def next_code(self) -> str:
        """A code of the app that no page has seen yet; waits for one when all are used up."""
        app = pyotp.TOTP(self.secret)
        while (step := max(self.used + 1, int(time.time()) // 30 - 1)) > int(time.time()) // 30 + 1:
            time.sleep(1)
        self.used = step
        return app.at(step * 30)

    def set_app_up(self) -> None:
        """From the security page to the backup codes."""
        self.open("/account/two-step/app")
        self.secret = self.page.locator("code.secret").inner_text().replace(" ", "")
        self.page.get_by_label("Code", exact=True).fill(self.next_code())
        self.press("Set up")
        self.page.locator(".codes").wait_for()

    def stumbles(self) -> list[str]:
        """What others would stumble over on the page at hand."""
        found: list[str] = self.page.evaluate(STUMBLES)
        return found


def prepare(server: Server) -> None:
    """Give the demonstration's account a password that tests know."""
    run(
        [*MAILHOST, "account", "password", ADDRESS, "--password-stdin", "--data", str(server.folder)],
        PASSWORD + "\n",
    )


def add_key(someone: Person) -> None:
    """A security key of Chromium's own making in this browser."""
    session = someone.page.context.new_cdp_session(someone.page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


@contextmanager
def chromium(server: Server) -> Iterator[Any]:
    """The browser, which trusts this server's key: pages whose certificate it does not trust get no passkey."""
    program = needs("chromium", "chromium")
    pem = ssl.get_server_certificate(("localhost", server.ports["https"])).encode()
    key = x509.load_pem_x509_certificate(pem).public_key()
    pin = base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()
    arguments = ["--no-sandbox", "--disable-gpu", f"--ignore-certificate-errors-spki-list={pin}"]
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def person(browser: Any, server: Server, **options: object) -> Person:
    """Somebody with a browser profile of their own."""
    context = browser.new_context(**{"locale": "en-GB", "viewport": DESK, "reduced_motion": "reduce"} | options)
    context.set_default_timeout(15_000)
    made = Person(context.new_page(), f"https://localhost:{server.ports['https']}")
    made.page.on("console", lambda message: made.complaints.append(message.text) if message.type == "error" else None)
    made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
    made.page.on(
        "request",
        lambda request: made.complaints.extend([request.url] if not request.url.startswith(made.base) else []),
    )
    return made
