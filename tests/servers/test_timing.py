"""What the clock tells somebody who asks for names: nothing.

Each trial asks for a name that exists and for one that does not, in an order that a coin decides. Were both answered
alike, the one that exists would be the slower one in half of the trials, however noisy the machine and whatever else it
does: that is exact, and no threshold of milliseconds is needed. So few or so many that chance would bring them once in
a million runs are no chance.
"""

import http.client
import imaplib
import math
import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from mailhost.crypto import new_app_password
from tests.running import Server, running

TRIALS = 100
ONCE_IN = 1_000_000


Ask = Callable[[Server, str], float]


def over_imap(server: Server, user: str) -> float:
    """Seconds from LOGIN with a wrong app password to its answer."""
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=60) as client:
        line = f'a LOGIN "{user}" "{new_app_password()}"\r\n'.encode()
        started = time.perf_counter()
        client.send(line)
        said = client.readline()
        taken = time.perf_counter() - started
    assert said.startswith(b"a NO [AUTHENTICATIONFAILED]"), said
    return taken


def on_the_page(server: Server, user: str) -> float:
    """Seconds from a form with a wrong account password to its answer."""
    client = http.client.HTTPSConnection("localhost", server.ports["https"], timeout=60, context=server.tls())
    client.request("GET", "/sign-in")
    form = client.getresponse()
    cookie = form.headers["set-cookie"].partition(";")[0]
    csrf = form.read().decode().partition('name="csrf" value="')[2].partition('"')[0]
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"csrf": csrf, "address": user, "password": secrets.token_hex()})
    started = time.perf_counter()
    client.request("POST", "/sign-in", body, headers)
    answer = client.getresponse()
    taken = time.perf_counter() - started
    assert (answer.status, b"is not right" in answer.read()) == (403, True)
    client.close()
    return taken


def chance_of(slower: int, trials: int) -> float:
    """How likely a fair coin is at least so far from half (a two-sided sign test)."""
    far = abs(slower - trials / 2)
    return sum(math.comb(trials, heads) for heads in range(trials + 1) if abs(heads - trials / 2) >= far) / 2**trials


def test_the_statistic() -> None:
    assert chance_of(50, 100) == 1
    assert chance_of(60, 100) > 0.05
    assert chance_of(75, 100) < 1 / ONCE_IN


@pytest.mark.parametrize("seconds_to_refuse", [over_imap, on_the_page])
def test_an_unknown_name_takes_as_long_as_a_wrong_password(tmp_path: Path, seconds_to_refuse: Ask) -> None:
    coin = random.Random()
    slower = 0
    with running(tmp_path / "data", "--demo") as server:
        known = server.accounts[0].address
        names = [known, "nobody@example.test"]
        for name in names:
            seconds_to_refuse(server, name)  # what the first one loads
        for _ in range(TRIALS):
            order = names.copy()
            coin.shuffle(order)
            taken = {name: seconds_to_refuse(server, name) for name in order}
            slower += taken[known] > taken[names[1]]
    assert chance_of(slower, TRIALS) > 1 / ONCE_IN, f"the known one was the slower one in {slower} of {TRIALS}"
