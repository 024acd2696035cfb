"""Fill both servers with the same mail before anything is measured."""

import sys
import time

from tests.bench import corpus
from tests.bench.finding import WORDS, WORDS_ACCOUNT
from tests.bench.memory import HELD_MAILBOX
from tests.bench.works import BIG, Server, fill

HELD = 1_000


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
