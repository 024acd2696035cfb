"""mbsync keeps a Maildir and an account equal, both ways: new mail, flags, deletions, folders."""

import mailbox
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailhost.protocols.imap.names import decode_name, encode_name
from tests.clients.mail import MAILDIR_FLAGS, MBSYNC, contents, fill, letter, sign_in
from tests.clients.raw import RawImap, fill_many, whole_account
from tests.running import Account, Server, needs, run


@dataclass
class Pair:
    """The two sides of the synchronisation."""

    server: Server
    account: Account
    near: Path
    config: Path

    def sync(self) -> str:
        """One run of mbsync; it must end without a complaint."""
        return run([needs("mbsync", "isync"), "-c", self.config, "-a"], seconds=600)

    def folder(self, name: str) -> mailbox.Maildir:
        """A folder of the near side."""
        return mailbox.Maildir(self.near / name, create=False)

    def near_contents(self, name: str) -> dict[str, set[str]]:
        """Subject → flags, on the near side."""
        found = {}
        for message in self.folder(name):
            found[message["Subject"]] = {MAILDIR_FLAGS[letter] for letter in message.get_flags()}
        return found

    def assert_equal(self, *names: str) -> None:
        """Both sides hold the same messages with the same flags."""
        for name in names:
            assert self.near_contents(name) == contents(self.server, self.account, name), name


def pair_of(server: Server, account: Account, folder: Path, patterns: str, state: str) -> Pair:
    """An empty near side in `folder` and the account."""
    needs("mbsync", "isync")
    near = folder / "near"
    near.mkdir()
    config = folder / "mbsyncrc"
    values = {"port": server.ports["imaps"], "ca": server.ca, "user": account.address, "password": account.password}
    text = MBSYNC.format(near=near, patterns=patterns, state=state.format(near=near), more="", **values)
    config.write_text(text, encoding="utf-8")
    return Pair(server, account, near, config)


@pytest.fixture
def pair(server: Server, account: Account, tmp_path: Path) -> Pair:
    return pair_of(server, account, tmp_path, "INBOX Work Projects* Travel", "{near}/state-")


def remark(folder: mailbox.Maildir, subject: str, flags: str) -> None:
    """Set the flags of one message as a mail program does, by renaming its file."""
    [(key, message)] = [(key, message) for key, message in folder.items() if message["Subject"] == subject]
    message.set_flags(flags)
    message.set_subdir("cur")
    folder[key] = message


def test_both_sides_become_equal(pair: Pair) -> None:
    server, account = pair.server, pair.account
    fill(server, account, "INBOX", [f"letter {number}" for number in range(20)])
    fill(server, account, "Work", ["plan", "report", "budget"])
    pair.sync()
    pair.assert_equal("INBOX", "Work")
    assert len(pair.near_contents("INBOX")) == 20

    # Near: new mail, flags, a deletion, a new folder with mail.
    inbox = pair.folder("INBOX")
    inbox.add(letter(account.address, "b@other.example", "written here").replace(b"\r\n", b"\n"))
    remark(inbox, "letter 3", "FS")
    remark(inbox, "letter 4", "T")
    projects = mailbox.Maildir(pair.near / "Projects", create=True)
    projects.add(letter(account.address, "b@other.example", "bridge").replace(b"\r\n", b"\n"))
    # Far: new mail, flags, a deletion, a new folder with mail.
    fill(server, account, "INBOX", ["came there"])
    fill(server, account, "Travel", ["ticket"])
    imap = sign_in(server, account)
    imap.select("INBOX")
    imap.store("6", "+FLAGS", r"(\Answered \Seen)")
    imap.store("7", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    imap.logout()

    pair.sync()
    pair.assert_equal("INBOX", "Work", "Projects", "Travel")
    inbox_now = pair.near_contents("INBOX")
    assert inbox_now["letter 3"] == {r"\Flagged", r"\Seen"}
    assert inbox_now["letter 5"] == {r"\Answered", r"\Seen"}
    assert not {"letter 4", "letter 6"} & set(inbox_now)
    assert {"written here", "came there"} <= set(inbox_now)
    assert set(pair.near_contents("Projects")) == {"bridge"}
    assert set(pair.near_contents("Travel")) == {"ticket"}


def test_a_second_run_changes_nothing(pair: Pair) -> None:
    fill(pair.server, pair.account, "INBOX", ["one", "two"])
    pair.sync()
    before = {file.relative_to(pair.near) for file in pair.near.rglob("*,*")}
    pair.sync()
    assert {file.relative_to(pair.near) for file in pair.near.rglob("*,*")} == before
    pair.assert_equal("INBOX")


def test_a_folder_removed_there_is_removed_here(pair: Pair) -> None:
    fill(pair.server, pair.account, "Travel", ["ticket"])
    pair.sync()
    imap = sign_in(pair.server, pair.account)
    imap.select("Travel")
    imap.store("1", "+FLAGS", r"(\Deleted)")
    imap.close()
    pair.sync()  # mbsync never removes a folder that holds something
    assert imap.delete("Travel")[0] == "OK"
    imap.logout()
    pair.sync()
    assert not (pair.near / "Travel").exists()


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.long)])
def test_thousands_and_renamed_folders(server: Server, account: Account, tmp_path: Path, count: int) -> None:
    pair = pair_of(server, account, tmp_path, "*", "*")
    travel, austria, zurich = "Reisen", "Reisen/Österreich/東京", "Zürich"
    letters = [f"letter {number}" for number in range(count)]
    fill_many(server, account, {"INBOX": letters[: count // 2], travel: ["ticket"], austria: letters[count // 2 :]})
    pair.sync()
    assert near_account(pair) == whole_account(server, account)

    files = file_names(pair.near)

    # Both sides lose and mark messages, and rename a folder with what is below it. The state of mbsync lies in the
    # folder, and UIDVALIDITY stays: nothing is transferred again.
    with RawImap(server, account) as imap:
        imap.ask("ENABLE UTF8=ACCEPT")
        imap.ask(f'SELECT "{austria}"')
        imap.ask(rf"UID STORE 1:{count // 10} +FLAGS (\Deleted)")
        imap.ask("EXPUNGE")
        imap.ask(rf"UID STORE {count // 10 + 1}:{count // 5} +FLAGS (\Seen)")
        imap.ask(f'RENAME "{travel}" "{zurich}"')
    near = pair.folder(wire_name(austria))
    for key, message in near.items():
        place = int(message["Subject"].removeprefix("letter ")) - count // 2
        if place % 5 == 0:
            near.remove(key)
        elif place % 5 == 1:
            message.set_flags("F")
            message.set_subdir("cur")
            near[key] = message
    (pair.near / wire_name(travel)).rename(pair.near / wire_name(zurich))
    pair.sync()
    both = near_account(pair)
    assert both == whole_account(server, account)
    assert file_names(pair.near) < files, "some went, and nothing came a second time"
    renamed = austria.replace(travel, zurich)
    assert {zurich, renamed} <= set(both)
    assert not any(name.startswith(travel) for name in both)
    left = [number for number in range(count // 10, count // 2) if number % 5]
    assert set(both[renamed]) == {f"letter {count // 2 + number}" for number in left}
    assert all(
        ({r"\Flagged"} <= both[renamed][f"letter {count // 2 + number}"]) == (number % 5 == 1) for number in left
    )


def wire_name(name: str) -> str:
    """As mbsync names the folder on the near side."""
    return encode_name(name, utf8=False).decode()


def file_names(near: Path) -> set[str]:
    """What tells the messages of the near side apart: mbsync draws a name for each that it brings."""
    return {path.name.partition(":")[0] for path in near.rglob("*,U=*")}


def near_account(pair: Pair) -> dict[str, dict[str, set[str]]]:
    """Folder → subject → flags, of the whole near side."""
    names = [str(path.parent.relative_to(pair.near)) for path in pair.near.rglob("cur")]
    return {decode_name(name.encode(), utf8=False): pair.near_contents(name) for name in names}
