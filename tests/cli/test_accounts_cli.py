"""The operator's commands on domains, accounts and app passwords, on a real store beside a running server."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailhost.accounts.audit.model import NOBODY, Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import record_sign_ins
from mailhost.accounts.credentials.sql import record_uses
from mailhost.accounts.held.sql import hold
from mailhost.accounts.model import LastUse
from mailhost.cli.account import account
from mailhost.cli.app_password import app_password
from mailhost.cli.domain import domain
from mailhost.cli.share import share
from mailhost.cli.store import opened
from mailhost.config import Config, write_first
from mailhost.config import Limits as ConfiguredLimits
from mailhost.login import DoorKeeper, Identity, Limits, Reason, Refused, Visit, store_key
from mailhost.storage.database import open_database
from tests.network.places import BERLIN, write_places

GROUPS = {"account": account, "app-password": app_password, "domain": domain, "share": share}


class Shell:
    """Runs commands as an operator would."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.url = f"sqlite:///{data}/mailhost.db"

    def run(self, line: str, *arguments: str, stdin: bytes | str = "") -> Result:
        group, *words = line.split()
        return CliRunner().invoke(
            GROUPS[group], [*words, *arguments, "--data", str(self.data)], input=stdin, prog_name=f"mailhost {group}"
        )

    def output(self, line: str, *arguments: str, stdin: bytes | str = "") -> str:
        result = self.run(line, *arguments, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def sentence(self, line: str, *arguments: str, stdin: bytes | str = "") -> str:
        """What a refused command says: one sentence, no traceback, exit code 1 or 2."""
        result = self.run(line, *arguments, stdin=stdin)
        assert result.exit_code in (1, 2)
        assert isinstance(result.exception, SystemExit)
        assert result.stdout == ""
        [said] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        return said


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path / "data")
    shell.data.mkdir()
    write_first(shell.data, Config())

    async def create() -> None:
        await (await open_database(shell.url)).close()

    asyncio.run(create())
    return shell


@pytest.fixture
def with_anna(shell: Shell) -> Shell:
    shell.output("domain add example.test")
    shell.output("account add anna@example.test")
    return shell


def test_from_nothing_to_a_mail_client_that_signs_in(shell: Shell) -> None:
    async def story() -> None:
        """The commands run in threads, as other processes would, while a server holds the store."""
        database = await open_database(shell.url, serving=True)
        keeper = DoorKeeper(database, await store_key(database, shell.data), Limits(), time.time)
        visit = Visit("imap", 993, "192.0.2.7", "c1")
        try:
            await asyncio.to_thread(shell.output, "domain add example.test")
            made = await asyncio.to_thread(shell.output, "account add Anna@Example.Test --json")
            facts = json.loads(made)
            assert facts["address"] == "anna@example.test"
            added = await asyncio.to_thread(
                shell.output, "app-password add anna@example.test --protocols imap,smtp --json --name", "Anna's phone"
            )
            secret = json.loads(added)["app_password"]
            assert [len(group) for group in secret.split(" ")] == [4] * 4
            assert isinstance(await keeper.authenticate("anna@example.test", secret, visit), Identity)
            with pytest.raises(Refused) as refused:
                await keeper.authenticate("anna@example.test", facts["password"], visit)
            assert refused.value.reason is Reason.APP_PASSWORD_REQUIRED
            assert "revoked" in await asyncio.to_thread(shell.output, "app-password revoke anna@example.test 1")
            with pytest.raises(Refused) as refused:
                await keeper.authenticate("anna@example.test", secret, visit)
            assert refused.value.reason is Reason.WRONG_CREDENTIALS
        finally:
            await keeper.close()
            await database.close()

    asyncio.run(story())


def test_a_password_of_ones_own(shell: Shell) -> None:
    shell.output("domain add example.test")
    told = shell.output("account add anna@example.test --password-stdin", stdin="grün und blau\r\n")
    assert "grün" not in told
    assert (
        json.loads(shell.output("account add otto@example.test --json --password-stdin", stdin="12345678"))["password"]
        is None
    )
    for unfit in ("", "short\n", "x" * 300, b"\xff\xfe12345678"):
        assert "password" in shell.sentence("account add zoe@example.test --password-stdin", stdin=unfit)
    assert "zoe" not in shell.output("account list")


def test_lists_are_plain_when_piped(with_anna: Shell) -> None:
    with_anna.output("account add otto@example.test --quota 500M --name", "Otto [bold]")
    assert with_anna.output("account list").splitlines() == [
        "anna@example.test\t\tlive\t0\t0 B\t15 GiB",
        "otto@example.test\tOtto [bold]\tlive\t0\t0 B\t500 MiB",
    ]
    assert with_anna.output("domain list") == "example.test\texample.test\tanna@example.test\n"
    [anna, _] = [json.loads(line) for line in with_anna.output("account list --json").splitlines()]
    assert anna == {
        "address": "anna@example.test",
        "name": "",
        "state": "live",
        "messages": 0,
        "octets": 0,
        "quota": 15 * 1024**3,
    }
    assert json.loads(with_anna.output("domain list --json")) == {
        "domain": "example.test",
        "administrator": "anna@example.test",
    }


def test_app_passwords_tell_their_last_use(with_anna: Shell) -> None:
    with_anna.output("app-password add anna@example.test --name phone")
    with_anna.output("app-password add anna@example.test --name tablet --protocols pop3")

    async def use() -> None:
        database = await open_database(with_anna.url)
        await database.write(record_uses, [(1, 1, LastUse(1_800_000_000, "192.0.2.7", "imap", "192.0.2.0/24", "mutt"))])
        await database.close()

    asyncio.run(use())
    first, second = with_anna.output("app-password list anna@example.test").splitlines()
    assert first.startswith("1\tphone\timap,pop3,smtp\t")
    assert first.endswith("\t2027-01-15 08:00Z\t192.0.2.7\timap\tmutt")
    assert second.startswith("2\ttablet\tpop3\t")
    assert second.endswith("\tnever\t\t\t")
    as_json = [json.loads(line) for line in with_anna.output("app-password list anna@example.test --json").splitlines()]
    use_of_phone = as_json[0]["last_use"]
    assert (use_of_phone["at"], use_of_phone["peer"]) == ("2027-01-15 08:00Z", "192.0.2.7")
    assert (use_of_phone["client"], use_of_phone["network"]) == ("mutt", "192.0.2.0/24")
    assert as_json[1]["last_use"] is None


def test_the_diary_names_the_remedy(with_anna: Shell) -> None:
    anna = SignIn(
        1, Cause.ACCOUNT_PASSWORD_USED, "", "imap", 993, "192.0.2.7", "192.0.2.0/24", "TLSv1.3", "PLAIN", "mutt", None
    )
    ghost = SignIn(
        NOBODY, Cause.UNKNOWN_USER, "ghost@example.test", "smtp", 465, "192.0.2.8", "192.0.2.0/24", None, "", "", None
    )

    async def write() -> None:
        database = await open_database(with_anna.url)
        occurrence = Occurrence(1_800_000_000, "c7", 412)
        await database.write(record_sign_ins, [(anna, occurrence), (ghost, occurrence)])
        await database.close()

    asyncio.run(write())
    assert with_anna.output("account sign-ins anna@example.test") == (
        "2027-01-15 08:00:00Z\t412\timap\t192.0.2.7\tmutt\t"
        "Your account password was right, but it was used in a mail program over IMAP; it opens the web only.\t"
        "Make an app password for this program and type it there instead.\n"
    )
    told = json.loads(with_anna.output("account sign-ins anna@example.test --json"))
    assert (told["cause"], told["tls"], told["connection"]) == ("account-password-used", "TLSv1.3", "c7")
    assert told["sentence"].startswith("Your account password was right")
    chinese = json.loads(with_anna.output("account sign-ins anna@example.test --json --language zh-CN"))
    assert chinese["remedy"] == "请为该程序创建一个应用专用密码，并在程序中改用它。"
    assert "ghost@example.test; it was tried from 192.0.2.8." in with_anna.output("account sign-ins")
    write_places(with_anna.data / "places.mmdb", {"192.0.2.0/24": BERLIN})
    write_first(with_anna.data, Config(geoip="places.mmdb"))
    assert "tried from 192.0.2.8 (Berlin, Germany)." in with_anna.output("account sign-ins")
    assert "192.0.2.8（德国柏林）" in with_anna.output("account sign-ins --language zh-CN")
    assert with_anna.output("account sign-ins --doorstep") == ""
    assert "no account" in with_anna.sentence("account sign-ins ghost@example.test")


def test_removal_asks_first(with_anna: Shell) -> None:
    assert "--yes" in with_anna.sentence("account remove anna@example.test")
    assert "gone" in with_anna.output("account remove anna@example.test --yes")
    assert with_anna.output("account list") == ""
    assert with_anna.run("account list").stderr == "There is no account yet: mailhost account add ADDRESS makes one.\n"
    assert with_anna.output("domain list") == "example.test\texample.test\t\n"


def test_another_account_password_ends_app_passwords(with_anna: Shell) -> None:
    with_anna.output("app-password add anna@example.test --name phone")
    told = with_anna.output("account password anna@example.test")
    assert "shown this once" in told
    assert "old one: 1" in told
    assert with_anna.output("app-password list anna@example.test") == ""


def test_suspended_and_back(with_anna: Shell) -> None:
    with_anna.output("account suspend anna@example.test")
    assert "\tsuspended\t" in with_anna.output("account list")
    with_anna.output("account resume anna@example.test")
    assert "\tlive\t" in with_anna.output("account list")


def test_room_as_in_the_settings(with_anna: Shell) -> None:
    write_first(with_anna.data, Config(limits=ConfiguredLimits(quota_octets=1024**2)))
    with_anna.output("account add otto@example.test")
    assert with_anna.output("account list").splitlines()[1].endswith("\t1 MiB")


def test_domains_in_their_own_script(shell: Shell) -> None:
    assert "bücher.example" in shell.output("domain add", "Bücher.example")
    shell.output("account add", "anna@BÜCHER.example")
    assert shell.output("account list").startswith("anna@xn--bcher-kva.example\t")
    assert shell.output("domain list") == "bücher.example\txn--bcher-kva.example\tanna@xn--bcher-kva.example\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("domain add example.test", "here already"),
        ("domain add 192.0.2.1", "not an IP address"),
        ("account add anna@example.test", "here already"),
        ("account add anna", "no @"),
        ("account add anna+x@example.test", "plus sign"),
        ("account add anna@elsewhere.test", "mailhost domain add elsewhere.test"),
        ("account add otto@example.test --quota much", "500M"),
        ("account add otto@example.test --quota 0", "500M"),
        ("account quota anna@example.test 99999999T", "500M"),
        ("app-password revoke anna@example.test 99999999999999999999", "is not in the range"),
        ("account remove ghost@example.test --yes", "no account ghost@example.test"),
        ("account password ghost@example.test", "no account"),
        ("account suspend ghost@example.test", "no account"),
        ("app-password add ghost@example.test --name phone", "no account"),
        ("app-password add anna@example.test --name phone --protocols imap,nntp", "'nntp' is none of"),
        ("app-password add anna@example.test", "--name"),
        ("app-password list ghost@example.test", "no account"),
        ("app-password revoke anna@example.test 7", "no app password 7"),
        ("app-password revoke anna@example.test one", "integer"),
    ],
)
def test_each_mistake_has_its_sentence(with_anna: Shell, line: str, said: str) -> None:
    assert said in with_anna.sentence(line)


def test_an_app_password_needs_a_name_that_can_be_seen(with_anna: Shell) -> None:
    assert "1 to 100" in with_anna.sentence("app-password add anna@example.test --name", " ")


def test_no_store_no_traceback(tmp_path: Path) -> None:
    assert "mailhost up" in Shell(tmp_path / "nowhere").sentence("account list")


def test_share(with_anna: Shell) -> None:
    shell = with_anna
    shell.output("account add otto@example.test --json")
    shared = shell.output("share add anna@example.test otto@example.test --rights write")
    assert shared == "otto@example.test may use all mailboxes of anna@example.test, with the rights lrswite.\n"
    shell.output("share add anna@example.test anyone --mailbox Archive")
    rows = [json.loads(line) for line in shell.output("share list anna@example.test --json").splitlines()]
    assert {"mailbox": None, "grantee": "otto@example.test", "rights": "lrswite"} in rows
    assert {"mailbox": "Archive", "grantee": "anyone", "rights": "lr"} in rows
    shell.output("share remove anna@example.test otto@example.test")
    assert shell.output("share list anna@example.test") == "Archive\tanyone\tlr\n"
    for line, said in (
        ("otto@example.test --mailbox nowhere", "anna@example.test has no mailbox nowhere."),
        ("anna@example.test", "anna@example.test has all rights on its own mailboxes."),
        ("nobody@example.test", "There is no account nobody@example.test."),
        ("otto@example.test --rights lz", "Invalid value for '--rights': there is no right z"),
    ):
        assert said in shell.sentence(f"share add anna@example.test {line}")


def test_rules_are_shown_as_they_are_typed(with_anna: Shell) -> None:
    assert with_anna.run("account rules anna@example.test").stderr.startswith("No rules of its own: ")
    changed = "imap=off\nimap_connections=5\nunusual=hold\n"
    assert with_anna.output("account rules anna@example.test imap=off imap-connections=5 unusual=hold") == changed
    assert with_anna.output("account rules anna@example.test unusual=default") == "imap=off\nimap_connections=5\n"
    assert with_anna.output("domain rules example.test pop3=on") == "pop3=on\n"
    for change, possible in {
        "imap=maybe": "imap is on or off, or default",
        "unusual=x": "unusual is allow or alert or hold, or default",
        "imap_connections=0": "imap_connections is a whole number from 1 on, or default",
        "colour=red": "write name=value with one of: ",
    }.items():
        assert possible in with_anna.sentence(f"account rules anna@example.test {change}")


@pytest.mark.parametrize("group", GROUPS)
def test_help_lists_commands_with_whole_sentences(shell: Shell, group: str) -> None:
    said = CliRunner().invoke(GROUPS[group], ["--help"]).output
    assert said.count("...") == 1  # of the line that says how commands are typed


def test_held_sign_ins_are_listed_and_decided(with_anna: Shell) -> None:
    shell = with_anna
    for name in ("phone", "tablet"):
        shell.output(f"app-password add anna@example.test --name {name}")

    async def note() -> None:
        async with opened(shell.data) as store:
            for number in (1, 2):
                await store.database.write(
                    hold,
                    1,
                    number,
                    network="203.0.113.0/24",
                    client="mutt",
                    peer="203.0.113.9",
                    protocol="imap",
                    why="network,far",
                    now=1_800_000_000,
                )

    asyncio.run(note())
    lines = [line.split("\t") for line in shell.output("account held anna@example.test").splitlines()]
    assert [(line[0], line[4], line[5]) for line in lines] == [
        ("2", "203.0.113.9", "mutt"),
        ("1", "203.0.113.9", "mutt"),
    ]
    assert lines[0][6] == "a new network, in another part of the Internet than before"
    assert "lets the program in" in shell.output("account held anna@example.test --mine 1 --everywhere")
    assert "revoked" in shell.output("account held anna@example.test --not-mine 2")
    assert shell.output("account held anna@example.test") == ""
    assert "waits" in shell.sentence("account held anna@example.test --mine 1")
    listed = [json.loads(line) for line in shell.output("app-password list anna@example.test --json").splitlines()]
    assert [one["name"] for one in listed] == ["phone"]
