"""The lines of a client that knows a mailbox already: SELECT again, STATUS, what changed since."""

import re
import statistics

from tests.bench.client import Imap
from tests.bench.works import BIG, Measure, Scale, Server, connect, timed

_VALUES = re.compile(rb"UIDVALIDITY (\d+).*HIGHESTMODSEQ (\d+)|HIGHESTMODSEQ (\d+).*UIDVALIDITY (\d+)")
_EVERY = 100
"""Every hundredth message changes: one in a hundred."""


def repeated(command: bytes, mailbox: str | None = None) -> Measure:
    """The median of one short command, said fifty times in one session."""

    def measure(server: Server, _scale: Scale) -> float:
        session = connect(server, mailbox)
        seconds = statistics.median(timed(session, command) for _ in range(50))
        session.close()
        return seconds

    return measure


def resync(server: Server, scale: Scale) -> float:
    """SELECT with QRESYNC by a client that missed a change of one message in a hundred."""
    uid_validity, modseq = known(server)
    change(server, scale, b"+")
    session = connect(server)
    session.run(b"ENABLE QRESYNC")
    seconds = timed(session, b"SELECT %b (QRESYNC (%d %d))" % (BIG.encode(), uid_validity, modseq))
    session.close()
    change(server, scale, b"-")
    return seconds


def changed_since(server: Server, scale: Scale) -> float:
    """FETCH with CHANGEDSINCE, after a change of one message in a hundred."""
    _, modseq = known(server)
    change(server, scale, b"+")
    session = connect(server, BIG)
    seconds = timed(session, b"FETCH 1:* (UID FLAGS) (CHANGEDSINCE %d)" % modseq)
    session.close()
    change(server, scale, b"-")
    return seconds


def known(server: Server) -> tuple[int, int]:
    """UIDVALIDITY and HIGHESTMODSEQ of the big mailbox."""
    session = connect(server)
    session.run(b"ENABLE CONDSTORE")
    found = _VALUES.search(session.answer(b"STATUS %b (UIDVALIDITY HIGHESTMODSEQ)" % BIG.encode()))
    session.close()
    assert found
    return int(found[1] or found[4]), int(found[2] or found[3])


def change(server: Server, scale: Scale, sign: bytes) -> None:
    """Another client sets or clears a flag of one message in a hundred, all over the mailbox."""
    numbers = [b"%d" % number for number in range(_EVERY, scale.messages + 1, _EVERY)]
    session: Imap = connect(server, BIG)
    for start in range(0, len(numbers), 500):  # Dovecot takes lines of 8 KiB
        session.run(rb"STORE %b %bFLAGS.SILENT (\Answered)" % (b",".join(numbers[start : start + 500]), sign))
    session.close()
