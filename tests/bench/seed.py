"""Fill both servers with the same mail before anything is measured."""

import sys
import time
from collections.abc import Callable

from tests.bench import corpus
from tests.bench.finding import WORDS, WORDS_ACCOUNT
from tests.bench.memory import HELD_MAILBOX
from tests.bench.works import BIG, Server, connect

BATCH = 100
HELD = 1_000


def fill(server: Server, mailbox: str, count: int, account: int, make: Callable[[int], bytes] = corpus.message) -> None:
    """Make a mailbox of `count` messages, a part of them read and none as old as another."""
    session = connect(server, account=account)
    session.run(f"CREATE {mailbox}".encode())
    for first in range(0, count, BATCH):
        batch = range(first, min(first + BATCH, count))
        session.append(mailbox, list(map(make, batch)), list(map(corpus.append_words, batch)))
    session.close()


def seed_big(server: Server, count: int) -> None:
    """The mailbox that most lines look at."""
    started = time.monotonic()
    fill(server, BIG, count, account=0)
    print(f"  {server.name}: {count:,} messages in {time.monotonic() - started:.0f} s", file=sys.stderr)


def seed_words(server: Server, count: int) -> None:
    """Letters to search in."""
    fill(server, WORDS, count, WORDS_ACCOUNT, corpus.wordy)


def seed_held(server: Server) -> None:
    """A mailbox of 1,000 messages in each account, for the sessions that are held."""
    for account in range(len(server.accounts)):
        fill(server, HELD_MAILBOX, HELD, account)
