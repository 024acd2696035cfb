"""fetchmail and mpop carry mail home: leaving it on the server, and taking it away."""

from pathlib import Path

import pytest

from tests.clients.mail import fill, waiting_subjects
from tests.running import Account, Server, needs, run

NO_NEW_MAIL = 1


class Fetchmail:
    """fetchmail with a folder of its own; what it fetches ends up in `mail/`, one file each."""

    def __init__(self, server: Server, account: Account, folder: Path, port: str) -> None:
        self.program = needs("fetchmail", "fetchmail")
        self.folder = folder
        self.mail = folder / "mail"
        self.mail.mkdir()
        self.config = folder / "fetchmailrc"
        self.encryption = "sslproto ''" if port == "none" else ("ssl" if port == "pop3s" else "sslproto TLS1.2+")
        self.server, self.account, self.port = server, account, port

    def fetch(self, mode: str) -> set[str]:
        """One poll in mode `keep` or `nokeep`; the subjects that have come home so far."""
        self.config.write_text(
            f"poll localhost protocol pop3 service {self.server.ports[self.port]} uidl\n"
            f'  user "{self.account.address}" password "{self.account.password}" {mode}\n'
            f"  {self.encryption} sslcertck sslcertfile {self.server.ca}\n"
            f"  mda \"/bin/sh -c 'cat >{self.mail}/$(date +%s%N)'\"\n",
            encoding="utf-8",
        )
        self.config.chmod(0o600)
        state = ["--idfile", self.folder / "ids", "--pidfile", self.folder / "pid", "--nosyslog"]
        run([self.program, "-f", self.config, *state], codes=(0, NO_NEW_MAIL), FETCHMAILHOME=str(self.folder))
        return subjects(self.mail)


def subjects(folder: Path) -> set[str]:
    """The Subject lines of all files below a folder; each was fetched once."""
    found = []
    for file in folder.rglob("*"):
        if file.is_file():
            found += [
                line[9:].strip() for line in file.read_text(encoding="utf-8").splitlines() if line[:9] == "Subject: "
            ]
    assert len(found) == len(set(found)), found
    return set(found)


@pytest.mark.parametrize("port", ["pop3s", "pop3"])
def test_fetchmail_keeps_then_takes(server: Server, account: Account, tmp_path: Path, port: str) -> None:
    fetchmail = Fetchmail(server, account, tmp_path, port)
    fill(server, account, "INBOX", ["monday", "tuesday"])
    assert fetchmail.fetch("keep") == {"monday", "tuesday"}
    assert waiting_subjects(server, account) == {"monday", "tuesday"}
    fill(server, account, "INBOX", ["wednesday"])
    assert fetchmail.fetch("keep") == {"monday", "tuesday", "wednesday"}
    fill(server, account, "INBOX", ["thursday"])
    assert fetchmail.fetch("nokeep") == {"monday", "tuesday", "wednesday", "thursday"}
    assert "thursday" not in waiting_subjects(server, account)


def test_fetchmail_takes_everything_away(server: Server, account: Account, tmp_path: Path) -> None:
    fetchmail = Fetchmail(server, account, tmp_path, "pop3s")
    wanted = {f"letter {number}" for number in range(25)}
    fill(server, account, "INBOX", sorted(wanted))
    assert fetchmail.fetch("nokeep") == wanted
    assert waiting_subjects(server, account) == set()
    assert fetchmail.fetch("nokeep") == wanted


@pytest.mark.parametrize("port", ["pop3s", "pop3"])
@pytest.mark.parametrize("pipelining", ["on", "off"])
def test_mpop_keeps_then_takes(server: Server, account: Account, tmp_path: Path, port: str, pipelining: str) -> None:
    box = tmp_path / "home"
    for name in ("cur", "new", "tmp"):
        (box / name).mkdir(parents=True)
    config = tmp_path / "mpoprc"
    config.write_text(
        f"account here\nhost localhost\nport {server.ports[port]}\n"
        f"user {account.address}\npassword {account.password}\n"
        f"tls on\ntls_starttls {'off' if port == 'pop3s' else 'on'}\ntls_trust_file {server.ca}\n"
        f"auth plain\npipelining {pipelining}\ndelivery maildir {box}\nuidls_file {tmp_path}/uidls\n",
        encoding="utf-8",
    )
    config.chmod(0o600)
    command = [needs("mpop", "mpop"), "-q", "-C", config]
    fill(server, account, "INBOX", ["red", "green", "blue"])
    run([*command, "--keep=on", "here"])
    assert subjects(box) == {"red", "green", "blue"}
    assert waiting_subjects(server, account) == {"red", "green", "blue"}
    fill(server, account, "INBOX", ["white"])
    run([*command, "--keep=off", "here"])
    assert subjects(box) == {"red", "green", "blue", "white"}
    assert waiting_subjects(server, account) == set()
