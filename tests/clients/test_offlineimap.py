"""offlineimap keeps Maildirs and an account equal, both ways, and knows nothing of CONDSTORE, MOVE or QRESYNC."""

import mailbox
import shutil
from pathlib import Path

import pytest

from tests.clients.mail import MAILDIR_FLAGS, letter
from tests.clients.raw import RawImap, fill_many, whole_account
from tests.running import Account, Server, needs, run

CONFIG = """
[general]
accounts = both
metadata = {folder}/state
socktimeout = 60
fsync = no

[Account both]
localrepository = near
remoterepository = far
utf8foldernames = yes

[Repository near]
type = Maildir
localfolders = {folder}/near
sep = /

[Repository far]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = yes
sslcacertfile = {ca}
maxconnections = 2
"""
TRAVEL, AUSTRIA, CHINA = "Reisen", "Reisen/Österreich", "Reisen/中国"


class OfflineImap:
    """The near side, and one run of the program."""

    def __init__(self, folder: Path, server: Server, account: Account) -> None:
        self.near = folder / "near"
        self._program = needs("offlineimap", "offlineimap3")
        self._config = folder / "offlineimaprc"
        values = {"port": server.ports["imaps"], "ca": server.ca, "user": account.address}
        text = CONFIG.format(folder=folder, password=account.password.replace("%", "%%"), **values)
        self._config.write_text(text, encoding="utf-8")

    def sync(self) -> str:
        """One run; it must end without a complaint."""
        return run([self._program, "-c", self._config, "-o", "-u", "basic"], seconds=600)

    def folder(self, name: str) -> mailbox.Maildir:
        """A folder of the near side."""
        return mailbox.Maildir(self.near / name, create=False)

    def contents(self) -> dict[str, dict[str, set[str]]]:
        """Folder → subject → flags."""
        found = {}
        for path in self.near.rglob("cur"):
            name = str(path.parent.relative_to(self.near))
            messages = list(self.folder(name))
            found[name] = {each["Subject"]: {MAILDIR_FLAGS[flag] for flag in each.get_flags()} for each in messages}
            assert len(found[name]) == len(messages), name
        return found


@pytest.fixture
def near(server: Server, account: Account, tmp_path: Path) -> OfflineImap:
    return OfflineImap(tmp_path, server, account)


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.long)])
def test_both_sides_become_equal(near: OfflineImap, server: Server, account: Account, count: int) -> None:
    letters = [f"letter {number}" for number in range(count)]
    fill_many(server, account, {"INBOX": letters, TRAVEL: [], AUSTRIA: ["Wien", "Graz"], CHINA: ["Beijing"]})
    near.sync()
    assert near.contents() == whole_account(server, account)

    # Far: deletions, flags, a folder renamed together with what is below it.
    with RawImap(server, account) as imap:
        imap.ask("ENABLE UTF8=ACCEPT")
        imap.ask("SELECT INBOX")
        imap.ask(rf"UID STORE 1:{count // 10} +FLAGS (\Deleted)")
        imap.ask("EXPUNGE")
        imap.ask(rf"UID STORE {count // 2}:{count // 2 + 9} +FLAGS (\Flagged \Seen)")
        imap.ask(f'RENAME "{TRAVEL}" "Zürich"')
    # Near: deletions, flags, new mail. offlineimap removes no folder, so its user removes the old names.
    inbox = near.folder("INBOX")
    for number, (key, message) in enumerate(sorted(inbox.items(), key=lambda item: item[1]["Message-ID"])):
        if number % 10 == 3:
            inbox.remove(key)
        elif number % 10 == 4:
            message.set_flags("RS")
            message.set_subdir("cur")
            inbox[key] = message
    near.folder("INBOX").add(letter(account.address, "b@other.example", "written here").replace(b"\r\n", b"\n"))
    shutil.rmtree(near.near / TRAVEL)
    near.sync()
    near.sync()
    both = near.contents()
    assert both == whole_account(server, account)
    assert {"Zürich", "Zürich/Österreich", "Zürich/中国"} <= set(both)
    assert not {TRAVEL, AUSTRIA, CHINA} & set(both)
    assert both["INBOX"]["written here"] == set()
    assert f"letter {count // 20}" not in both["INBOX"]
    assert sum(r"\Answered" in flags for flags in both["INBOX"].values()) > count // 20
