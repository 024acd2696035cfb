"""`make bench`: Mailhost beside Dovecot, line by line, on this machine, in this run.

Both run at the same time with the same mail; each line is measured on one and then on the other, several times, by the
same client, and the medians are compared. TLS is 1.3 with an ECDSA P-256 certificate and no session resumption. Memory
is (PSS with N sessions - PSS with none) / N over all processes of a server.
"""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import replace

from tests.bench.dovecot import Dovecot
from tests.bench.lines import LIMITS, OURS, WORKS
from tests.bench.memory import idle, in_idle
from tests.bench.ours import Mailhost
from tests.bench.processes import raise_open_files, wait_until_quiet
from tests.bench.seed import seed_big, seed_held, seed_words
from tests.bench.works import DOVECOT_INDEXED, Scale, Server, Work

ACCOUNTS = 10


def show(value: float | None, unit: str) -> str:
    """A figure as a person reads it."""
    if value is None:
        return "-"
    if unit == "s":
        return f"{value * 1000:,.1f} ms" if value < 1 else f"{value:,.2f} s"
    return f"{value:,.0f}{unit}" if unit == "/s" else f"{value:,.1f} {unit}"


def measure(work: Work, servers: Sequence[Server], scale: Scale) -> list[float]:
    """The median of each server, taken in turns so that what else the machine does falls on both."""
    samples: list[list[float]] = [[] for _ in servers]
    for server in servers:
        if work.reuse:
            server.start(reuse=True)
    for server in servers:
        wait_until_quiet(server.pids())
    for _ in range(1 if work.is_single else scale.runs):
        for index, server in enumerate(servers):
            samples[index].append(work.measure(server, scale))
    for server in servers:
        if work.reuse:
            server.start()
    return [statistics.median(values) for values in samples]


def verdict(work: Work, values: dict[str, float]) -> str:
    """The rest of a line: both figures, the ratio, what was asked, whether it was reached."""
    theirs, ours = values.get(work.rival), values.get(OURS)
    row = f"{show(theirs, work.unit):>12} {show(ours, work.unit):>12}"
    if theirs is None or ours is None:
        return row
    ratio = ours / theirs if work.unit == "/s" else theirs / ours
    limit = LIMITS.get(work.key)
    asked = f">= {work.target:g} x" if limit is None else f"<= {show(limit, work.unit)}"
    reached = ratio >= work.target if limit is None else ours <= limit
    return f"{row} {ratio:>8.2f} x  {asked:<12} {'reached' if reached else 'NOT reached'}"


def arguments() -> argparse.Namespace:
    """The options of `make bench ARGS='…'`."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=[work.key for work in WORKS], help="one line; repeatable")
    parser.add_argument("--messages", type=int, help="size of the big mailbox (100,000)")
    parser.add_argument("--sessions", type=int, help="idle sessions held (5,000)")
    parser.add_argument("--runs", type=int, help="samples a line (5)")
    parser.add_argument("--fast", action="store_true", help="a quick look: 10,000 messages, 300 sessions, 2 samples")
    parser.add_argument("--server", choices=("dovecot", "mailhost"), help="measure only this one")
    return parser.parse_args()


def seed(servers: Sequence[Server], chosen: Sequence[Work], scale: Scale) -> None:
    """Put into each server the mail that its lines look at."""
    for server in servers:
        mine = [work for work in chosen if server.name in (work.rival, OURS)]
        if any(work.needs_big for work in mine):
            seed_big(server, scale.messages)
        if any(work.needs_words for work in mine):
            seed_words(server, scale.letters)
        if any(work.measure in (idle, in_idle) for work in mine):
            seed_held(server)


def main() -> None:
    """Start both, fill both, measure, print."""
    options = arguments()
    scale = Scale(10_000, 300, 1_000, 1_000, 2, 2_000) if options.fast else Scale()
    given = {key: getattr(options, key) for key in ("messages", "sessions", "runs") if getattr(options, key)}
    scale = replace(scale, **given)
    chosen = [work for work in WORKS if not options.only or work.key in options.only]
    raise_open_files()
    servers: list[Server] = []
    try:
        if options.server != "mailhost":
            servers.append(Dovecot(ACCOUNTS))
            if any(work.rival == DOVECOT_INDEXED for work in chosen):
                servers.append(Dovecot(ACCOUNTS, indexes=True))
        if options.server != "dovecot":
            servers.append(Mailhost(ACCOUNTS))
        seed(servers, chosen, scale)
        print(f"{scale.messages:,} messages, {scale.sessions:,} sessions, medians of {scale.runs}")
        print(f"{'':<44} {'Dovecot':>12} {'Mailhost':>12} {'ratio':>10}  asked")
        for work in chosen:
            rivals = [server for server in servers if server.name in (work.rival, OURS)]
            medians = measure(work, rivals, scale)
            values = {server.name: value for server, value in zip(rivals, medians, strict=True)}
            print(f"{work.words:<44} {verdict(work, values)}", flush=True)
    finally:
        for server in servers:
            server.close()


if __name__ == "__main__":
    main()
