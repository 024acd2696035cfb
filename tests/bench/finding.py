"""The lines that look for messages: SEARCH in rows, fields and bodies, SORT and THREAD; and what the index costs."""

import statistics

from tests.bench import corpus
from tests.bench.client import Imap
from tests.bench.processes import wait_until_quiet
from tests.bench.works import BIG, Measure, Scale, Server, connect, deliver, fill, timed

WORDS = "Words"
WORDS_ACCOUNT = 1
"""An account of its own, so that the index of 10,000 letters is not that of 100,000 others, too."""


_TURNS = 5


def body(word: str, key: str = "BODY", *, found_by: str | None = None) -> Measure:
    """SEARCH for a word in 10,000 bodies; the server called `found_by` must find every letter that has it."""
    command = b"UID SEARCH CHARSET UTF-8 %b {%d+}\r\n%b" % (key.encode(), len(word.encode()), word.encode())

    def measure(server: Server, scale: Scale) -> float:
        session = connect(server, WORDS, account=WORDS_ACCOUNT)
        if server.name == found_by:
            must_find(session, command, sum(word in corpus.words_of(number) for number in range(scale.letters)))
        seconds = timed(session, command)
        session.close()
        return seconds

    return measure


def slowed_delivery(server: Server, scale: Scale) -> float:
    """By how many percent deliveries are slower while letters wait for the search index; the median of five pairs."""
    slower = []
    for turn in range(_TURNS):
        wait_until_quiet(server.pids())
        alone = deliver(server, scale)
        wait_until_quiet(server.pids())
        fill(server, f"Waiting{turn}", scale.letters // 2, WORDS_ACCOUNT, corpus.wordy)
        slower.append(100 * (1 - deliver(server, scale) / alone))
    return statistics.median(slower)


def must_find(session: Imap, command: bytes, expected: int) -> None:
    """Look at what a SEARCH finds, and index or load what it needs before it is measured."""
    line = session.answer(command).partition(b"\r\n")[0]
    found = len(line.split()) - 2
    if found != expected:
        raise AssertionError(f"{command!r} found {found} messages of {expected}")


def rows(command: bytes) -> Measure:
    """One SEARCH, SORT or THREAD over the big mailbox, in a session that has it open."""

    def measure(server: Server, _scale: Scale) -> float:
        session = connect(server, BIG)
        seconds = timed(session, command)
        session.close()
        return seconds

    return measure
