"""send, import, export, backup and restore on a store of their own, and mail files of every kind."""

import asyncio
import json
import mailbox
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailhost import mailstore
from mailhost.cli import main
from mailhost.cli.first_start import people, settings
from mailhost.cli.mail_files import read_maildir, read_mbox
from mailhost.cli.store import opened
from mailhost.login.enrol import account_at
from mailhost.mailstore import Flag
from mailhost.message.generate import generate
from mailhost.storage.database import Row, Tx

Run = Callable[..., Result]
COLUMNS = ("uid", "blob", "prefix", "flags", "internal_date")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two accounts, me@ and you@example.test."""
    folder = tmp_path / "data"
    folder.mkdir()
    settings(folder, "example.test", demo=False)

    async def enrol() -> None:
        async with opened(folder) as services:
            await people(services, "example.test", demo=False)

    asyncio.run(enrol())
    run(folder, "account", "add", "you@example.test")
    return folder


def run(data: Path, *words: str, stdin: bytes = b"", code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*words, "--data", str(data)], input=stdin)
    assert result.exit_code == code, result.output
    assert not result.exception or isinstance(result.exception, SystemExit)
    return result


def letters(data: Path, address: str, name: str) -> list[tuple[bytes, int, int]]:
    """(octets, flags, date) of each message in a mailbox."""

    def rows(tx: Tx) -> list[Row]:
        account = account_at(tx, address)
        box = mailstore.find_mailbox(tx, account.id, name)
        return mailstore.live_rows(tx, account.id, box.id, 1, 2**32 - 1, COLUMNS, 10_000)

    async def read() -> list[tuple[bytes, int, int]]:
        async with opened(data) as services:
            found = await services.database.read(rows)
            return [(prefix + await services.blobs.read(blob), flags, date) for _, blob, prefix, flags, date in found]

    return asyncio.run(read())


def write_mbox(path: Path, contents: list[bytes]) -> None:
    """Add the messages to the file, as programs of Unix write them."""
    with path.open("ab") as file:
        for content in contents:
            text = content.replace(b"\r\n", b"\n").replace(b"\n>From ", b"\n>>From ").replace(b"\nFrom ", b"\n>From ")
            file.write(
                b"From somebody@example.net Tue Mar  2 10:11:12 2021\n"
                + text
                + (b"\n" if text.endswith(b"\n") else b"\n\n")
            )


def test_a_message_is_sent_and_filed(data: Path) -> None:
    text = (
        b"From: Me <me@example.test>\nTo: you@example.test\nBcc: me+copy@example.test\nSubject: hi\n\nhello\n.\nend\n"
    )
    assert "you@example.test" in run(data, "send", "-", stdin=text).output
    [(received, _, _)] = letters(data, "you@example.test", "INBOX")
    assert b"Subject: hi\r\n\r\nhello\r\n.\r\nend\r\n" in received
    assert b"Bcc" not in received
    assert b"\r\nMessage-ID: <" in received
    [(filed, flags, _)] = letters(data, "me@example.test", "Sent")
    assert b"Bcc: me+copy@example.test" in filed
    assert flags & Flag.SEEN
    assert len(letters(data, "me@example.test", "INBOX")) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"To: you@example.test\n\nx\n", "no From field"),
        (b"From: me@example.test\n\nx\n", "names no recipient"),
        (b"From: me@example.test\nTo: nobody@example.test\n\nx\n", "There is no account nobody@example.test"),
        (
            b"From: me@example.test\nTo: a@elsewhere.test\n\nx\n",
            "a@elsewhere.test is elsewhere, and there is no smarthost",
        ),
        (b"From: other@example.test\nTo: you@example.test\n\nx\n", "There is no account other@example.test"),
        (
            b"From: me@example.test\nFrom: you@example.test\nTo: me@example.test\n\nx\n",
            "must name me@example.test, and",
        ),
        (b"Received: x\n" * 51 + b"From: me@example.test\nTo: me@example.test\n\nx\n", "passed too many servers"),
        (
            b"From: me@example.test\nTo: me@example.test\nX: " + b"x" * 2_000_000 + b"\n\n",
            "header of the message is too",
        ),
        (b"From: me@example.test\nTo: me@example.test\n\n" + b"x\n" * 20_000_000, "larger than mailhost.toml allows"),
        (b"From: me@example.test\nTo: me@example.test\n\nx\0\n", "holds a NUL octet"),
    ],
    ids=range(10),
)
def test_what_cannot_be_sent_is_said_in_a_sentence(data: Path, text: bytes, sentence: str) -> None:
    assert sentence in run(data, "send", "-", stdin=text, code=1).output


def test_an_mbox_comes_in_once_and_goes_on_where_it_grew(data: Path, tmp_path: Path) -> None:
    mail = [content.rstrip(b"\r\n") + b"\r\n" for content in generate(7, 12)]
    source = tmp_path / "old.mbox"
    write_mbox(source, mail[:10])
    words = ("import", str(source), "--into", "Old/Mail", "--account", "me@example.test")
    assert "10 messages imported into Old/Mail." in run(data, *words).output
    assert "0 messages imported" in run(data, *words).output
    write_mbox(source, mail[10:])
    assert "2 messages imported" in run(data, *words).output
    found = letters(data, "me@example.test", "Old/Mail")
    assert [content for content, _, _ in found] == mail
    assert {date for _, _, date in found} == {1614679872}  # the From line's


def test_an_import_that_stopped_goes_on_without_doubles(data: Path, tmp_path: Path) -> None:
    mail = [content.rstrip(b"\r\n") + b"\r\n" for content in generate(7, 250, size=500)]
    source = tmp_path / "old.mbox"
    write_mbox(source, mail)
    words = ("import", str(source), "--into", "INBOX", "--account", "me@example.test")
    run(data, "account", "quota", "me@example.test", str(sum(map(len, mail[:150]))))
    assert "The account is full" in run(data, *words, code=1).output
    before = len(letters(data, "me@example.test", "INBOX"))
    assert 0 < before < 250
    run(data, "account", "quota", "me@example.test", "1G")
    assert f"{250 - before} messages imported" in run(data, *words).output
    assert [content for content, _, _ in letters(data, "me@example.test", "INBOX")] == mail


def test_quoted_and_unquoted_from_lines(tmp_path: Path) -> None:
    source = tmp_path / "x.mbox"
    source.write_bytes(
        b"From a@b.test Mon Jan  1 10:00:00 2024\nSubject: 1\nStatus: RO\n\n>From here\n>>From there\n\nFrom now on\n\n"
        b"From c@d.test Mon Jan  1 11:00:00 2024\nSubject: 2\nX-Status: AF\n\nlast"
    )
    first, second = read_mbox(source, "", 1_000)
    assert first.content == b"Subject: 1\nStatus: RO\n\nFrom here\n>From there\n\nFrom now on\n"
    assert (first.flags, first.date) == (Flag.SEEN, 1704103200)
    assert second.content == b"Subject: 2\nX-Status: AF\n\nlast"
    assert second.flags == Flag.ANSWERED | Flag.FLAGGED
    assert [letter.content for letter in read_mbox(source, first.place, 1_000)] == [second.content]


def test_of_what_is_too_long_no_more_is_read_than_shows_it(tmp_path: Path) -> None:
    source = tmp_path / "x.mbox"
    quoted = b">From \n" * 10_000
    source.write_bytes(
        b"From a@b.test Mon Jan  1 10:00:00 2024\n" + quoted + b"\nFrom a@b.test Mon Jan  1 10:00:00 2024\nx\n"
    )
    first, second = read_mbox(source, "", 5_000)
    assert 5_000 < len(first.content) <= 10_000
    assert second.content == b"x\n"
    assert next(read_mbox(source, "", 60_000)).content == quoted.replace(b">", b"")
    (tmp_path / "cur").mkdir()
    (tmp_path / "cur" / "1:2,S").write_bytes(b"x" * 10_000)
    assert [len(letter.content) for letter in read_maildir(tmp_path, "", 5_000)] == [5_001]


def test_a_maildir_is_its_plain_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"Subject: of somebody else\n\n")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "1").write_bytes(b"Subject: mine\n\n")
    (tmp_path / "new" / "2").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "new" / "3")  # to open it would wait for ever
    assert [letter.content for letter in read_maildir(tmp_path, "", 1_000)] == [b"Subject: mine\n\n"]


def test_a_maildir_comes_in_with_flags_and_subfolders(data: Path, tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "maildir")
    mail = list(generate(3, 3))
    seen = mailbox.MaildirMessage(mail[0])
    seen.set_subdir("cur")
    seen.set_flags("FS")
    seen.set_date(1_600_000_000)
    box.add(seen)
    box.add_folder("Work.B&APw-ro").add(mailbox.MaildirMessage(mail[1]))
    run(data, "import", str(tmp_path / "maildir"), "--into", "Old", "--account", "me@example.test")
    [(content, flags, date)] = letters(data, "me@example.test", "Old")
    assert (content, flags & (Flag.SEEN | Flag.FLAGGED), date) == (mail[0], Flag.SEEN | Flag.FLAGGED, 1_600_000_000)
    assert [content for content, _, _ in letters(data, "me@example.test", "Old/Work/Büro")] == [mail[1]]


def test_what_is_no_mail_is_not_imported(data: Path, tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear all")
    words = ("--into", "INBOX", "--account", "me@example.test")
    assert "is no mbox file" in run(data, "import", str(text), *words, code=1).output
    os.mkfifo(tmp_path / "pipe")
    assert "is neither a file nor a folder" in run(data, "import", str(tmp_path / "pipe"), *words, code=1).output
    assert "is no Maildir" in run(data, "import", str(tmp_path), *words, code=1).output
    assert (
        "There are several accounts: name one of them, as in --account "
        in run(data, "import", str(text), "--into", "INBOX", code=1).output
    )


@pytest.mark.parametrize("target", ["out.mbox", "out"])
def test_export_and_import_give_the_same_octets(data: Path, tmp_path: Path, target: str) -> None:
    mail = [*generate(5, 20), b"Subject: quoted\r\n\r\nFrom me\r\n>From you\r\n\r\nFrom x Mon Jan  1 10:00:00 2024\r\n"]
    source = tmp_path / "in.mbox"
    write_mbox(source, mail)
    run(data, "import", str(source), "--into", "INBOX", "--account", "me@example.test")
    assert [content for content, _, _ in letters(data, "me@example.test", "INBOX")] == mail
    out = tmp_path / target
    assert "21 messages written" in run(data, "export", str(out), "--account", "me@example.test").output
    assert "exists already" in run(data, "export", str(out), "--account", "me@example.test", code=1).output
    nowhere = ("export", str(tmp_path / "x"), "--account", "me@example.test", "--mailbox", "Nope")
    assert "me@example.test has no mailbox Nope" in run(data, *nowhere, code=1).output
    run(data, "import", str(out), "--into", "Back", "--account", "you@example.test")
    assert sorted(content for content, _, _ in letters(data, "you@example.test", "Back")) == sorted(mail)
    if out.is_dir():
        files = [path.read_bytes() for path in (out / "cur").iterdir()]
        assert sorted(files) == sorted(mail)


def test_a_backup_becomes_a_store_again(data: Path, tmp_path: Path) -> None:
    run(data, "send", "-", stdin=b"From: me@example.test\nTo: you@example.test\n\n" + b"large " * 50_000)
    password = json.loads(run(data, "app-password", "add", "me@example.test", "--name", "x", "--json").output)[
        "app_password"
    ]
    backup = tmp_path / "backup"
    assert "copied to" in run(data, "backup", str(backup)).output
    run(data, "send", "-", stdin=b"From: me@example.test\nTo: you@example.test\n\nlater")
    assert " 0 new files" in run(data, "backup", str(backup)).output
    new = tmp_path / "new"
    assert "files restored" in run(new, "restore", str(backup)).output
    assert letters(new, "you@example.test", "INBOX") == letters(data, "you@example.test", "INBOX")
    assert (new / "secret.key").read_bytes() == (data / "secret.key").read_bytes()
    assert os.stat(new / "secret.key").st_mode & 0o077 == 0
    assert password
    assert "is not empty" in run(new, "restore", str(backup), code=1).output
    assert "is no backup" in run(tmp_path / "other", "restore", str(tmp_path), code=1).output
