"""`mailhost reindex`, and an index that catches up after a server was killed."""

import imaplib
from pathlib import Path

from tests.running import MAILHOST, Account, Server, kill, run, running, start, stop

HEAD = b"From: a@b.test\r\nSubject: no %d\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
LETTER = HEAD + b"plum%d \xe5\x8f\x91\xe7\xa5\xa8\r\n"


def session(server: Server, who: Account) -> imaplib.IMAP4_SSL:
    client = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=20)
    client.login(who.address, who.password)
    client.select("INBOX")
    return client


def put(client: imaplib.IMAP4_SSL, *numbers: int) -> None:
    for number in numbers:
        client.append("INBOX", None, None, LETTER % (number, number))
    client.noop()


def found(client: imaplib.IMAP4_SSL, word: str) -> bytes:
    client.literal = word.encode()
    return client.uid("SEARCH", "CHARSET", "UTF-8", "BODY")[1][0]


def test_a_search_after_a_kill_misses_nothing_and_the_index_can_be_made_anew(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = start(data, "--domain", "example.test")
    who = server.accounts[0]
    client = session(server, who)
    put(client, 1, 2, 3)
    assert found(client, "plum3") == b"3"
    put(client, 4, 5)
    kill(server)
    client.shutdown()

    server = start(data)
    client = session(server, who)
    assert found(client, "plum5") == b"5"
    assert found(client, "发票") == b"1 2 3 4 5"
    told = run([*MAILHOST, "reindex", who.address, "--data", data])
    assert told == f"The mail of {who.address} is indexed.\n"
    put(client, 6)
    assert found(client, "plum") == b"1 2 3 4 5 6"
    client.logout()
    stop(server)

    (data / "search.db").write_bytes(b"\0not a database" * 1_000)
    with running(data) as server:
        client = session(server, who)
        assert found(client, "plum6") == b"6"
        client.logout()
    assert "index.discarded" in server.log()
    run([*MAILHOST, "reindex", "--data", data])
    assert "no such" not in run([*MAILHOST, "reindex", "nobody@example.test", "--data", data], codes=(1,))
