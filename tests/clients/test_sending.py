"""msmtp and swaks send: submission in both forms, mail from outside, LMTP, and what must be refused."""

from pathlib import Path

import pytest

from tests.clients.mail import letter, waiting_subjects
from tests.running import Account, Server, needs, run

AUTH_REFUSED = 28
RECIPIENT_REFUSED = 24
SENDER_REFUSED = 23
MSMTP_AUTH_REFUSED = 77
FORGED_REFUSALS = (SENDER_REFUSED, RECIPIENT_REFUSED, 26)


@pytest.mark.parametrize("port", ["submission", "submissions"])
@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_msmtp_sends(
    server: Server, account: Account, friend: Account, tmp_path: Path, port: str, mechanism: str
) -> None:
    config = msmtp_config(tmp_path, server, port, account.address, account.password, mechanism)
    subject = f"msmtp {port} {mechanism}"
    words = letter(account.address, friend.address, subject).replace(b"\r\n", b"\n")
    run([needs("msmtp", "msmtp"), "-C", config, "-t"], words)
    assert waiting_subjects(server, friend) == {subject}


def test_msmtp_is_told_of_a_wrong_password(server: Server, account: Account, friend: Account, tmp_path: Path) -> None:
    config = msmtp_config(tmp_path, server, "submissions", account.address, "wrong", "plain")
    words = letter(account.address, friend.address, "never")
    said = run([needs("msmtp", "msmtp"), "-C", config, "-t"], words, codes=(MSMTP_AUTH_REFUSED,))
    assert "535" in said
    assert waiting_subjects(server, friend) == set()


def msmtp_config(folder: Path, server: Server, port: str, user: str, password: str, mechanism: str) -> Path:
    """A configuration as msmtp's manual shows it."""
    config = folder / "msmtprc"
    config.write_text(
        f"account default\nhost localhost\nport {server.ports[port]}\nfrom {user}\nauth {mechanism}\nuser {user}\n"
        f"password {password}\ntls on\ntls_starttls {'off' if port == 'submissions' else 'on'}\n"
        f"tls_trust_file {server.ca}\n",
        encoding="utf-8",
    )
    config.chmod(0o600)
    return config


class Swaks:
    """swaks against one port of the server."""

    def __init__(self, server: Server) -> None:
        self.program = needs("swaks", "swaks")
        self.server = server

    def __call__(self, port: str, *options: str, codes: tuple[int, ...] = (0,)) -> str:
        where = ["--server", "127.0.0.1", "--port", str(self.server.ports[port]), "--timeout", "20s"]
        return run([self.program, *where, *options], codes=codes)


@pytest.fixture
def swaks(server: Server) -> Swaks:
    return Swaks(server)


def message(subject: str) -> tuple[str, str, str, str]:
    """swaks' options for a subject and a text."""
    return "--header", f"Subject: {subject}", "--body", "Hello."


def as_user(account: Account, *tls: str, mechanism: str = "PLAIN", password: str = "") -> list[str]:
    """swaks' options for signing in."""
    secret = password or account.password
    return [*tls, "--auth", mechanism, "--auth-user", account.address, "--auth-password", secret]


def test_swaks_delivers_from_outside(swaks: Swaks, server: Server, account: Account) -> None:
    to = ["--from", "a@other.example", "--to", account.address]
    swaks("smtp", *to, *message("plain"))
    swaks("smtp", "--tls", *to, *message("with STARTTLS"))
    swaks("smtp", "--pipeline", *to, *message("pipelined"))
    swaks("smtp", "--from", "<>", "--to", account.address, *message("from nobody"))
    assert waiting_subjects(server, account) == {"plain", "with STARTTLS", "pipelined", "from nobody"}


def test_swaks_is_refused_as_a_relay(swaks: Swaks, account: Account) -> None:
    said = swaks("smtp", "--from", "a@other.example", "--to", "b@elsewhere.example", codes=(RECIPIENT_REFUSED,))
    assert "<** 5" in said
    said = swaks("smtp", "--from", account.address, "--to", "b@elsewhere.example", codes=(RECIPIENT_REFUSED,))
    assert "<** 5" in said


def test_swaks_hears_of_an_unknown_recipient(swaks: Swaks) -> None:
    said = swaks("smtp", "--from", "a@other.example", "--to", "nobody@example.test", codes=(RECIPIENT_REFUSED,))
    assert "<** 550 5.1.1" in said


@pytest.mark.parametrize(("port", "tls"), [("submission", "--tls"), ("submissions", "--tls-on-connect")])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_submits(
    swaks: Swaks, server: Server, account: Account, friend: Account, port: str, tls: str, mechanism: str
) -> None:
    sign_in = as_user(account, tls, mechanism=mechanism)
    swaks(port, *sign_in, "--from", account.address, "--to", friend.address, *message("submitted"))
    assert waiting_subjects(server, friend) == {"submitted"}


def test_swaks_submits_only_with_the_right_password_over_tls(swaks: Swaks, account: Account, friend: Account) -> None:
    envelope = ["--from", account.address, "--to", friend.address]
    said = swaks(
        "submissions", *as_user(account, "--tls-on-connect", password="wrong"), *envelope, codes=(AUTH_REFUSED,)
    )
    assert "<~* 535 5.7.8" in said
    swaks("submission", *as_user(account), *envelope, codes=(AUTH_REFUSED,))
    swaks("submissions", "--tls-on-connect", *envelope, codes=(SENDER_REFUSED, RECIPIENT_REFUSED))


def test_swaks_cannot_send_as_somebody_else(swaks: Swaks, account: Account, friend: Account) -> None:
    sign_in = as_user(account, "--tls-on-connect")
    swaks("submissions", *sign_in, "--from", friend.address, "--to", friend.address, codes=FORGED_REFUSALS)


def test_swaks_delivers_by_lmtp_to_several(swaks: Swaks, server: Server, account: Account, friend: Account) -> None:
    to = f"{account.address},{friend.address}"
    swaks("lmtp", "--protocol", "LMTP", "--from", "a@other.example", "--to", to, *message("by LMTP"))
    assert waiting_subjects(server, account) == waiting_subjects(server, friend) == {"by LMTP"}
