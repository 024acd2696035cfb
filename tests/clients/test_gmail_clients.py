"""Programs that know Gmail, unchanged, against an account in the gmail layout: imapclient, imap-tools, imapflow."""

import json
from pathlib import Path

import pytest
from imap_tools import AND, MailBox, MailMessageFlags
from imapclient import IMAPClient

from tests.clients.mail import fill
from tests.running import Account, Server, needs, run

NODE = Path(__file__).parent / "node"
BY_USE = {
    b"\\All": "[Gmail]/All Mail",
    b"\\Drafts": "[Gmail]/Drafts",
    b"\\Flagged": "[Gmail]/Starred",
    b"\\Important": "[Gmail]/Important",
    b"\\Junk": "[Gmail]/Spam",
    b"\\Sent": "[Gmail]/Sent Mail",
    b"\\Trash": "[Gmail]/Trash",
}


def test_imapclients_gmail_methods(server: Server, labelled: Account) -> None:
    fill(server, labelled, "INBOX", ["one", "two", "three"])
    with IMAPClient("localhost", port=server.ports["imaps"], ssl_context=server.tls(), timeout=30) as client:
        client.login(labelled.address, labelled.password)
        assert {b"X-GM-EXT-1", b"LITERAL-"} <= set(client.capabilities())
        assert b"LITERAL+" not in client.capabilities()
        uses = {flag: name for flags, _, name in client.list_folders() for flag in flags if flag in BY_USE}
        assert uses == BY_USE
        for use, name in BY_USE.items():
            assert client.find_special_folder(use) == name
        client.select_folder("INBOX")
        told = client.add_gmail_labels(1, ["work", "\\Starred", "Übung"])
        assert set(told[1]) == {"work", "\\Starred", "Übung"}
        assert client.get_flags(1)[1] == (b"\\Flagged",)
        client.remove_gmail_labels(1, ["work"])
        client.set_gmail_labels([2, 3], ["project/x"])
        labels = client.get_gmail_labels([1, 2, 3])
        assert {uid: set(names) for uid, names in labels.items()} == {
            1: {"\\Starred", "Übung"},
            2: {"project/x"},
            3: {"project/x"},
        }
        assert client.gmail_search("is:starred") == [1]
        assert client.gmail_search("label:project-x -subject:three") == [2]
        assert client.search(["X-GM-LABELS", "project/x"]) == [2, 3]
        data = client.fetch([1, 2], ["X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"])
        assert data[1][b"X-GM-MSGID"] != data[2][b"X-GM-MSGID"]
        client.move([2], "[Gmail]/Trash")
        client.delete_messages([3])
        assert client.search() == [1]
        assert client.folder_status("[Gmail]/All Mail", ["MESSAGES"])[b"MESSAGES"] == 2


def test_imap_tools(server: Server, labelled: Account) -> None:
    fill(server, labelled, "INBOX", ["one", "two", "three"])
    with MailBox("localhost", port=server.ports["imaps"], ssl_context=server.tls(), timeout=30).login(
        labelled.address, labelled.password
    ) as box:
        assert {info.name for info in box.folder.list()} == {"INBOX", "[Gmail]", *BY_USE.values()}
        box.folder.create("work")
        uids = {message.subject: message.uid for message in box.fetch(mark_seen=False)}
        box.copy(uids["one"], "work")
        box.flag(uids["two"], MailMessageFlags.FLAGGED, True)
        box.move(uids["three"], "[Gmail]/Trash")
        assert box.folder.status("[Gmail]/All Mail")["MESSAGES"] == 2
        box.folder.set("[Gmail]/Starred")
        assert [message.subject for message in box.fetch(AND(flagged=True))] == ["two"]
        box.folder.set("work")
        [message] = box.fetch()
        box.delete(message.uid)
        assert box.uids() == []
        box.folder.set("INBOX")
        assert {message.subject for message in box.fetch()} == {"one", "two"}


def test_imapflow(server: Server, labelled: Account) -> None:
    node = needs("node", "nodejs")
    if not (NODE / "node_modules").is_dir():
        pytest.skip("imapflow is not installed: npm ci --prefix tests/clients/node")
    fill(server, labelled, "INBOX", ["one", "two", "three"])
    said = run(
        [node, NODE / "labels.mjs"],
        NODE_EXTRA_CA_CERTS=server.ca,
        IMAP_PORT=str(server.ports["imaps"]),
        IMAP_USER=labelled.address,
        IMAP_PASSWORD=labelled.password,
    )
    found = json.loads(said)
    known = {use.decode(): name for use, name in BY_USE.items() if use != b"\\Important"}  # imapflow has no word for it
    assert found["uses"] == known | {"\\Inbox": "INBOX"}
    assert found["labels"] == {"1": ["\\Starred", "work"], "2": [], "3": []}
    assert found["flagged"] == [1]
    assert found["raw"] == [2]
    assert len({*found["ids"]}) == len({*found["threads"]}) == 3
    assert found["left"] == [1]
