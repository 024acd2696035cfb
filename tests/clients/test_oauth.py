"""Programs get tokens as their makers' libraries do it, a person signs in and consents on our pages, and mail is read.

The person is a client for pages that follows forms and redirects as a browser does; Chromium itself, which minds the
policy of each page, plays it in tests/web/test_chromium.py.
"""

import asyncio
import html
import imaplib
import json
import os
import re
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.clients.mail import fill
from tests.running import MAILHOST, ROOT, Account, Server, needs, run
from tests.web.browsing import Browser, Page

PASSWORD = "an account password that no mail client knows"
SCOPE = "https://mail.google.com/"


@dataclass
class Person:
    """Somebody at a browser, who says yes."""

    server: Server
    account: Account
    browser: Browser = field(init=False)

    def __post_init__(self) -> None:
        self.browser = Browser(self.server.ports["https"], self.server.tls())

    async def visit(self, path: str) -> Page:
        """A page of the server; signs in where it is asked to."""
        page = await self.browser.open(path)
        if page.path.startswith("/sign-in"):
            page = await self.browser.submit(page, "/sign-in", address=self.account.address, password=PASSWORD)
        return page

    async def consent(self, url: str) -> str:
        """Say yes on the page at a URL; where it leads."""
        page = await self.visit(url.removeprefix(self.browser.origin))
        answered = await self.browser.submit(page, page.path, follow=False, answer="allow")
        return str(answered.headers["location"])

    # webbrowser's controller, as Google's library calls it

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        """Show a page; the program waits for what comes of it meanwhile."""
        self.thread = threading.Thread(target=self._follow, args=(url,))
        self.thread.start()
        return True

    def _follow(self, url: str) -> None:
        with urlopen(asyncio.run(self.consent(url)), timeout=20) as answer:
            self.told = answer.read().decode()


def make_client(server: Server, *options: str, name: str = "A <b>program</b>") -> dict[str, dict[str, str]]:
    """What the administrator's command prints."""
    issuer = f"https://localhost:{server.ports['https']}"
    command = [
        *MAILHOST,
        "oauth",
        "client",
        "add",
        name,
        "--issuer",
        issuer,
        "--data",
        str(server.folder),
    ]
    made: dict[str, dict[str, str]] = json.loads(run([*command, *options], PYTHONPATH=str(ROOT)))
    return made


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program's file."""
    file = tmp_path_factory.mktemp("program") / "client.json"
    file.write_text(json.dumps(make_client(server)))
    return file


@pytest.fixture
def person(server: Server, account: Account) -> Person:
    made = Person(server, account)
    webbrowser.register("person", None, made)
    return made


def xoauth2(account: Account, token: str) -> bytes:
    return f"user={account.address}\x01auth=Bearer {token}\x01\x01".encode()


def opened(server: Server, account: Account, token: str) -> imaplib.IMAP4_SSL:
    session = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=20)
    try:
        session.authenticate("XOAUTH2", lambda _: xoauth2(account, token))
    except imaplib.IMAP4.error:
        session.shutdown()
        raise
    return session


def test_google_s_library_from_the_browser_to_the_mail(
    server: Server, person: Person, client: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows = pytest.importorskip("google_auth_oauthlib.flow", reason="google-auth-oauthlib is not installed")
    requests = pytest.importorskip("google.auth.transport.requests", reason="requests is not installed")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca)
    flow = flows.InstalledAppFlow.from_client_secrets_file(str(client), scopes=[SCOPE])
    credentials = flow.run_local_server(port=0, browser="person", authorization_prompt_message="", timeout_seconds=30)
    person.thread.join()
    assert "may close this window" in person.told
    fill(server, person.account, "INBOX", ["By token"])
    with opened(server, person.account, credentials.token) as session:
        assert session.select("INBOX", readonly=True)[1] == [b"1"]
    before = credentials.token
    request = requests.Request()
    credentials.refresh(request)
    request.session.close()
    flow.oauth2session.close()
    assert credentials.token != before
    session = opened(server, person.account, credentials.token)
    assert session.select("INBOX", readonly=True)[1] == [b"1"]
    page = asyncio.run(person.visit("/account/programs"))
    assert "A &lt;b&gt;program&lt;/b&gt;" in page.text
    number = page.text.partition('name="program" value="')[2].partition('"')[0]
    asyncio.run(person.browser.submit(page, "/account/programs", program=number))
    withdrawn = time.monotonic()
    assert session.readline() == b"* BYE Session expired, please login again.\r\n"
    assert time.monotonic() - withdrawn < 1
    session.shutdown()
    with pytest.raises(imaplib.IMAP4.error, match="Invalid credentials"):
        opened(server, person.account, credentials.token)


def snippet_of_the_page(server: Server, account: Account) -> str:
    query = urlencode({"address": account.address})
    with urlopen(f"http://localhost:{server.ports['http']}/setup?{query}", timeout=20) as answer:
        page = answer.read().decode()
    [lines] = re.findall(r'id="oauth-python".*?<pre data-copy><code>(.*?)</code></pre>', page, re.DOTALL)
    return html.unescape(lines)


def snippet_of_the_manual(server: Server, account: Account) -> str:
    lines = (ROOT / "docs" / "oauth.md").read_text().partition("```python\n")[2].partition("```")[0]
    here = {'"imap.example.org"': f'"localhost", {server.ports["imaps"]}', '"me@example.org"': f'"{account.address}"'}
    for there, ours in here.items():
        assert there in lines
        lines = lines.replace(there, ours)
    return lines


@pytest.mark.parametrize("snippet", [snippet_of_the_page, snippet_of_the_manual])
def test_the_lines_for_python_read_mail_as_they_stand(
    server: Server, person: Person, client: Path, tmp_path: Path, snippet: Callable[[Server, Account], str]
) -> None:
    pytest.importorskip("google_auth_oauthlib.flow", reason="google-auth-oauthlib is not installed")
    fill(server, person.account, "INBOX", ["By token"])
    (tmp_path / "program.py").write_text(snippet(server, person.account))
    (tmp_path / "client.json").write_text(client.read_text())
    (tmp_path / "browser").write_text('#!/bin/sh\nprintf %s "$1" >asked.new && mv asked.new asked\n')
    (tmp_path / "browser").chmod(0o700)
    trust = {"SSL_CERT_FILE": server.ca, "REQUESTS_CA_BUNDLE": server.ca}
    with subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, **trust, "BROWSER": str(tmp_path / "browser")},
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            ends = time.monotonic() + 60
            while not (tmp_path / "asked").exists():
                assert program.poll() is None
                assert time.monotonic() < ends
                time.sleep(0.05)
            person.open((tmp_path / "asked").read_text())
            said, _ = program.communicate(timeout=60)
            person.thread.join()
        finally:
            program.kill()
    assert program.returncode == 0
    assert said.splitlines()[-1] == "('OK', [b'1'])"


def test_curl_reads_mail_by_a_token_of_the_device_flow(server: Server, person: Person) -> None:
    curl = needs("curl", "curl")
    device = make_client(server, "--kind", "device")["installed"]["client_id"]
    issuer = f"https://localhost:{server.ports['https']}"

    def ask(path: str, **fields: str) -> dict[str, str]:
        words = [word for name, value in fields.items() for word in ("-d", f"{name}={value}")]
        told: dict[str, str] = json.loads(run([curl, "-sS", "--cacert", server.ca, *words, issuer + path]))
        return told

    begun = ask("/oauth/device", client_id=device, scope="imap.readonly")
    page = asyncio.run(person.visit(begun["verification_uri_complete"].removeprefix(issuer)))
    asyncio.run(person.browser.submit(page, "/device", answer="allow"))
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    token = ask("/oauth/token", client_id=device, device_code=begun["device_code"], grant_type=grant)["access_token"]
    fill(server, person.account, "INBOX", ["By token"])
    mail = f"imaps://localhost:{server.ports['imaps']}/INBOX"
    who = ["--cacert", server.ca, "--user", person.account.address, "--oauth2-bearer", token]
    _until_announced(server)
    assert "Subject: By token" in run([curl, "-sS", *who, f"{mail};UID=1"])
    run([curl, "-sS", *who, mail, "-X", "STORE 1 +FLAGS.SILENT (\\Deleted)"], codes=(21,))  # read-only
    assert ask("/oauth/revoke", token=token) == {}
    assert "denied" in run([curl, "-sS", *who, f"{mail};UID=1"], codes=(67,)).lower()


def _until_announced(server: Server) -> None:
    """Each process looks every ten seconds whether any program is known; curl asks for what is announced."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        found = []
        for _ in range(4):
            with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=20) as session:
                found.append("AUTH=OAUTHBEARER" in session.capabilities)
        if all(found):
            return
        time.sleep(1)
    pytest.fail("sign-in by token is not announced")
