"""curl as a mail client: what the line printed by `up` promises, and the rest of curl's IMAP, POP3 and SMTP."""

from pathlib import Path

import pytest

from tests.clients.mail import contents, fill, letter, waiting_subjects
from tests.running import Account, Server, needs, run

LOGIN_DENIED = 67
WEIRD_REPLY = 8


class Curl:
    """curl with this server's certificate authority and an account."""

    def __init__(self, server: Server, account: Account) -> None:
        self.program = needs("curl", "curl")
        self.server = server
        self.account = account

    def __call__(
        self, service: str, path: str, *options: str | Path, codes: tuple[int, ...] = (0,), secret: str = ""
    ) -> str:
        scheme = {"submission": "smtp", "submissions": "smtps"}.get(service, service)
        user = f"{self.account.address}:{secret or self.account.password}"
        common = [self.program, "-sS", "--ssl-reqd", "--cacert", self.server.ca, "--user", user, "--max-time", "30"]
        return run([*common, *options, f"{scheme}://localhost:{self.server.ports[service]}/{path}"], codes=codes)


@pytest.fixture
def curl(server: Server, account: Account) -> Curl:
    return Curl(server, account)


@pytest.mark.parametrize("service", ["imaps", "imap"])
def test_imap_lists_searches_fetches(curl: Curl, server: Server, account: Account, service: str) -> None:
    fill(server, account, "INBOX", ["first day", "second day"])
    assert "INBOX" in curl(service, "")
    assert curl(service, "INBOX?SUBJECT%20second").split() == ["*", "SEARCH", "2"]
    whole = curl(service, "INBOX;MAILINDEX=2")
    assert "Subject: second day\r\n" in whole
    assert whole.endswith("Hello.\r\n")
    assert curl(service, "INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)").strip() == "Subject: first day"
    assert "EXISTS" in curl(service, "", "-X", "EXAMINE INBOX")


def test_imap_fetches_a_section_with_nothing_in_it(curl: Curl, tmp_path: Path) -> None:
    file = tmp_path / "photos.eml"
    file.write_text("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b\nContent-Type: image/png\n\n--b--\n")
    curl("imaps", "INBOX", "-T", file)
    assert curl("imaps", "INBOX;MAILINDEX=1;SECTION=1") == "Hi"
    assert curl("imaps", "INBOX;MAILINDEX=1;SECTION=2") == ""


def test_imap_uploads_flags_and_expunges(curl: Curl, server: Server, account: Account, tmp_path: Path) -> None:
    file = tmp_path / "letter.eml"
    file.write_bytes(letter(account.address, "b@other.example", "uploaded"))
    curl("imaps", "INBOX", "-T", file)
    assert waiting_subjects(server, account) == {"uploaded"}
    curl("imaps", "INBOX", "-X", r"STORE 1 +FLAGS (\Flagged \Deleted)")
    assert contents(server, account)["uploaded"] == {r"\Flagged", r"\Deleted", r"\Seen"}
    curl("imaps", "INBOX", "-X", "EXPUNGE")
    assert waiting_subjects(server, account) == set()


def test_imap_refuses_a_wrong_password(curl: Curl) -> None:
    curl("imaps", "INBOX", codes=(LOGIN_DENIED,), secret="wrong")


def test_imap_without_encryption_does_not_take_a_password(server: Server, account: Account) -> None:
    program = needs("curl", "curl")
    user = f"{account.address}:{account.password}"
    url = f"imap://localhost:{server.ports['imap']}/"
    run([program, "-sS", "--user", user, url], codes=(LOGIN_DENIED, WEIRD_REPLY))


@pytest.mark.parametrize("service", ["pop3s", "pop3"])
def test_pop3_lists_reads_and_deletes(curl: Curl, server: Server, account: Account, service: str) -> None:
    fill(server, account, "INBOX", ["one", "two", "three"])
    assert len(curl(service, "").split("\r\n")) == 4
    assert "Subject: two\r\n" in curl(service, "2")
    numbers = {line.split()[0]: line.split()[1] for line in curl(service, "", "-X", "UIDL").splitlines()}
    assert len(set(numbers.values())) == 3
    assert "Subject: one" in curl(service, "", "-X", "TOP 1 0")
    curl(service, "2", "-X", "DELE", "-l")
    assert waiting_subjects(server, account) == {"one", "three"}
    again = {line.split()[1] for line in curl(service, "", "-X", "UIDL").splitlines()}
    assert again == {numbers["1"], numbers["3"]}


def test_pop3_refuses_a_wrong_password(curl: Curl) -> None:
    curl("pop3s", "1", codes=(LOGIN_DENIED,), secret="wrong")


@pytest.mark.parametrize("service", ["submissions", "submission"])
def test_smtp_sends(
    curl: Curl, server: Server, account: Account, friend: Account, tmp_path: Path, service: str
) -> None:
    file = tmp_path / "letter.eml"
    file.write_bytes(letter(account.address, friend.address, f"sent by {service}"))
    curl(service, "client.example", "--mail-from", account.address, "--mail-rcpt", friend.address, "-T", file)
    assert waiting_subjects(server, friend) == {f"sent by {service}"}


def test_smtp_refuses_a_wrong_password(
    curl: Curl, server: Server, account: Account, friend: Account, tmp_path: Path
) -> None:
    file = tmp_path / "letter.eml"
    file.write_bytes(letter(account.address, friend.address, "never"))
    sending = ["--mail-from", account.address, "--mail-rcpt", friend.address, "-T", file]
    curl("submissions", "", *sending, codes=(LOGIN_DENIED,), secret="wrong")
    assert waiting_subjects(server, friend) == set()
