"""`mailhost doctor` as people call it: without a network, on our own server, in both languages, piped and as JSON."""

from __future__ import annotations

import imaplib
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner, Result

from mailhost.cli.doctor import doctor
from mailhost.config import FILE_NAME
from mailhost.doctor.classic import CLASSICS
from mailhost.doctor.client import Question, diagnose
from mailhost.doctor.names import Resolver
from mailhost.doctor.own import SERVICES
from mailhost.doctor.providers import built_in
from mailhost.doctor.targets import Protocol, parse_target
from mailhost.doctor.world import World
from tests.running import MAILHOST, ROOT, Server, running


@pytest.fixture
def deaf() -> Iterator[str]:
    """A name server that never answers, so that no diagnosis can look further."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("doctor") / "data") as server:
        yield server


def run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(doctor, list(words), input=stdin)


def places(server: Server) -> list[str]:
    """Our own server as a mail program is set to it."""
    settings = (("imap", "imaps", "tls"), ("smtp", "submission", "starttls"))
    return [
        word
        for protocol, port, encryption in settings
        for word in ("--server", f"{protocol}=localhost:{server.ports[port]}/{encryption}")
    ]


# Without a network


def test_gmail_without_a_network(deaf: str) -> None:
    result = run("client", "someone@gmail.com", "--resolver", deaf, "--language", "en")
    assert result.exit_code == 4
    said = result.stdout
    assert "There is no network" in said
    for words in ("imap.gmail.com  993  SSL/TLS", "smtp.gmail.com  465  SSL/TLS", "smtp.gmail.com  587  STARTTLS"):
        assert words in said
    order = [said.index(f"{number} {each.name.en}: ") for number, each in enumerate(CLASSICS, 1)]
    assert order == sorted(order)
    assert "\x1b" not in said


def test_gmail_without_a_network_in_chinese_as_json(deaf: str) -> None:
    result = run("client", "someone@gmail.com", "--resolver", deaf, "--language", "zh", "--json")
    assert result.exit_code == 4
    report = json.loads(result.stdout)
    assert (report["offline"], report["verdict"], report["provider"]) == (True, "error", "Gmail")
    assert [each["name"] for each in report["classic_causes"]] == [each.name.zh for each in CLASSICS]
    assert report["findings"][0]["leaf"] == "B4"
    assert "没有网络" in report["findings"][0]["title"]
    assert report["settings"][0] == {
        "protocol": "imap", "host": "imap.gmail.com", "port": 993, "encryption": "tls", "source": "provider"
    }  # fmt: skip


async def first_leaf(address: str, setting: str, deaf: str, ca: Path | None = None) -> str:
    """What the engine says first, with short waits."""
    protocol, _, server = setting.partition("=")
    resolver = Resolver((("127.0.0.1", int(deaf.partition(":")[2])),), try_seconds=0.1)
    question = Question(address, servers=(parse_target(Protocol(protocol), server),))
    try:
        report = await diagnose(question, World(resolver, authorities=ca), built_in())
    finally:
        await resolver.close()
    return report.findings[0].finding.leaf


@pytest.mark.parametrize(
    ("setting", "leaf"),
    [
        ("smtp=smtp.gmail.com:587/tls", "C1"),
        ("imap=imap.gmail.com:993/starttls", "C2"),
        ("imap=gmail.com:993/tls", "A4"),
        ("imap=imap.gmial.com:993/tls", "A1"),
        ("imap=imap.gmail.com:143/starttls", "B1"),
        ("imap=imap.gmail.com:993/tls", "B4"),
    ],
)
async def test_a_wrong_setting_is_seen_without_a_network(deaf: str, setting: str, leaf: str) -> None:
    assert await first_leaf("someone@gmail.com", setting, deaf) == leaf


def test_a_quoted_message_is_understood_without_a_network(deaf: str) -> None:
    message = "NO [ALERT] Application-specific password required (Failure)"
    result = run("client", "someone@gmail.com", "--resolver", deaf, "--from-message", message, "--json")
    [first, second] = json.loads(result.stdout)["findings"]
    assert (first["leaf"], first["role"], second["leaf"]) == ("E2", "cause", "B4")
    assert first["help"] == "https://support.google.com/accounts/answer/185833"


# On our own server


def test_our_own_server_is_healthy_and_the_sign_in_works(server: Server, deaf: str) -> None:
    account = server.new_account()
    options = ["--ca", server.ca, "--resolver", deaf, "--password-stdin", "--json", *places(server)]
    result = run("client", account.address, *options, stdin=account.password + "\n")
    report = json.loads(result.stdout)
    assert report["findings"] == []
    assert result.exit_code == 0
    for path in report["paths"]:
        said = {step["name"]: step["said"] for step in path["steps"]}
        assert said["sign-in"] == "accepted"
        assert said["TLS"].startswith("TLSv1.3")
    assert account.password not in result.stdout


@pytest.mark.parametrize(
    ("setting", "leaf"),
    [
        ("imap=localhost:{imap}/tls", "C1"),
        ("smtp=localhost:{submissions}/starttls", "C2"),
        ("imap=localhost:{pop3s}/tls", "C3"),
        ("smtp=localhost:{smtp}/starttls", "C4"),
        ("imap=localhost:{imap}/none", "E12"),
        ("pop=localhost:{http}/starttls", "C3"),
    ],
)
async def test_wrong_settings_for_our_own_server(server: Server, deaf: str, setting: str, leaf: str) -> None:
    assert await first_leaf("me@example.test", setting.format(**server.ports), deaf, Path(server.ca)) == leaf


async def test_our_own_authority_is_unknown_to_programs(server: Server, deaf: str) -> None:
    assert await first_leaf("me@example.test", f"imap=localhost:{server.ports['imaps']}/tls", deaf) == "D5"


@contextmanager
def watching(server: Server, address: str, *options: str) -> Iterator[IO[str]]:
    """What `doctor watch` prints, from the moment it watches; ended as a person ends it."""
    command = [*MAILHOST, "doctor", "watch", address, "--data", str(server.folder), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert "Watching" in watch.stderr.readline()
        try:
            yield watch.stdout
        finally:
            watch.send_signal(signal.SIGINT)
            assert watch.wait(30) == 0


@pytest.mark.timeout(120)  # it waits for a line that the diary may never bring
def test_a_wrong_password_and_what_the_diary_says_of_it(server: Server, deaf: str) -> None:
    account = server.new_account()
    with watching(server, account.address, "--json") as told:
        options = ["--ca", server.ca, "--resolver", deaf, "--password-stdin", *places(server)[:2]]
        result = run("client", account.address, *options, stdin="wrong-wrong-wrong\n")
        line = next(line for line in map(json.loads, told) if line["cause"].startswith("wrong-"))
    assert result.exit_code == 4
    assert "E1, Sign-in" in result.stdout
    assert "wrong-wrong" not in result.stdout
    assert (line["accepted"], line["leaf"], line["protocol"]) == (False, "E1", "imap")


@pytest.mark.timeout(120)  # it waits for a line that the diary may never bring
def test_watching_a_sign_in_that_works(server: Server) -> None:
    account = server.new_account()
    with watching(server, account.address) as told:
        with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls()) as client:
            client.login(account.address, account.password)
        assert any("signed in over IMAP" in line for line in told)


def test_our_running_server_from_outside(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as server:
        result = run("server", "--data", str(data), "--json")
        ports = {server.ports[name] for name in SERVICES}
    report = json.loads(result.stdout)
    assert report["findings"] == []
    assert {path["port"] for path in report["paths"]} == ports
    settings = (data / FILE_NAME).read_text()
    closed_ports = "\n".join(f"{name} = {port}" for name, port in zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    (data / FILE_NAME).write_text(settings.replace("[ports]", "[ports]\n" + closed_ports))
    closed = run("server", "--data", str(data), "--json")
    assert closed.exit_code == 4
    assert [each["leaf"] for each in json.loads(closed.stdout)["findings"]] == ["B1"]


def free_ports(count: int) -> list[int]:
    """Ports that are free now, on both loopback addresses, as it seems."""
    sockets = [socket.create_server(("::1", 0), family=socket.AF_INET6) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


# How it is called


@pytest.mark.parametrize(
    "words",
    [
        ["client", "nobody"],
        ["client", "a\r\nb@example.test"],
        ["client", "<a>@example.test"],
        ["client", "a@b..c"],
        ["client", "a@example.test", "--provider", "gmial"],
        ["client", "a@example.test", "--server", "imap.example.test"],
        ["client", "a@example.test", "--server", "imap=example.test:0"],
        ["client", "a@example.test", "--protocol", "imap,nntp"],
        ["client", "a@example.test", "--resolver", "no-address"],
        ["client", "a@example.test", "--password-stdin", "--oauth"],
        ["domain", "-"],
    ],
)
def test_what_cannot_be_asked_is_said_in_one_sentence(words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code in (1, 2)
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_domain_without_a_network(deaf: str) -> None:
    result = run("domain", "example.test", "--resolver", deaf, "--json")
    assert (result.exit_code, json.loads(result.stdout)["findings"][0]["leaf"]) == (4, "B4")


def test_help_names_every_command() -> None:
    said = subprocess.run([*MAILHOST, "doctor", "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in ("client", "domain", "import-providers", "server", "watch"):
        assert f"  {command} " in said
