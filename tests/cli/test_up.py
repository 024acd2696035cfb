"""`mailhost up` as an operator and as a script call it: first start, later starts, every way it can be refused."""

import json
import re
import shlex
import signal
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailhost.config import load
from tests.running import MAILHOST, ROOT, needs, running, start, stop

NAMES = {"imap", "imaps", "pop3", "pop3s", "submission", "submissions", "smtp", "lmtp", "http", "https"}


def refusal(folder: Path, *options: str) -> str:
    """The one sentence with which a start is refused."""
    command = [*MAILHOST, "up", "--json", "--data", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return sentence


@contextmanager
def in_a_terminal(folder: Path) -> Iterator[tuple[list[str], subprocess.Popen[str]]]:
    """`mailhost up` for people: what it prints until it serves."""
    command = [*MAILHOST, "up", "--data", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "Ctrl-C" in line:
                    break
            yield lines, process
        finally:
            process.terminate()


def test_the_json_line_has_all_a_script_needs_and_a_second_start_has_the_same_data(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running(folder) as server:
        assert set(server.ports) >= NAMES
        assert Path(server.ca).is_absolute()
        [first] = server.accounts
        assert re.fullmatch(r"[a-z]{4}( [a-z]{4}){3}", first.password)
        with smtplib.SMTP("localhost", server.ports["smtp"], timeout=10) as client:
            client.sendmail("a@example.net", [first.address], b"Subject: kept\r\n\r\nx\r\n")
    toml = (folder / "mailhost.toml").read_text()
    with running(folder) as server:
        assert [(each.address, each.password) for each in server.accounts] == [(first.address, None)]
    assert (folder / "mailhost.toml").read_text() == toml


def test_nobody_else_on_the_machine_reads_what_is_in_a_folder_made_for_all(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    with running(folder):
        for path in folder.rglob("*"):
            is_public = path.parent.name == "tls" and path.name in {"ca.pem", "server.pem"}
            assert is_public or not path.stat().st_mode & 0o077, path


def test_the_pid_is_the_server_and_sigterm_ends_it_well(tmp_path: Path) -> None:
    command = [*MAILHOST, "up", "--json", "--data", str(tmp_path / "data"), "--ports", "auto"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            assert told["pid"] == process.pid
            assert told["host"] == "localhost"
            with socket.create_connection(("localhost", told["ports"]["imap"]), timeout=10) as idle:
                assert idle.recv(1000).startswith(b"* OK")
                process.send_signal(signal.SIGTERM)
                assert b"* BYE" in idle.recv(1000)
            rest, log = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert rest == b""
    assert b"Traceback" not in log


def test_a_demonstration_has_two_accounts_mail_and_relaxed_limits_for_good(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running(folder, "--demo") as server:
        assert len(server.accounts) == 2
        assert all(each.password for each in server.accounts)
    assert load(folder).limits.connections_per_address == 250
    assert load(folder).limits.imap_sessions_per_account == 30
    with running(folder) as server:
        assert len(server.accounts) == 2


def test_a_store_becomes_a_demonstration_and_the_operators_limits_go_first(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    stop(start(folder))
    file = folder / "mailhost.toml"
    file.write_text(file.read_text() + "imap_sessions_per_account = 7\n")
    stop(start(folder, "--demo"))
    assert load(folder).demo
    assert load(folder).limits.imap_sessions_per_account == 7
    assert load(folder).limits.connections_per_address == 250


def test_the_table_for_people_and_its_curl_line(tmp_path: Path) -> None:
    needs("curl", "curl")
    folder = tmp_path / "data with blanks"
    stop(start(folder, "--domain", "firma.test"))
    file = folder / "mailhost.toml"
    toml = file.read_text()
    for name in NAMES:
        toml = re.sub(rf"(?m)^# {name} = \d+ ", f"{name} = 0 ", toml)
    file.write_text(toml.replace('listen = ["0.0.0.0", "::"]', 'listen = ["127.0.0.1"]'))
    with in_a_terminal(folder) as (lines, _):
        pass
    text = "".join(lines)
    assert all(word in text for word in ("IMAP", "POP3", "SMTP", "SSL/TLS", "STARTTLS", "app password", "localhost"))
    [curl] = [line for line in lines if line.startswith("curl ")]
    words = shlex.split(curl)
    assert str(folder / "tls" / "ca.pem") in words
    assert "me@firma.test" in words


def test_the_curl_line_of_a_first_start_fetches_what_came_a_moment_before(tmp_path: Path) -> None:
    needs("curl", "curl")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "mailhost.toml").write_text("[ports]\n" + "".join(f"{name} = 0\n" for name in NAMES))
    with in_a_terminal(folder) as (lines, process):
        [row] = [line for line in lines if "from other servers" in line]
        port = int(re.findall(r"\d+", row)[0])
        with smtplib.SMTP("localhost", port, timeout=10) as client:
            client.sendmail("a@example.net", ["me@example.test"], b"Subject: a moment ago\r\n\r\nx\r\n")
        [curl] = [line for line in lines if line.startswith("curl ")]
        fetched = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=30, check=True)
        assert "Subject: a moment ago" in fetched.stdout
        process.terminate()
        assert process.wait(30) == 0


def test_a_busy_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        folder = tmp_path / "data"
        folder.mkdir()
        (folder / "mailhost.toml").write_text(f"[ports]\nhttp = 0\nimaps = {port}\n")
        assert f"port {port} on 127.0.0.1: another program uses it" in refusal(folder)
    with running(folder) as server:  # and the first account's password was not lost to the start that failed
        assert server.accounts[0].password


def test_a_misspelt_key_is_one_sentence_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "mailhost.toml").write_text("[limits]\nconections = 3\n")
    assert "limits.conections is not a setting; did you mean limits.connections?" in refusal(tmp_path)


def test_a_domain_that_is_none_leaves_nothing_behind(tmp_path: Path) -> None:
    assert "A domain is made of letters" in refusal(tmp_path / "data", "--domain", "x y")
    assert not (tmp_path / "data").exists()


def test_another_domain_at_a_later_start_is_not_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    stop(start(folder, "--domain", "Firma.test"))
    said = refusal(folder, "--ports", "auto", "--domain", "other.test")
    assert "--domain is for the first start; now it is: mailhost domain add other.test" in said
    stop(start(folder, "--domain", "firma.test"))
    stop(start(folder))


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("in the way")
    command = [*MAILHOST, "up", "--data", str(file / "below")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 1
    assert "cannot be written: Not a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_servers_never_share_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running(folder):
        assert f"Another Mailhost is running on {folder}" in refusal(folder, "--ports", "auto")


def test_a_certificate_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mailhost.toml").write_text(f'[tls]\ncertificate = "{tmp_path}/mailhost.toml"\n')
    assert "There is no certificate with its key in" in refusal(tmp_path)


def test_a_misspelt_command_is_answered_with_the_one_that_was_meant() -> None:
    done = subprocess.run([*MAILHOST, "acount", "list"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "Error: No such command 'acount'. Did you mean 'account'?"
