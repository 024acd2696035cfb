"""The doctor on the web: pages without a script, JSON, one question at a time, and no look into private networks."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailhost.config import Config
from mailhost.doctor.guard import is_public, public_only
from mailhost.doctor.sql import (
    A_HOUR,
    LONGEST_SECONDS,
    DiagnosisRunning,
    TooManyDiagnoses,
    begin_diagnosis,
    end_diagnosis,
    find_diagnosis,
    list_diagnoses,
)
from mailhost.login.model import Refused
from mailhost.login.model import Visit as Attempt
from mailhost.oauth import Kind
from mailhost.storage.database import Database
from tests.doctor.zoo import papers
from tests.doctor.zoo.mail import Listener, Mail
from tests.doctor.zoo.zone import Zone
from tests.web.browsing import Browser, Page
from tests.web.conftest import ANNA, OTTO, PASSWORD, Town
from tests.web.test_consent import ask_as_device, device_token, program

NOW = 1_800_000_000


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    zone = Zone()
    for name in ("elsewhere.test", "imap.elsewhere.test"):
        zone.add(name, "A", "127.0.0.1")
    yield zone
    zone.close()


@pytest.fixture
async def config(zone: Zone, request: pytest.FixtureRequest) -> Config:
    address, port = await zone.serve()
    return Config(resolver=f"{address}:{port}", doctor_anywhere=getattr(request, "param", True))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Listener]:
    """A healthy IMAP server that begins without TLS."""
    listener = Listener(Mail("imap", context=papers.good_context(tmp_path), is_implicit=False).serve)
    yield listener
    await asyncio.to_thread(listener.close)


async def ended(browser: Browser, page: Page) -> Page:
    """The page of a question once it has its answer; it looks again by itself, as the browser would."""
    for _ in range(200):
        if 'http-equiv="refresh"' not in page.text:
            return page
        await asyncio.sleep(0.1)
        page = await browser.open(page.path)
    raise AssertionError(page.text)


async def ask(browser: Browser, **typed: str) -> Page:
    page = await browser.open("/doctor")
    usual = {"address": "rosa@elsewhere.test", "protocols": "imap", "imap_encryption": "tls", "provider": "auto"}
    return await ended(browser, await browser.submit(page, "/doctor/ask", **(usual | typed)))


async def test_a_wrong_mode_is_named_first_in_both_languages(town: Town, server: Listener) -> None:
    browser = await town.signed_in()
    page = await ask(browser, imap_host="imap.elsewhere.test", imap_port=str(server.port))
    assert page.status == 200
    first = page.text.index("finding error")
    assert page.text.index(">C1<") > first
    assert f"IMAP imap.elsewhere.test:{server.port} SSL/TLS" in page.text
    browser.language = "zh-CN"
    chinese = await browser.open(page.path)
    assert "依据" in chinese.text
    assert ">C1<" in chinese.text
    listed = await browser.open("/doctor")
    assert f'href="{page.path}"' in listed.text
    other = await town.signed_in(OTTO)
    assert (await other.open(page.path)).status == 404


async def test_a_quoted_message_alone_leads_somewhere(town: Town) -> None:
    page = await ask(await town.signed_in(), message="Application-specific password required")
    assert ">E2<" in page.text


@pytest.mark.parametrize("config", [False], indirect=True)
async def test_private_addresses_are_not_looked_at(town: Town, server: Listener) -> None:
    page = await ask(await town.signed_in(), imap_host="imap.elsewhere.test", imap_port=str(server.port))
    assert "127.0.0.1 is no public address" in page.text
    page = await ask(await town.signed_in(), imap_host="localhost", imap_port="993")
    assert "is no public address" in page.text
    assert not server._open
    assert len(server._threads) == 1


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "name",
    ],
)  # fmt: skip
async def test_what_is_not_the_internet(address: str) -> None:
    assert not is_public(address)

    async def never(_address: str, _port: int) -> socket.socket:
        raise AssertionError("it was connected to")

    with pytest.raises(OSError, match="no public address"):
        await public_only(never)(address, 993)


async def test_the_internet_is_looked_at_on_ports_of_mail() -> None:
    reached = []

    async def note(address: str, port: int) -> socket.socket:
        reached.append((address, port))
        return socket.socket()

    for address in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        (await public_only(note)(address, 993)).close()
    with pytest.raises(OSError, match="port 22 is not one of mail"):
        await public_only(note)("8.8.8.8", 22)
    assert len(reached) == 4


@pytest.mark.parametrize(
    ("typed", "english", "chinese"),
    [
        ({"address": "nobody"}, "no mail address", "不是邮件地址"),
        ({"address": "a@b..c"}, "no domain", "不是域名"),
        ({"imap_host": "a b"}, "A server is a host name", "服务器应填写主机名"),
        ({"imap_host": "a.test", "imap_port": "99999"}, "A server is a host name", "服务器应填写主机名"),
        ({"message": "x" * 5000}, "too long", "过长"),
    ],
)
async def test_a_question_that_cannot_be_asked(town: Town, typed: dict[str, str], english: str, chinese: str) -> None:
    browser = await town.signed_in()
    page = await ask(browser, **typed)
    assert (page.status, english in page.text) == (422, True)
    assert "rosa@elsewhere.test" in page.text or "address" in typed
    browser.language = "zh-CN"
    assert chinese in (await ask(browser, **typed)).text


async def test_only_for_people_with_an_account(town: Town) -> None:
    stranger = town.browser()
    for path in ("/doctor", "/doctor/1", "/doctor/watch"):
        assert (await stranger.open(path)).path.startswith("/sign-in?next=")
    browser = await town.signed_in()
    page = await browser.post("/doctor/ask", {"address": ANNA}, Origin="https://evil.example")
    assert page.status == 403


# One at a time


async def test_one_question_at_a_time_and_so_many_an_hour(database: Database) -> None:
    number = await database.write(begin_diagnosis, 1, ANNA, NOW)
    with pytest.raises(DiagnosisRunning):
        await database.write(begin_diagnosis, 1, ANNA, NOW)
    await database.write(begin_diagnosis, 2, OTTO, NOW)
    await database.write(end_diagnosis, 1, number, "{}", NOW)
    for _ in range(A_HOUR - 1):
        number = await database.write(begin_diagnosis, 1, ANNA, NOW)
        await database.write(end_diagnosis, 1, number, "{}", NOW)
    with pytest.raises(TooManyDiagnoses):
        await database.write(begin_diagnosis, 1, ANNA, NOW)
    await database.write(begin_diagnosis, 1, ANNA, NOW + 3601)
    kept = await database.read(list_diagnoses, 1)
    assert [kept[0].id, kept[-1].id, len(kept)] == [A_HOUR + 1, 2, A_HOUR]


async def test_a_question_whose_process_died_is_in_nobody_s_way(database: Database) -> None:
    first = await database.write(begin_diagnosis, 1, ANNA, NOW)
    await database.write(begin_diagnosis, 1, ANNA, NOW + LONGEST_SECONDS + 1)
    found = await database.read(find_diagnosis, 1, first)
    assert found is not None
    assert (found.ended_at, found.reports) == (NOW + LONGEST_SECONDS + 1, "")


async def test_whoever_asks_twice_is_led_to_what_runs(town: Town) -> None:
    browser = await town.signed_in()
    number = await town.database.write(begin_diagnosis, town.ids[ANNA], ANNA, int(town.now))
    page = await browser.submit(await browser.open("/doctor"), "/doctor/ask", provider="auto")
    assert page.path == f"/doctor/{number}"
    assert 'http-equiv="refresh"' in page.text
    town.now += LONGEST_SECONDS
    assert "did not end" in (await browser.open(page.path)).text


# Programs


async def post(town: Town, body: object, **headers: str) -> tuple[int, dict[str, object]]:
    def exchange() -> tuple[int, dict[str, object]]:
        client = http.client.HTTPSConnection("localhost", town.ports["https"], timeout=60, context=town.tls)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request("POST", "/api/doctor", json.dumps(body), {"Content-Type": "application/json", **told})
        answer = client.getresponse()
        found = answer.status, json.loads(answer.read())
        client.close()
        return found

    return await asyncio.to_thread(exchange)


async def test_programs_ask_by_token(town: Town, server: Listener) -> None:
    client = await program(town, Kind.DEVICE)
    begun = await ask_as_device(town, client)
    anna = await town.signed_in()
    page = await anna.open(begun["verification_uri_complete"].removeprefix(anna.origin))
    await anna.submit(page, "/device", answer="allow")
    town.now += 6
    granted = await device_token(town, client, begun)
    asked = {"address": "rosa@elsewhere.test", "servers": [f"imap=imap.elsewhere.test:{server.port}/tls"]}
    status, report = await post(town, asked, Authorization=f"Bearer {granted['access_token']}")
    assert (status, report["verdict"], report["shape"]) == (200, "error", 1)
    assert report["findings"][0]["leaf"] == "C1"
    status, report = await post(town, asked | {"language": "zh"}, Authorization=f"Bearer {granted['access_token']}")
    assert "端口" in report["findings"][0]["title"]
    town.now += 4000
    assert (await post(town, asked, Authorization=f"Bearer {granted['access_token']}"))[0] == 401
    assert (await post(town, asked, Authorization="Bearer nonsense"))[0] == 401


async def test_pages_ask_with_the_session_and_its_word(town: Town, server: Listener) -> None:
    browser = await town.signed_in()
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    word = (await browser.open("/doctor")).form("/doctor/ask").fields["csrf"]
    asked = {"address": "rosa@elsewhere.test", "servers": [f"imap=imap.elsewhere.test:{server.port}"]}
    assert (await post(town, asked, Cookie=cookie))[0] == 401
    assert (await post(town, asked, Cookie=cookie, X_CSRF_Token=word[::-1]))[0] == 401
    assert (await post(town, asked, Cookie=cookie, X_CSRF_Token=word))[0] == 200
    for wrong in ({"address": "nobody"}, {"address": ANNA, "unknown": 1}, {"address": ANNA, "protocols": ["x400"]}, []):
        status, refusal = await post(town, wrong, Cookie=cookie, X_CSRF_Token=word)
        assert (status, refusal["error"]) == (400, "bad_question")
    await town.database.write(begin_diagnosis, town.ids[ANNA], ANNA, int(town.now))
    assert (await post(town, asked, Cookie=cookie, X_CSRF_Token=word))[0] == 409


# Watching


async def test_the_next_attempt_is_explained_on_a_page_that_waits(town: Town) -> None:
    browser = await town.signed_in()
    page = await browser.open("/doctor/watch")
    assert 'http-equiv="refresh"' in page.text
    assert "does not reach this server" in page.text
    for address in (ANNA, OTTO):
        visit = Attempt("imap", 993, "192.0.2.7", "abcd2345", tls_version="TLSv1.3", client_id="Thunderbird")
        with pytest.raises(Refused):
            await town.keeper.authenticate(address, PASSWORD, visit)
    await town.keeper._diary.flush()
    page = await browser.open(page.path)
    assert page.text.count("<article") == 1
    assert "E2" in page.text
    assert "app password" in page.text
    assert "abcd2345" in page.text
    town.now += 1000
    page = await browser.open(page.path)
    assert 'http-equiv="refresh"' not in page.text
