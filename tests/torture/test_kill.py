"""SIGKILL in the middle of deliveries: what was answered 250 is there, and everything is there once."""

import random
import re
import smtplib
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.mail import letter, sign_in
from tests.running import Account, Server, kill, start, stop

DELIVERIES = 1_000
SENDERS = 4


@dataclass
class Campaign:
    """Letters to deliver by several connections at once, and which of them were answered 250."""

    recipient: str
    waiting: list[int]
    answered: set[int] = field(default_factory=set)
    progress: threading.Condition = field(default_factory=threading.Condition)

    def send(self, port: int) -> None:
        """One connection: deliver until nothing is left or the server is gone; what got no answer is put back."""
        try:
            with smtplib.LMTP("127.0.0.1", port, timeout=20) as door:
                while (number := self.take()) is not None:
                    try:
                        self.deliver(door, number)
                    except BaseException:
                        with self.progress:
                            self.waiting.append(number)
                        raise
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            return

    def take(self) -> int | None:
        """The next letter."""
        with self.progress:
            return self.waiting.pop() if self.waiting else None

    def deliver(self, door: smtplib.LMTP, number: int) -> None:
        """One transaction; smtplib raises on anything but 250."""
        words = letter("a@other.example", self.recipient, f"letter {number:04}")
        assert door.sendmail("a@other.example", [self.recipient], words) == {}
        with self.progress:
            self.answered.add(number)
            self.progress.notify_all()

    def run(self, server: Server, until: int) -> None:
        """Send until so many were answered; then, if letters are left, kill the server in the middle of it."""
        threads = [threading.Thread(target=self.send, args=(server.ports["lmtp"],)) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        with self.progress:
            assert self.progress.wait_for(lambda: len(self.answered) >= until, timeout=120)
        if until < DELIVERIES:
            kill(server)
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


def delivered(server: Server, account: Account) -> Counter[int]:
    """How often each letter is in INBOX."""
    imap = sign_in(server, account)
    code, [count] = imap.select("INBOX", readonly=True)
    assert code == "OK"
    rows = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if count != b"0" else []
    found = Counter(
        int(number) for row in rows if isinstance(row, tuple) for number in re.findall(rb"letter (\d+)", row[1])
    )
    assert found.total() == int(count)
    imap.logout()
    return found


def deliver_through_kills(folder: Path, moments: list[int]) -> None:
    """Kill at each of the moments (so many answered), look after each restart, and finish."""
    server = start(folder)
    account = server.new_account()
    campaign = Campaign(account.address, list(range(DELIVERIES)))
    doubts: set[int] = set()
    for until in [*moments, DELIVERIES]:
        campaign.run(server, until)
        if until < DELIVERIES:
            server = start(folder)
        found = delivered(server, account)
        assert campaign.answered <= set(found), "an answered letter is lost"
        # A letter that was on its way when the server died may be there without an answer. Its sender tries again, and
        # is recognised by sender, Message-ID and octets.
        doubts |= set(found) - campaign.answered
        assert max(found.values()) == 1, "a letter is there twice"
    assert len(doubts) <= SENDERS * len(moments)
    stop(server)


def test_kill_loses_and_doubles_nothing(tmp_path: Path) -> None:
    deliver_through_kills(tmp_path / "data", [150, 500, 850])


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(10))
def test_kill_at_many_moments(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    deliver_through_kills(tmp_path / "data", sorted(dice.sample(range(1, DELIVERIES), 8)))
