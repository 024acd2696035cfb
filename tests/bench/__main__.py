"""`make bench`: Mailhost beside Dovecot, line by line, on this machine, in this run.

Both run at the same time with the same mail; each line is measured on one and then on the other, several times, by the
same client, and the medians are compared. TLS is 1.3 with an ECDSA P-256 certificate and no session resumption. Memory
is (PSS with N sessions - PSS with none) / N over all processes of a server.
"""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import replace

from tests.bench import works
from tests.bench.dovecot import Dovecot
from tests.bench.memory import idle, large_message
from tests.bench.ours import Mailhost
from tests.bench.processes import raise_open_files, wait_until_quiet
from tests.bench.seed import seed_big, seed_held
from tests.bench.works import ENVELOPES, HEADERS, Scale, Server, Work, fetch, sign_in

ACCOUNTS = 10
WORKS = (
    Work(
        "fetch-cold", "FETCH 1:* ENVELOPE BODYSTRUCTURE …, first time", "s", 10, fetch(ENVELOPES), True, is_single=True
    ),
    Work("fetch-envelope", "FETCH 1:* ENVELOPE BODYSTRUCTURE …, warm", "s", 2, fetch(ENVELOPES), True),
    Work("fetch-headers", "FETCH 1:* of header fields", "s", 1, fetch(HEADERS), True),
    Work("fetch-flags", "FETCH 1:* (UID FLAGS)", "s", 0.8, fetch(b"FETCH 1:* (UID FLAGS)"), True),
    Work("select", "SELECT in a new session", "s", 1, works.select, True),
    Work("login-tls", "LOGIN + LOGOUT over TLS, 8 at once", "/s", 3, sign_in(tls=True)),
    Work("login-plain", "LOGIN + LOGOUT, 8 at once", "/s", 8, sign_in(tls=False)),
    Work("login-tls-reused", "the same over TLS, its processes reused", "/s", 1, sign_in(tls=True), reuse=True),
    Work("login-plain-reused", "the same without TLS, its processes reused", "/s", 1, sign_in(tls=False), reuse=True),
    Work("notice", "delivery to * EXISTS in an idle session", "s", 0, works.notice),
    Work("lmtp", "LMTP deliveries of 10 KB, 8 at once", "/s", 2, works.deliver),
    Work("append", "APPEND of 10 KB, 8 at once", "/s", 1, works.append),
    Work("copy", "COPY of 1,000", "s", 2, works.copy, True),
    Work("move", "MOVE of 1,000", "s", 2, works.move, True),
    Work("store", "STORE +FLAGS.SILENT on all", "s", 0.2, works.store, True),
    Work("random-bodies", "random FETCH BODY[]", "/s", 0.5, works.random_bodies, True),
    Work("large-message", "50 MB in and out, peak memory", "MiB", 0, large_message, is_single=True),
    Work("idle-memory", "idle TLS session, memory of the server", "KiB", 0, idle, is_single=True),
)
# Lines that are held to a figure instead of a ratio: at most this much.
LIMITS = {"notice": 0.010, "large-message": 20.0, "idle-memory": 40.0}


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
    theirs, ours = values.get(Dovecot.name), values.get(Mailhost.name)
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


def main() -> None:
    """Start both, fill both, measure, print."""
    options = arguments()
    scale = Scale(10_000, 300, 1_000, 1_000, 2) if options.fast else Scale()
    given = {key: getattr(options, key) for key in ("messages", "sessions", "runs") if getattr(options, key)}
    scale = replace(scale, **given)
    chosen = [work for work in WORKS if not options.only or work.key in options.only]
    raise_open_files()
    servers: list[Server] = []
    try:
        if options.server != "mailhost":
            servers.append(Dovecot(ACCOUNTS))
        if options.server != "dovecot":
            servers.append(Mailhost(ACCOUNTS))
        for server in servers:
            if any(work.needs_big for work in chosen):
                seed_big(server, scale.messages)
            if any(work.measure is idle for work in chosen):
                seed_held(server)
        print(f"{scale.messages:,} messages, {scale.sessions:,} sessions, medians of {scale.runs}")
        print(f"{'':<44} {'Dovecot':>12} {'Mailhost':>12} {'ratio':>10}  asked")
        for work in chosen:
            medians = measure(work, servers, scale)
            values = {server.name: value for server, value in zip(servers, medians, strict=True)}
            print(f"{work.words:<44} {verdict(work, values)}", flush=True)
    finally:
        for server in servers:
            server.close()


if __name__ == "__main__":
    main()
