"""The lines of the comparison: what is measured, in which unit, and how much faster than Dovecot it must be."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.bench import corpus
from tests.bench.client import Imap, Lmtp, Load, tls_context, together
from tests.bench.processes import Account, processor_seconds

BIG = "Big"
BATCH = 100
DOVECOT = "Dovecot"
DOVECOT_INDEXED = "Dovecot with its full-text plugin"
TLS = tls_context()
ENVELOPES = b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"
HEADERS = b"FETCH 1:* (BODY.PEEK[HEADER.FIELDS (DATE FROM SUBJECT TO CC MESSAGE-ID REFERENCES)])"


class Server(Protocol):
    """A mail server that is running, as the lines see it."""

    name: str
    accounts: list[Account]
    ports: dict[str, int]

    def pids(self) -> list[int]:
        """Every process of it."""
        ...

    def start(self, reuse: bool = False) -> None:
        """Start again, with the choice of reusing processes where there is one."""
        ...

    def close(self) -> None:
        """Stop and leave nothing behind."""
        ...


@dataclass(frozen=True)
class Scale:
    """How much of everything: the figures of the table, or less for a quick look."""

    messages: int = 100_000
    sessions: int = 5_000
    operations: int = 4_000
    moves: int = 1_000
    runs: int = 5
    letters: int = 10_000


Measure = Callable[[Server, Scale], float]


@dataclass(frozen=True)
class Work:
    """One line: `unit` "/s" means more is better, everything else means less is. `rival`: whom we must beat."""

    key: str
    words: str
    unit: str
    target: float
    measure: Measure
    needs_big: bool = False
    is_single: bool = False
    reuse: bool = False
    needs_words: bool = False
    rival: str = DOVECOT


def connect(server: Server, mailbox: str | None = None, account: int = 0, tls: bool = False) -> Imap:
    """A signed-in session, with a mailbox open when one is named."""
    session = Imap(server.ports["imaps" if tls else "imap"], TLS if tls else None)
    who = server.accounts[account]
    session.login(who.user, who.password)
    if mailbox:
        session.run(f"SELECT {mailbox}".encode())
    return session


def fill(server: Server, mailbox: str, count: int, account: int, make: Callable[[int], bytes] = corpus.message) -> None:
    """Make a mailbox of `count` messages, a part of them read and none as old as another."""
    session = connect(server, account=account)
    session.run(f"CREATE {mailbox}".encode())
    for first in range(0, count, BATCH):
        batch = range(first, min(first + BATCH, count))
        session.append(mailbox, list(map(make, batch)), list(map(corpus.append_words, batch)))
    session.close()


def timed(session: Imap, command: bytes) -> float:
    """Seconds from sending a command to its tagged answer."""
    started = time.perf_counter()
    session.run(command)
    return time.perf_counter() - started


def fetch(command: bytes) -> Measure:
    """One FETCH over the big mailbox, in a session that has it open."""

    def measure(server: Server, _scale: Scale) -> float:
        session = connect(server, BIG)
        seconds = timed(session, command)
        session.close()
        return seconds

    return measure


def select(server: Server, _scale: Scale) -> float:
    """SELECT of the big mailbox in sessions that were just opened."""
    seconds = []
    for _ in range(10):
        session = connect(server)
        seconds.append(timed(session, f"SELECT {BIG}".encode()))
        session.close()
    return statistics.median(seconds)


def sign_in(tls: bool) -> Measure:
    """Connect, LOGIN, LOGOUT, eight at once, each with an account of its own."""

    def measure(server: Server, scale: Scale) -> float:
        port = server.ports["imaps" if tls else "imap"]

        def prepare(index: int) -> Load:
            who = server.accounts[index]

            def load(share: int) -> None:
                for _ in range(share):
                    session = Imap(port, TLS if tls else None)
                    session.login(who.user, who.password)
                    session.close()

            return load

        return together(8, scale.operations // 2, prepare)

    return measure


def sign_in_cost(server: Server, scale: Scale) -> float:
    """Seconds of the server's processors for a connection without TLS, LOGIN with an app password, and LOGOUT."""
    before = processor_seconds(server.pids())
    sign_in(tls=False)(server, scale)
    return (processor_seconds(server.pids()) - before) / (scale.operations // 2)


def deliver(server: Server, scale: Scale) -> float:
    """LMTP deliveries of 10 KB over eight connections, each to an account of its own."""

    def prepare(index: int) -> Load:
        session = Lmtp(server.ports["lmtp"])
        messages = [corpus.ten_kilobytes(index * 50 + number) for number in range(50)]

        def load(share: int) -> None:
            for number in range(share):
                session.deliver(server.accounts[index].user, messages[number % 50])

        return load

    return together(8, scale.operations, prepare)


def append(server: Server, scale: Scale) -> float:
    """APPEND of 10 KB in eight sessions, each into an account of its own."""

    def prepare(index: int) -> Load:
        session = connect(server, account=index)
        messages = [[corpus.ten_kilobytes(1_000 + index * 50 + number)] for number in range(50)]

        def load(share: int) -> None:
            for number in range(share):
                session.append("INBOX", messages[number % 50])

        return load

    return together(8, scale.operations, prepare)


def notice(server: Server, _scale: Scale) -> float:
    """From handing over the last octet of a message to `* EXISTS` in a session that idles; the median of 20."""
    dice = random.Random(corpus.SEED)
    watcher = connect(server, "INBOX", account=9)
    door = Lmtp(server.ports["lmtp"])
    watcher.socket.sendall(b"i IDLE\r\n")
    watcher.line()
    seconds = []
    for number in range(20):
        time.sleep(dice.uniform(0.05, 0.3))
        started = time.perf_counter()
        door.deliver(server.accounts[9].user, corpus.message(number))
        while b" EXISTS" not in watcher.line():
            pass
        seconds.append(time.perf_counter() - started)
    door.close()
    watcher.socket.close()
    return statistics.median(seconds)


def copy(times: int) -> Measure:
    """COPY of the first `times` thousand messages of the big mailbox into a new one."""

    def measure(server: Server, scale: Scale) -> float:
        session = connect(server, BIG)
        session.run(b"CREATE Target")
        seconds = timed(session, b"COPY 1:%d Target" % (times * scale.moves))
        session.run(b"DELETE Target")
        session.close()
        return seconds

    return measure


def move(server: Server, scale: Scale) -> float:
    """MOVE of a thousand messages from one new mailbox into another."""
    session = connect(server, BIG)
    session.run(b"CREATE Origin")
    session.run(b"CREATE Target")
    session.run(b"COPY 1:%d Origin" % scale.moves)
    session.run(b"SELECT Origin")
    seconds = timed(session, b"MOVE 1:* Target")
    session.run(b"UNSELECT")
    session.run(b"DELETE Origin")
    session.run(b"DELETE Target")
    session.close()
    return seconds


def store(server: Server, _scale: Scale) -> float:
    """STORE +FLAGS.SILENT of one flag on every message of the big mailbox, none of which has it."""
    session = connect(server, BIG)
    seconds = timed(session, rb"STORE 1:* +FLAGS.SILENT (\Flagged)")
    session.run(rb"STORE 1:* -FLAGS.SILENT (\Flagged)")
    session.close()
    return seconds


def random_bodies(server: Server, scale: Scale) -> float:
    """BODY.PEEK[] of messages in random order, one command each, one after the other."""
    dice = random.Random(corpus.SEED)
    commands = [b"FETCH %d BODY.PEEK[]" % dice.randint(1, scale.messages) for _ in range(min(10_000, scale.messages))]
    session = connect(server, BIG)
    started = time.perf_counter()
    for command in commands:
        session.run(command)
    seconds = time.perf_counter() - started
    session.close()
    return len(commands) / seconds
