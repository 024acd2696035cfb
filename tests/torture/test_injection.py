"""What strangers and programs call themselves is theirs to write: on pages, in the log and the diary it stays words."""

import asyncio
import json
import re
from base64 import b64encode
from urllib.parse import quote

import pytest

from mailhost.observe import EVENTS
from tests.clients.test_oauth import Person, make_client
from tests.running import MAILHOST, ROOT, Account, Server, run
from tests.torture.wire import Wire

EVIL = b'<script>alert(1)</script>"\'%s{0}\x1b[2J\r\n{"event": "login.accepted", "account": 1}'
LITERAL = b"{%d+}\r\n%s" % (len(EVIL), EVIL)
PAGES = ("", "/app-passwords", "/sessions", "/sign-ins", "/storage", "/programs", "/settings")


def say(server: Server, service: str, *lines: bytes) -> None:
    with Wire(server, service) as wire:
        for line in lines:
            wire.send(line + b"\r\n")
        assert wire.is_closed(), (service, lines)


@pytest.fixture
def told(server: Server, account: Account) -> Person:
    """Somebody whose client, and many a stranger, have said all that can be said of oneself."""
    login = b'a LOGIN "%s" "%s"' % (account.address.encode(), account.password.encode())
    name = EVIL.replace(b"\r\n", b" ")
    quoted = name.replace(b"\\", b"").replace(b'"', b"'")
    say(server, "imaps", login, b'b ID ("name" %s "version" "%s")' % (LITERAL, quoted), b"c LOGOUT")
    say(server, "imaps", b'a ID ("name" "%s")' % quoted, login.replace(b"a ", b"b ", 1), b"c LOGOUT")
    say(server, "imaps", b"a LOGIN %s %s" % (LITERAL, LITERAL), b"b AUTHENTICATE %s" % quoted, b"c LOGOUT")
    say(server, "pop3s", b"USER " + name, b"PASS " + name, b"AUTH " + name, b"QUIT")
    plain = b64encode(b"\0" + EVIL + b"@example.test\0" + EVIL)
    say(server, "submissions", b"EHLO " + name, b"AUTH PLAIN " + plain, b"MAIL FROM:<" + name + b">", b"QUIT")
    say(server, "smtp", b"HELO " + name, b"MAIL FROM:<a@b.example>", b"RCPT TO:<" + name + b"@example.test>", b"QUIT")
    head = b"GET /%s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: %s\r\nConnection: close\r\n" % (
        quote(EVIL).encode(),
        name,
    )
    say(server, "https", head)
    return Person(server, account)


async def seen(person: Person) -> dict[str, str]:
    """The account's pages."""
    return {path: (await person.visit(f"/account{path}")).text for path in PAGES}


def test_on_pages_in_the_log_and_in_the_diary(server: Server, account: Account, told: Person) -> None:
    client_id = make_client(server, name=EVIL.decode().split("\x1b")[0])["installed"]["client_id"]
    fields = f"client_id={client_id}&response_type=code&redirect_uri=http://localhost/&scope=mail"
    request = f"/oauth/authorize?{fields}&code_challenge={'x' * 43}&code_challenge_method=S256"
    asyncio.run(told.consent(request))
    pages = asyncio.run(seen(told)) | {"consent": asyncio.run(told.visit(request)).text}
    for path, text in pages.items():
        assert "<script>alert" not in text, path
        assert "\x1b" not in text, path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages["/sign-ins"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages["/programs"]
    command = [*MAILHOST, "account", "sign-ins", account.address, "--data", str(server.folder)]
    for more in ([], ["--json"]):
        shown = run([*command, *more], PYTHONPATH=str(ROOT))
        assert re.sub(r"[ -~\t\n\xa0-\uffff]", "", shown) == ""
        assert "<script>" in shown
    lines = server.log().splitlines()
    assert {json.loads(line)["event"] for line in lines} <= {*EVENTS}
    assert not any("\x1b" in line for line in lines)
