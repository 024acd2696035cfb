"""offlineimap's Gmail type keeps labels in a header of its Maildirs, and both sides equal in them."""

import os
from email import message_from_bytes
from pathlib import Path

from imapclient import IMAPClient

from tests.clients.mail import fill
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
synclabels = yes
labelsheader = X-Keywords
ignorelabels = \\Inbox, \\Starred, \\Sent, \\Draft, \\Spam, \\Trash, \\Important

[Repository near]
type = GmailMaildir
localfolders = {folder}/near
sep = /

[Repository far]
type = Gmail
remotehost = localhost
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = yes
sslcacertfile = {ca}
maxconnections = 1
folderfilter = lambda name: name in ("INBOX", "work")
"""


def labels_near(folder: Path) -> dict[str, str]:
    """Subject → the labels in the header."""
    found = {}
    for path in (*folder.glob("cur/*"), *folder.glob("new/*")):
        message = message_from_bytes(path.read_bytes())
        found[str(message["Subject"])] = str(message["X-Keywords"] or "")
    return found


def test_labels_become_equal_on_both_sides(server: Server, labelled: Account, tmp_path: Path) -> None:
    program = needs("offlineimap", "offlineimap3")
    config, inbox = tmp_path / "offlineimaprc", tmp_path / "near" / "INBOX"
    text = CONFIG.format(
        folder=tmp_path,
        port=server.ports["imaps"],
        user=labelled.address,
        password=labelled.password.replace("%", "%%"),
        ca=server.ca,
    )
    config.write_text(text, encoding="utf-8")

    def sync() -> None:
        run([program, "-c", config, "-o", "-u", "basic"], seconds=170)

    fill(server, labelled, "INBOX", ["one", "two", "three"])
    with IMAPClient("localhost", port=server.ports["imaps"], ssl_context=server.tls(), timeout=30) as client:
        client.login(labelled.address, labelled.password)
        client.select_folder("INBOX")
        client.add_gmail_labels([1, 2], ["work", "two words", "\\Starred"])
        sync()
        assert labels_near(inbox) == {"one": "two words,work", "two": "two words,work", "three": ""}
        assert labels_near(inbox.parent / "work") == {"one": "two words", "two": "two words"}

        client.set_gmail_labels([1], ["far"])
        client.noop()
        [path] = [each for each in (*inbox.glob("cur/*"), *inbox.glob("new/*")) if b"two\n" in each.read_bytes()]
        path.write_bytes(path.read_bytes().replace(b"two words,work", b"near"))
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 10))  # it looks for other seconds
        [gone] = [each for each in (*inbox.glob("cur/*"), *inbox.glob("new/*")) if b"three\n" in each.read_bytes()]
        gone.unlink()
        for _ in range(2):  # what was changed near is far after the first, and in the other folders after the second
            sync()
        assert labels_near(inbox) == {"one": "far", "two": "near"}
        assert labels_near(inbox.parent / "work") == {}
        client.select_folder("[Gmail]/All Mail")
        found = {uid: set(labels) for uid, labels in client.get_gmail_labels(client.search()).items()}
        assert found == {1: {"\\Inbox", "far"}, 2: {"\\Inbox", "\\Starred", "near"}, 3: set()}
