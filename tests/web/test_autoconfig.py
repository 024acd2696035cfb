"""What programs ask for over HTTP: real sockets, both schemes, and the same answer whoever is asked about."""

import asyncio
import http.client
import json
import plistlib
import ssl
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import pkcs7
from starlette.applications import Starlette

from mailhost import domains, oauth
from mailhost.autoconfig.autodiscover import MOBILESYNC, OUTLOOK
from mailhost.autoconfig.desk import Desk
from mailhost.crypto import SecretKey
from mailhost.doctor.discovery.documents import read_autoconfig, read_autodiscover, read_pacc
from mailhost.limits import Rules
from mailhost.network.certificates import ensure_certificates, names_of
from mailhost.network.listener import Admission, Listener
from mailhost.network.misdirected import Service
from mailhost.network.tls import server_context
from mailhost.storage.database import Database, Tx
from mailhost.web.autoconfig import AutoconfigRoutes
from mailhost.web.bridge import HttpServer
from mailhost.web.setup import Facts
from tests.autoconfig.test_documents import PORTS, request, validate

AUTOCONFIG = "/mail/config-v1.1.xml"
AUTODISCOVER = "/autodiscover/autodiscover.xml"


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Web:
    """The routes, on two ports."""

    plain: Listener
    secure: Listener
    authority: Path
    database: Database

    def ask(self, url: str, method: str = "GET", body: bytes | str = b"", **fields: str) -> Answer:
        """As a client that believes in the names: each leads here, its certificate unchecked but for one test."""
        parts = urlsplit(url)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.authority)
            context.check_hostname = False
            client: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.secure.port, timeout=10, context=context
            )
        else:
            client = http.client.HTTPConnection("127.0.0.1", self.plain.port, timeout=10)
        headers = {"host": parts.netloc} | {name.replace("_", "-"): value for name, value in fields.items()}
        where = parts.path + (f"?{parts.query}" if parts.query else "")
        client.request(method, where, body.encode() if isinstance(body, str) else body, headers)
        got = client.getresponse()
        answer = Answer(got.status, got.headers, got.read())
        client.close()
        return answer

    async def asks(self, url: str, method: str = "GET", body: bytes | str = b"", **fields: str) -> Answer:
        return await asyncio.to_thread(self.ask, url, method, body, **fields)


@pytest.fixture
async def web(database: Database, tmp_path: Path) -> AsyncIterator[Web]:
    def found(tx: Tx) -> None:
        for name in ("example.com", "own.example", "foreign.example"):
            domains.add_domain(tx, name, 1)
        [quiet] = [each for each in domains.list_domains(tx) if each.name == "own.example"]
        domains.set_rules(tx, quiet.id, Rules(pop3=False))
        oauth.make_client(
            tx,
            SecretKey(bytes(32)),
            name="Thunderbird",
            kind=oauth.Kind.NATIVE,
            now=1_700_000_000,
            redirect_uris=("http://localhost",),
        )

    await database.write(found)
    files, _ = ensure_certificates(tmp_path, names_of(["example.com", "own.example"]), datetime.now(UTC))
    facts = Facts("localhost", "example.com", PORTS | {"https": 443}, files.authority, is_local=False)
    pair = (files.certificate.read_bytes(), files.key.read_bytes())
    desk = Desk(database, facts, lambda _: pair, has_registration=True)
    routes = AutoconfigRoutes(desk, lambda: 1_700_000_000.5).routes()
    server = HttpServer(Starlette(routes=routes))
    admission = Admission(per_address=50, in_all=50)
    plain = Listener(Service.HTTP, server.serve, admission)
    secure = Listener(Service.HTTP, server.serve, admission, context=server_context(files.certificate, files.key))
    for listener in (plain, secure):
        await listener.open(["127.0.0.1"], 0)
    yield Web(plain, secure, files.authority, database)
    for listener in (plain, secure):
        listener.stop()
        await listener.drain(1)


@pytest.mark.parametrize(
    "url",
    [
        "autoconfig.example.com/mail/config-v1.1.xml?emailaddress=ann%40example.com",
        "autoconfig.example.com/mail/config-v1.1.xml",
        "AUTOCONFIG.Example.COM:8080/mail/config-v1.1.xml",
        "example.com/.well-known/autoconfig/mail/config-v1.1.xml",
        "autoconfig.example.com/v1.1/mail/config-v1.1.xml",
        "mail.example.com/mail/config-v1.1.xml?emailaddress=nobody%40EXAMPLE.com",
        "192.0.2.1/mail/config-v1.1.xml?emailaddress=ann%40example.com",
        "autoconfig.example.com/mail/config-v1.1.xml?emailaddress=ann%40elsewhere.example",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_autoconfig_at_every_address(web: Web, scheme: str, url: str) -> None:
    answer = await web.asks(f"{scheme}://{url}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    validate(answer.body, "autoconfig")
    read = read_autoconfig(answer.body, "ann@example.com")
    assert not read.problems
    assert {target.host for target in read.targets} == {"imap.example.com", "pop.example.com", "smtp.example.com"}


@pytest.mark.parametrize(
    "url",
    [
        f"autoconfig.elsewhere.example{AUTOCONFIG}?emailaddress=ann%40elsewhere.example",
        f"127.0.0.1{AUTOCONFIG}",
        f"x{AUTOCONFIG}?emailaddress=%00%0a",
        f"autoconfig.example.com.{AUTOCONFIG}x",
        "elsewhere.example/.well-known/user-agent-configuration.json",
        "example.com/setup/mail.mobileconfig?address=ann%40elsewhere.example",
        "example.com/setup/mail.mobileconfig?address=example.com",
        "example.com/setup/mail.mobileconfig",
    ],
)
async def test_what_is_not_ours_is_not_found(web: Web, url: str) -> None:
    assert (await web.asks(f"https://{url}")).status == 404


async def test_nobody_learns_who_has_an_account(web: Web) -> None:
    """There are no accounts at all here: an answer that depended on one could not come."""
    seen = set()
    for name in ("ann", "nobody", "a.b%2Bc"):
        answers = [
            await web.asks(f"https://autoconfig.example.com{AUTOCONFIG}?emailaddress={name}%40example.com"),
            await web.asks(
                f"https://autodiscover.example.com{AUTODISCOVER}",
                "POST",
                request("ann@example.com", OUTLOOK).replace("ann", name),
            ),
            await web.asks(
                f"https://example.com/autodiscover/autodiscover.json?Email={name}%40example.com&Protocol=Ews"
            ),
        ]
        seen.add(tuple((each.status, each.body.replace(name.encode(), b"")) for each in answers))
    assert len(seen) == 1


async def test_a_domain_has_its_own_names_and_rules_and_another_s_names_without_a_certificate(web: Web) -> None:
    own = await web.asks(f"https://autoconfig.own.example{AUTOCONFIG}")
    hosts = {target.host for target in read_autoconfig(own.body, "a@own.example").targets}
    assert hosts == {"imap.own.example", "smtp.own.example"}
    foreign = await web.asks(f"https://autoconfig.foreign.example{AUTOCONFIG}")
    hosts = {target.host for target in read_autoconfig(foreign.body, "a@foreign.example").targets}
    assert hosts == {"imap.example.com", "pop.example.com", "smtp.example.com"}


async def test_head_and_conditional_requests(web: Web) -> None:
    url = f"http://autoconfig.example.com{AUTOCONFIG}"
    whole = await web.asks(url)
    head = await web.asks(url, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))
    assert "max-age" in whole.headers["cache-control"]
    tag = whole.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = await web.asks(url, if_none_match=known)
        assert (again.status, again.body) == (304, b"")
    assert (await web.asks(url, if_none_match='"other"')).status == 200
    assert (await web.asks(url, "PUT")).status == 405


@pytest.mark.parametrize("path", [AUTODISCOVER, "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AUTODISCOVER.XML"])
async def test_outlook_gets_its_settings(web: Web, path: str) -> None:
    url = f"https://autodiscover.example.com{path}"
    answer = await web.asks(url, "POST", request("Ann@Example.com", OUTLOOK), content_type="text/xml")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    validate(answer.body, "autodiscover")
    assert len(read_autodiscover(answer.body).targets) == 3
    assert b"<LoginName>Ann@Example.com</LoginName>" in answer.body


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("POST", request("ann@example.com", MOBILESYNC, namespace="mobilesync"), 600),
        ("POST", request("ann@example.com", MOBILESYNC), 600),
        ("POST", request("ann@example.com", "urn:something"), 601),
        ("POST", request("ann@elsewhere.example", OUTLOOK), 500),
        ("POST", request("no address", OUTLOOK), 600),
        ("POST", "nonsense", 600),
        ("POST", request("a@example.com", "x" * 20_000), 600),
        ("GET", "", 600),
    ],
)
async def test_what_autodiscover_cannot_answer_it_says_in_its_own_form(
    web: Web, method: str, body: str, code: int
) -> None:
    answer = await web.asks(f"https://autodiscover.example.com{AUTODISCOVER}", method, body)
    assert answer.status == 200
    validate(answer.body, "autodiscover")
    assert f"<ErrorCode>{code}<".encode() in answer.body


async def test_autodiscover_over_http_leads_to_https(web: Web) -> None:
    where = "autodiscover.example.com/Autodiscover/Autodiscover.xml"
    for method, status in (("GET", 302), ("POST", 307)):
        answer = await web.asks(f"http://{where}", method)
        assert (answer.status, answer.headers["location"]) == (status, f"https://{where}")


async def test_autodiscover_in_json(web: Web) -> None:
    base = "https://autodiscover.example.com/autodiscover/autodiscover.json"
    for url in (
        f"{base}?Email=ann%40example.com&Protocol=AutodiscoverV1&RedirectCount=1",
        f"{base.replace('discover.json', 'Discover.json')}/v1.0/ann%40example.com?protocol=autodiscoverv1",
    ):
        answer = await web.asks(url)
        assert (answer.status, json.loads(answer.body)["Url"]) == (
            200,
            f"https://autodiscover.example.com{AUTODISCOVER}",
        )
    for query, status, code in (
        ("Email=ann%40example.com&Protocol=ActiveSync", 404, "ProtocolNotSupported"),
        ("Email=ann%40example.com", 400, "MandatoryParameterMissing"),
    ):
        answer = await web.asks(f"{base}?{query}")
        assert (answer.status, json.loads(answer.body)["ErrorCode"]) == (status, code)
    elsewhere = base.replace("example.com", "elsewhere.example")
    answer = await web.asks(f"{elsewhere}?Email=a%40elsewhere.example&Protocol=AutodiscoverV1")
    assert (answer.status, json.loads(answer.body)["ErrorCode"]) == (404, "UserNotFound")


async def test_pacc(web: Web) -> None:
    answer = await web.asks("https://ua-auto-config.example.com/.well-known/user-agent-configuration.json")
    assert answer.headers["content-type"] == "application/json"
    assert len(read_pacc(answer.body).targets) == 3
    assert json.loads(answer.body)["authentication"]["oauth-public"] == {"issuer": "https://mail.example.com"}


async def test_the_profile_is_signed_by_the_certificate_of_the_host(web: Web) -> None:
    answer = await web.asks("https://mail.example.com/setup/mail.mobileconfig?address=ann%40example.com")
    assert answer.headers["content-type"] == "application/x-apple-aspen-config"
    assert "mail.mobileconfig" in answer.headers["content-disposition"]
    [signer, *_] = pkcs7.load_der_pkcs7_certificates(answer.body)
    assert "example.com" in signer.subject.rfc4514_string()
    start, end = answer.body.index(b"<?xml"), answer.body.index(b"</plist>") + len(b"</plist>")
    content = plistlib.loads(answer.body[start:end])["PayloadContent"]
    assert [each["PayloadType"] for each in content] == ["com.apple.mail.managed", "com.apple.security.root"]


@pytest.mark.parametrize(
    ("query", "host"), [("", "imap.example.com"), ("?address=a%40own.example", "imap.own.example")]
)
async def test_the_add_on_names_the_hosts_of_one_domain_until_thunderbird_is_removed(
    web: Web, query: str, host: str
) -> None:
    answer = await web.asks(f"https://mail.example.com/setup/thunderbird.xpi{query}")
    assert answer.headers["content-type"] == "application/x-xpinstall"
    with zipfile.ZipFile(BytesIO(answer.body)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["oauth_provider"]["hostnames"][0] == host
    assert len({name.partition(".")[2] for name in manifest["oauth_provider"]["hostnames"]}) == 1
    [client] = await web.database.read(oauth.list_clients)
    assert manifest["oauth_provider"]["clientId"] == client.id
    await web.database.write(oauth.delete_client, client.id)
    assert (await web.asks("https://mail.example.com/setup/thunderbird.xpi")).status == 404
    told = await web.asks(f"https://autoconfig.example.com{AUTOCONFIG}")
    assert b"OAuth2" not in told.body
