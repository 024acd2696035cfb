"""`mailhost oauth client`: the file it prints, and the addresses in it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailhost.cli.domain import domain
from mailhost.cli.oauth_client import oauth_client
from mailhost.config import Config, Ports, write_first


def client(data: Path, *words: str) -> Result:
    return CliRunner().invoke(oauth_client, ["client", *words, "--data", str(data)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_first(tmp_path, Config())
    CliRunner().invoke(domain, ["add", "example.test", "--data", str(tmp_path)], catch_exceptions=False)
    return tmp_path


@pytest.mark.parametrize(
    ("config", "issuer"),
    [
        (Config(), "https://localhost"),
        (Config(ports=Ports(https=8443)), "https://localhost:8443"),
        (Config(listen=("0.0.0.0",)), "https://mail.example.test"),
        (Config(listen=("::", "127.0.0.1"), host_name="post.example.test"), "https://post.example.test"),
    ],
)
def test_addresses_come_from_the_settings(data: Path, config: Config, issuer: str) -> None:
    write_first(data, config)
    made = json.loads(client(data, "add", "Thunderbird").stdout)["installed"]
    assert made["auth_uri"] == f"{issuer}/oauth/authorize"
    assert made["token_uri"] == f"{issuer}/oauth/token"
    assert made["redirect_uris"] == ["http://localhost", "http://127.0.0.1", "http://[::1]"]


def test_a_program_comes_and_goes(data: Path) -> None:
    assert "There is no program yet" in client(data, "list").output
    issuer = "https://elsewhere.example/"
    made = json.loads(
        client(data, "add", "Shop", "--kind", "web", "--redirect", "https://a.example/", "--issuer", issuer).stdout
    )
    assert made["web"]["token_uri"] == "https://elsewhere.example/oauth/token"
    service = json.loads(client(data, "add", "Backup", "--kind", "service", "--domain", "example.test").stdout)
    assert service["type"] == "service_account"
    assert "Shop" in client(data, "list").stdout
    assert client(data, "remove", made["web"]["client_id"]).exit_code == 0
    assert "Shop" not in client(data, "list").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "X", "--kind", "service"), "A service needs --domain"),
        (("add", "X", "--domain", "example.test"), "A service needs --domain"),
        (("add", "X", "--kind", "web"), "needs one to 10 redirect URIs"),
        (("add", "X", "--redirect", "http://evil.example/"), "use https"),
        (("add", "X", "--redirect", "javascript:alert(1)"), "use https"),
        (("add", "\x1b[2J"), "characters that can be seen"),
        (("remove", "nobody"), "There is no program nobody"),
    ],
)
def test_each_mistake_has_its_sentence(data: Path, words: tuple[str, ...], said: str) -> None:
    result = client(data, *words)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
