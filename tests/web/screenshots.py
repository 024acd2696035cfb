"""Pictures of the pages for the documentation: `python -m tests.web.screenshots` takes them anew."""

import imaplib
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from socket import AF_INET

from tests.clients.test_oauth import make_client
from tests.house.source import ROOT
from tests.running import MAILHOST, Server, run, running
from tests.web.chromium import ADDRESS, PASSWORD, TELEPHONE, Person, add_key, chromium, person, prepare
from tests.web.png import smaller
from tests.web.test_consent_in_chromium import Program, request_of

FOLDER = ROOT / "docs" / "images"
WINDOW = {"width": 960, "height": 720}
PAGES = ("app-passwords", "sessions", "sign-ins", "storage", "programs")


def visit(server: Server, password: str) -> imaplib.IMAP4_SSL:
    """A mail program at the door, be it let in or not."""
    client = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls())
    client.xatom("ID", '("name" "Thunderbird" "version" "153.0")')
    with suppress(imaplib.IMAP4.error):
        client.login(ADDRESS, password)
    return client


def take(someone: Person, name: str) -> None:
    """One picture, of the whole page."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"account-{name}.png").write_bytes(smaller(someone.page.screenshot(full_page=True)))


def walk(someone: Person, kind: str, consent: str) -> None:
    """From the sign-in through every page, in the words of any language."""
    page = someone.page
    main = page.locator("main")
    someone.open("/sign-in")
    take(someone, f"sign-in-{kind}")
    page.locator("#address").fill(ADDRESS)
    page.locator("#password").fill(PASSWORD)
    main.get_by_role("button").click()
    page.wait_for_url("**/account")
    add_key(someone)
    someone.open("/account/two-step/app")
    take(someone, f"authenticator-{kind}")
    someone.secret = page.locator("code.secret").inner_text().replace(" ", "")
    page.locator("#code").fill(someone.next_code())
    main.get_by_role("button").click()
    someone.open("/account/two-step/passkey")
    page.locator("#name").fill("Pixel 11")
    main.get_by_role("button").click()
    page.wait_for_url("**/account?done=*")
    someone.open("/account")
    take(someone, f"security-{kind}")
    someone.open(consent)
    take(someone, f"consent-{kind}")
    main.locator("button[value=allow]").click()
    page.wait_for_function("document.title == 'Signed in'")
    for name in PAGES:
        someone.open(f"/account/{name}")
        take(someone, f"{name}-{kind}")
    someone.open("/account/app-passwords/new")
    page.locator("#name").fill("Tablet")
    main.locator("form > button").click()
    take(someone, f"app-password-{kind}")
    page.locator("header button").click()
    page.locator("#address").fill(ADDRESS)
    page.locator("#password").fill(PASSWORD)
    main.get_by_role("button").click()
    take(someone, f"second-step-{kind}")
    page.locator("form[data-passkey] button").click()
    page.wait_for_url("**/account")
    someone.open("/account/two-step/off")
    main.get_by_role("button").click()


def main() -> None:
    """All of them, in English at a desk and in Chinese on a telephone."""
    folder = Path(tempfile.mkdtemp())
    for kind, options in (
        ("en", {"locale": "en-GB", "viewport": WINDOW}),
        ("zh-phone", {"locale": "zh-CN", "viewport": TELEPHONE}),
    ):
        with running(folder / kind, "--demo") as server:  # each with mail programs of its own
            prepare(server)
            told = run(
                [*MAILHOST, "app-password", "add", ADDRESS, "--name", "Laptop", "--json", "--data", server.folder]
            )
            for secret in (server.accounts[0].password, PASSWORD, "wrong password"):
                visit(server, secret).logout()
            laptop = visit(server, json.loads(told)["app_password"])
            with chromium(server) as browser:
                client, program = make_client(server, name="Thunderbird"), Program(AF_INET, "127.0.0.1")
                request = request_of(client["installed"]["client_id"], f"http://127.0.0.1:{program.server_port}/")
                walk(person(browser, server, **options), kind, request)
                program.end()
            laptop.logout()


if __name__ == "__main__":
    main()
