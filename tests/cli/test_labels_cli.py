"""The operator's commands on layouts: of the server, of a domain, of an account; and on what is shown of labels."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailhost import mailstore
from mailhost.cli.account import account
from mailhost.cli.domain import domain
from mailhost.cli.importing import importing
from mailhost.config import Config, write_first
from mailhost.mailstore import Layout
from mailhost.mailstore.layout import hidden_mailboxes
from mailhost.storage.database import Database, Tx, open_database
from tests.mailstore.labelled import check_labels

LETTER = "From me@example.org Mon Mar  2 10:00:00 2026\nSubject: one\nMessage-ID: <1@example.org>\n\nHello\n\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    write_first(data, Config())
    run(data, domain, "add example.test")
    return data


def run(data: Path, group, line: str) -> str:
    result = CliRunner().invoke(group, [*line.split(), "--data", str(data)])
    assert result.exit_code == 0, result.output
    return result.output


def look(data: Path, work, *arguments):
    async def read() -> object:
        database: Database = await open_database(f"sqlite:///{data}/mailhost.db")
        try:
            return await database.read(work, *arguments)
        finally:
            await database.close()

    return asyncio.run(read())


def layouts(tx: Tx) -> list[Layout]:
    return [mailstore.layout_of(tx, account_id) for account_id in mailstore.every_account(tx)]


def test_an_account_begins_as_it_is_told_or_its_domain_or_the_server(data: Path) -> None:
    run(data, account, "add a@example.test")
    run(data, account, "add b@example.test --layout gmail")
    run(data, domain, "layout example.test gmail")
    run(data, account, "add c@example.test")
    run(data, account, "add d@example.test --layout classic")
    run(data, domain, "layout example.test default")
    path = data / "mailhost.toml"
    path.write_text('layout = "gmail"\n' + path.read_text())
    run(data, account, "add e@example.test")
    run(data, domain, "add other.test --layout classic")
    run(data, account, "add f@other.test")
    gmail, classic = Layout.GMAIL, Layout.CLASSIC
    assert look(data, layouts) == [classic, gmail, gmail, classic, gmail, classic]


def test_switching_there_and_back(data: Path) -> None:
    run(data, account, "add a@example.test")
    before = look(data, mailstore.list_mailboxes, 1)
    assert "labels" in run(data, account, "layout a@example.test gmail")
    look(data, check_labels, 1)
    assert "folders" in run(data, account, "layout a@example.test classic")
    assert [(box.name, box.uid_validity) for box in look(data, mailstore.list_mailboxes, 1)] == [
        (box.name, box.uid_validity) for box in before
    ]
    assert CliRunner().invoke(account, ["layout", "a@example.test", "other", "--data", str(data)]).exit_code == 2


def test_settings_are_shown_and_changed(data: Path) -> None:
    run(data, account, "add a@example.test --layout gmail")
    assert run(data, account, "labels a@example.test").splitlines() == [
        "auto-expunge: on",
        "on expunge: archive, when auto-expunge is off",
        "folder limit: none",
    ]
    said = run(data, account, "labels a@example.test --no-auto-expunge --on-expunge trash --folder-limit 1000")
    assert said.splitlines() == ["auto-expunge: off", "on expunge: trash", "folder limit: 1000"]
    run(data, account, "label a@example.test [Gmail]/Spam --hide")
    assert look(data, hidden_mailboxes, 1) == {"[Gmail]/Spam"}
    run(data, account, "label a@example.test [Gmail]/Spam --show")
    for name in ("inbox", "[Gmail]"):
        refused = CliRunner().invoke(account, ["label", "a@example.test", name, "--hide", "--data", str(data)])
        assert refused.exit_code == 1
        assert "is always shown" in refused.output
    assert look(data, hidden_mailboxes, 1) == set()


def test_what_is_imported_twice_gets_two_labels(data: Path, tmp_path: Path) -> None:
    run(data, account, "add a@example.test --layout gmail")
    source = tmp_path / "mail.mbox"
    for box in ("work", "Sent", "Sent"):
        source.write_text(LETTER if box == "work" else source.read_text() + LETTER)
        run(data, importing, f"{source} --into {box} --account a@example.test")
    look(data, check_labels, 1)
    assert look(data, mailstore.usage, 1).used_messages == 1
    assert {box.name: box.messages for box in look(data, mailstore.list_mailboxes, 1) if box.messages} == {
        "[Gmail]/All Mail": 1,
        "[IMAP]/Sent": 1,
        "work": 1,
    }
