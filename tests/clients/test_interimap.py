"""interimap keeps two accounts equal by QRESYNC, both ways, keywords included; it appends 128 messages at a time."""

from pathlib import Path

import pytest

from mailhost.mailstore import Layout
from tests.clients.hard import NAMES, Everything, differences, everything, hard_letters, put
from tests.clients.raw import RawImap
from tests.running import Account, Server, needs, run

CONFIG = """
database = {database}
ignore-mailbox = ^\\[Gmail\\]

[local]
{local}

[remote]
{remote}
"""
SIDE = """type = imaps
host = localhost
port = {port}
username = {user}
password = {password}
SSL_CAfile = {ca}"""


def side(server: Server, account: Account) -> str:
    port, ca = server.ports["imaps"], server.ca
    return SIDE.format(port=port, user=account.address, password=account.password, ca=ca)


def change(server: Server, account: Account, number: int) -> None:
    """Deletions, flags, keywords and a move by UID, a new folder and new mail; two sides overlap in part."""
    first = 20 + 10 * number
    with RawImap(server, account) as imap:
        imap.ask("ENABLE UTF8=ACCEPT")
        for name in ("INBOX", NAMES[0]):
            imap.ask(f'SELECT "{name}"')
            imap.ask(rf"UID STORE {first}:{first + 20} +FLAGS (\Deleted)")
            imap.ask(f"UID EXPUNGE {first}:{first + 20}")
            imap.ask(rf"UID STORE {first + 25}:{first + 40} +FLAGS (\Answered $label{number})")
            imap.ask(rf"UID STORE {first + 35}:{first + 50} -FLAGS (\Seen \Flagged)")
        imap.ask("SELECT INBOX")
        imap.ask(f'UID MOVE {first + 60 + 20 * number}:{first + 75 + 20 * number} "{NAMES[2]}"')
    letters = hard_letters(50, 10_000 * (1 + number))
    put(server, account, {"INBOX": letters[:30], f"neu {number}/ünter": letters[30:]})


def own(server: Server, account: Account) -> Everything:
    """Without the views of an account that shows labels."""
    told = everything(server, account)
    return {name: found for name, found in told.items() if not name.startswith("[Gmail]")}


@pytest.mark.parametrize("layout", list(Layout))
def test_two_accounts_become_equal(server: Server, tmp_path: Path, layout: Layout) -> None:
    program = needs("interimap", "interimap")
    near, far = server.new_account(layout), server.new_account(layout)
    folders = {name: hard_letters(20, 1_000 + 100 * number) for number, name in enumerate(NAMES)}
    put(server, far, {**folders, "INBOX": hard_letters(300), NAMES[0]: hard_letters(100, 500)})
    config = tmp_path / "config"
    config.write_text(
        CONFIG.format(database=tmp_path / "database", local=side(server, near), remote=side(server, far)),
        encoding="utf-8",
    )
    config.chmod(0o600)
    command = [program, "--config", config]
    run(command)
    assert differences(own(server, near), own(server, far)) == []
    assert own(server, near)["INBOX"].total() == 300
    for number, account in enumerate((near, far)):
        change(server, account, number)
    run(command)
    run(command)
    both = own(server, near)
    assert differences(both, own(server, far)) == []
    assert {"neu 0/ünter", "neu 1/ünter"} <= both.keys()
    assert {f"$label{number}" for number in (0, 1)} <= {flag for _, flags in both["INBOX"] for flag in flags}
