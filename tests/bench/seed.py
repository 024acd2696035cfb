"""Fill both servers with the same mail before anything is measured."""

import sys
import time

from tests.bench import corpus
from tests.bench.memory import HELD_MAILBOX
from tests.bench.works import BIG, Server, connect

BATCH = 100
HELD = 1_000


def fill(server: Server, mailbox: str, count: int, account: int) -> None:
    """Make a mailbox with the first `count` messages of the corpus, unless it has them."""
    session = connect(server, account=account)
    session.run(f"CREATE {mailbox}".encode())
    for first in range(0, count, BATCH):
        session.append(mailbox, [corpus.message(number) for number in range(first, min(first + BATCH, count))])
    session.close()


def seed_big(server: Server, count: int) -> None:
    """The mailbox that most lines look at."""
    started = time.monotonic()
    fill(server, BIG, count, account=0)
    print(f"  {server.name}: {count:,} messages in {time.monotonic() - started:.0f} s", file=sys.stderr)


def seed_held(server: Server) -> None:
    """A mailbox of 1,000 messages in each account, for the sessions that are held."""
    for account in range(len(server.accounts)):
        fill(server, HELD_MAILBOX, HELD, account)
