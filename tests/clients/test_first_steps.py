"""What the README promises: `make up`, a message from outside, and the curl line that was printed."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.running import ROOT, needs, run


@contextmanager
def make_up(folder: Path, options: str, *words: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """`make up` on an empty data folder, from another folder; what it logs goes to the file."""
    log = folder / "log"
    command = [
        needs("make", "make"),
        *words,
        "-C",
        str(ROOT),
        "up",
        f"PYTHON={sys.executable}",
        f"ARGS=--data {folder}/data --ports auto {options}",
    ]
    # These tests may run below a make, which would have ours announce the folders that it enters.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with log.open("w") as stderr:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        yield process, log
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def stop(process: "subprocess.Popen[str]", server: int) -> str:
    """SIGTERM to the server itself; make ends well after it. The rest of stdout."""
    assert process.stdout is not None
    os.kill(server, signal.SIGTERM)
    rest = process.stdout.read()
    assert process.wait(30) == 0
    return rest


def test_the_printed_curl_line_fetches_what_came_in(tmp_path: Path) -> None:
    needs("curl", "curl")
    swaks = needs("swaks", "swaks")
    with make_up(tmp_path, "") as (process, log):
        assert process.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, log.read_text(encoding="utf-8")
            printed += line
        [curl] = re.findall(r"(?m)^curl .*$", printed)
        [address] = re.findall(r"(?m)^(\S+@\S+)$", printed)
        [port] = re.findall(r"(?m)^.*from other servers\D+(\d+)", printed)
        where = ["--server", "127.0.0.1", "--port", port]
        run([swaks, *where, "--from", "a@other.example", "--to", address, "--header", "Subject: first steps"])
        assert "Subject: first steps\r\n" in run(["/bin/sh", "-c", curl])
        [server] = re.findall(r'"pid": ?(\d+)', log.read_text(encoding="utf-8"))
        stop(process, int(server))


def test_for_scripts_stdout_carries_one_line_of_json(tmp_path: Path) -> None:
    with make_up(tmp_path, "--json", "-s") as (process, log):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text(encoding="utf-8")
        told = json.loads(line)
        services = {"imap", "imaps", "pop3", "pop3s", "submission", "submissions", "smtp", "lmtp", "http", "https"}
        assert services <= set(told["ports"])
        assert Path(told["ca"]).is_absolute()
        assert Path(told["ca"]).is_file()
        assert [set(account) for account in told["accounts"]] == [{"address", "app_password", "password"}]
        assert stop(process, told["pid"]) == ""
    with make_up(tmp_path, "--json", "-s") as (process, log):
        assert process.stdout is not None
        again = json.loads(process.stdout.readline())
        assert again["accounts"] == [
            {"address": told["accounts"][0]["address"], "app_password": None, "password": None}
        ]
        assert stop(process, again["pid"]) == ""
