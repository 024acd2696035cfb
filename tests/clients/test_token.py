"""curl reads mail by token, and Google's own libraries get one from us, unchanged."""

import asyncio
import imaplib
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from mailhost import domains, oauth
from mailhost.crypto import SecretKey
from mailhost.login import DoorKeeper, Limits
from mailhost.login.enrol import enrol
from mailhost.login.tokens import PEOPLE, revoke_program
from mailhost.mailstore.indexer import TextIndex
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.network.certificates import ensure_certificates
from mailhost.network.listener import Admission, Listener
from mailhost.network.misdirected import Service
from mailhost.network.tls import server_context
from mailhost.oauth import Kind, endpoints
from mailhost.oauth.model import FULL_SCOPE, Token
from mailhost.oauth.server import TOKEN
from mailhost.oauth.sql import insert_grant, insert_token
from mailhost.servers.imap.server import ImapServer
from mailhost.servers.imap.session import ImapServices, ImapSettings
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from mailhost.web.bridge import HttpServer
from mailhost.web.oauth import OAuthRoutes
from mailhost.web.pages import Pages
from mailhost.web.setup import Facts
from mailhost.web.site import Site

ANNA = "anna@example.test"


@dataclass
class House:
    """IMAP and HTTPS on loopback, and a program with a token."""

    database: Database
    key: SecretKey
    anna: int
    imaps: int
    https: int
    ca: Path
    clock_at: float

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self.https}"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mailhost.db"


@pytest.fixture
async def house(database: Database, blobs: Blobs, tmp_path: Path) -> AsyncIterator[House]:
    key = SecretKey(b"k" * 32)
    now = datetime.now(UTC).timestamp()

    def build(tx: Tx) -> int:
        domains.add_domain(tx, "example.test", int(now))
        anna = enrol(tx, ANNA, password_hash="$x", now=int(now)).id
        made = oauth.make_client(
            tx, key, name="curl", kind=Kind.NATIVE, now=int(now), redirect_uris=("http://localhost",)
        )
        insert_grant(tx, anna, 99, made.client.id, FULL_SCOPE, int(now))
        digest = key.digest(TOKEN, b"t0ken")
        times = (int(now), int(now) + 3600, None, None)
        insert_token(tx, Token(digest, "access", anna, 99, made.client.id, FULL_SCOPE, *times))
        return anna

    anna = await database.write(build)
    files, _ = ensure_certificates(tmp_path / "tls", ["localhost"], datetime.now(UTC))
    context = server_context(files.certificate, files.key)
    keeper = DoorKeeper(database, key, Limits(), lambda: datetime.now(UTC).timestamp())
    await keeper.look_for_programs()
    index = TextIndex(database, blobs, tmp_path / "search.db")
    await index.open()
    imap = ImapServer(
        ImapServices(
            database,
            blobs,
            index,
            KnownMailboxes(database),
            keeper,
            lambda: datetime.now(UTC).timestamp(),
            lambda: context,
            ImapSettings(),
        )
    )
    admission = Admission(per_address=50, in_all=50)
    imaps = Listener(Service.IMAP, imap.serve, admission, context=context)
    await imaps.open(["127.0.0.1"], 0)
    https = Listener(Service.HTTP, _unready, admission, context=context)
    await https.open(["127.0.0.1"], 0)
    made_house = House(database, key, anna, imaps.port, https.port, files.authority, now)
    served = oauth.House(key, PEOPLE, made_house.issuer)
    routes = OAuthRoutes(database, lambda: served, key, lambda: datetime.now(UTC).timestamp(), registration=True)
    site = Site(Pages(Facts("localhost", "example.test", {}, None)), _is_well)
    https._handler = HttpServer(site.application(routes.routes())).serve
    yield made_house
    for listener in (imaps, https):
        listener.stop()
        await listener.drain(1)
    await keeper.close()
    await index.close()


async def _unready(_: object) -> None:
    raise AssertionError("the site is not built yet")


async def _is_well() -> bool:
    return True


def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["curl", "-sS", *arguments], check=False, capture_output=True, text=True, timeout=20)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_reads_mail_by_token_until_it_is_revoked(house: House) -> None:
    where = ["--cacert", str(house.ca), f"imaps://localhost:{house.imaps}/"]
    said = await asyncio.to_thread(curl, "--user", ANNA, "--oauth2-bearer", "t0ken", *where)
    assert "INBOX" in said.stdout, said.stderr
    ended = await asyncio.to_thread(
        curl, "--cacert", str(house.ca), "-d", "token=t0ken", f"{house.issuer}/oauth/revoke"
    )
    assert ended.stdout == "{}", ended.stderr
    said = await asyncio.to_thread(curl, "--user", ANNA, "--oauth2-bearer", "t0ken", *where)
    assert said.returncode == 67, said.stderr  # login denied


async def test_an_open_session_ends_with_its_token(house: House) -> None:
    def client() -> imaplib.IMAP4_SSL:
        context = ssl.create_default_context(cafile=str(house.ca))
        made = imaplib.IMAP4_SSL("localhost", house.imaps, ssl_context=context, timeout=10)
        made.authenticate("XOAUTH2", lambda _: f"user={ANNA}\x01auth=Bearer t0ken\x01\x01".encode())
        return made

    opened = await asyncio.to_thread(client)
    await house.database.write(revoke_program, house.anna, 99, int(house.clock_at))
    said = await asyncio.to_thread(opened.readline)
    assert said == b"* BYE Session expired, please login again.\r\n"
    await asyncio.to_thread(opened.shutdown)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_endpoints_over_https(house: House) -> None:
    trust = ["--cacert", str(house.ca)]
    said = await asyncio.to_thread(curl, *trust, f"{house.issuer}/.well-known/oauth-authorization-server")
    document = json.loads(said.stdout)
    assert document["issuer"] == house.issuer
    assert document["token_endpoint"] == f"{house.issuer}/oauth/token"
    assert document["code_challenge_methods_supported"] == ["S256"]
    asked = json.dumps({"redirect_uris": ["http://127.0.0.1/"], "client_name": "My app", "scope": "imap"})
    said = await asyncio.to_thread(curl, *trust, "-d", asked, document["registration_endpoint"])
    assert json.loads(said.stdout)["client_name"] == "My app"
    said = await asyncio.to_thread(
        curl, *trust, "-d", '{"redirect_uris": ["http://evil.example/"]}', document["registration_endpoint"]
    )
    assert json.loads(said.stdout)["error"] == "invalid_client_metadata"
    for body in ("grant_type=refresh_token&refresh_token=x", "grant_type=a&grant_type=b", "%ff", ""):
        said = await asyncio.to_thread(curl, *trust, "-d", body, document["token_endpoint"])
        assert "error" in json.loads(said.stdout)


async def test_google_s_library_acts_for_a_person_by_service_account(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    service_account = pytest.importorskip("google.oauth2.service_account", reason="google-auth is not installed")
    requests = pytest.importorskip("google.auth.transport.requests", reason="requests is not installed")
    made = await house.database.write(
        oauth.make_client,
        house.key,
        name="Backup",
        kind=Kind.SERVICE,
        now=int(house.clock_at),
        domains=("example.test",),
    )
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(house.ca))

    def get_token() -> str:
        info = oauth.client_file(made, house.issuer)
        credentials = service_account.Credentials.from_service_account_info(info, scopes=[FULL_SCOPE], subject=ANNA)
        request = requests.Request()
        credentials.refresh(request)
        request.session.close()
        return str(credentials.token)

    token = await asyncio.to_thread(get_token)

    def read() -> bytes:
        context = ssl.create_default_context(cafile=str(house.ca))
        with imaplib.IMAP4_SSL("localhost", house.imaps, ssl_context=context, timeout=10) as client:
            client.authenticate("XOAUTH2", lambda _: f"user={ANNA}\x01auth=Bearer {token}\x01\x01".encode())
            return bytes(client.select("INBOX")[1][0] or b"")

    assert await asyncio.to_thread(read) == b"0"


async def test_google_s_library_signs_a_person_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    flows = pytest.importorskip("google_auth_oauthlib.flow", reason="google-auth-oauthlib is not installed")
    requests = pytest.importorskip("google.auth.transport.requests", reason="requests is not installed")
    made = await house.database.write(
        oauth.make_client,
        house.key,
        name="Desktop",
        kind=Kind.NATIVE,
        now=int(house.clock_at),
        redirect_uris=("http://localhost",),
    )
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(house.ca))
    flow = flows.InstalledAppFlow.from_client_config(oauth.client_file(made, house.issuer), scopes=[FULL_SCOPE])
    flow.redirect_uri = "http://localhost:45678/"
    url, _ = flow.authorization_url(access_type="offline", prompt="consent")
    assert url.startswith(f"{house.issuer}/oauth/authorize?")
    served = oauth.House(house.key, PEOPLE, house.issuer)
    answered = await house.database.write(
        endpoints.decide,
        served,
        oauth.Request(dict(parse_qsl(urlsplit(url).query))),
        house.anna,
        allows=True,
        now=int(house.clock_at),
    )
    code = dict(parse_qsl(urlsplit(dict(answered.headers)["Location"]).query))["code"]

    def exchange() -> tuple[str, str]:
        flow.fetch_token(code=code)
        credentials = flow.credentials
        first = credentials.token
        request = requests.Request()
        credentials.refresh(request)
        request.session.close()
        flow.oauth2session.close()
        return str(first), str(credentials.token)

    first, second = await asyncio.to_thread(exchange)
    assert first != second
    for token in (first, second):
        assert await house.database.point(oauth.is_good, served.digest(token), int(house.clock_at))
