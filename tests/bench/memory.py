"""The lines about memory: what an idle session costs, and what a large message costs while it passes."""

import resource
import time
from multiprocessing.connection import Connection

from tests.bench import corpus
from tests.bench.client import FORK, Imap, Lmtp
from tests.bench.processes import proportional_memory, reset_peak, status_value
from tests.bench.works import TLS, Scale, Server

HELD_MAILBOX = "Thousand"
LARGE = 50_000_000


def hold(server: Server, first: int, count: int, pipe: Connection, idles: bool) -> None:
    """Open `count` TLS sessions with a mailbox of 1,000 selected, in IDLE or not, and keep them until told to go."""
    sessions = []
    try:
        for number in range(first, first + count):
            sessions.append(held_session(server, number, idles=idles))
    except OSError:
        pipe.close()  # which the other side reads as an end
        return
    pipe.send(len(sessions))
    pipe.recv()


def held_session(server: Server, number: int, *, idles: bool) -> Imap:
    """One more TLS session, of the accounts in turn."""
    who = server.accounts[number % len(server.accounts)]
    session = Imap(server.ports["imaps"], TLS)
    session.login(who.user, who.password)
    session.run(f"SELECT {HELD_MAILBOX}".encode())
    if idles:
        session.run(b"FETCH 1:* (UID FLAGS)")  # as a client does before it waits for news
        session.socket.sendall(b"i IDLE\r\n")
        session.line()
    return session


def settled(server: Server) -> int:
    """The memory of a server once it has stopped moving."""
    before = proportional_memory(server.pids())
    for _ in range(20):
        time.sleep(0.5)
        now = proportional_memory(server.pids())
        if abs(now - before) < 256 * 1024:
            return now
        before = now
    return before


def idle(server: Server, scale: Scale) -> float:
    """KiB of server memory (PSS, all its processes) for each idle TLS session after SELECT of 1,000 messages."""
    return memory_each(server, scale.sessions, idles=False)


def in_idle(server: Server, scale: Scale) -> float:
    """The same for twice as many sessions that have listed the mailbox and wait in IDLE."""
    return memory_each(server, 2 * scale.sessions, idles=True)


def memory_each(server: Server, sessions: int, *, idles: bool) -> float:
    """KiB for each of so many sessions."""
    server.start(reuse=True)  # kinder to Dovecot: by default a login process stays beside each TLS session
    hold_and_release(server, 40, idles=idles)  # what the first sessions of a process load once is not their cost
    empty = settled(server)
    full = hold_and_release(server, sessions, idles=idles)
    server.start()
    return (full - empty) / sessions / 1024


def hold_and_release(server: Server, count: int, *, idles: bool) -> int:
    """The memory of the server while `count` sessions are held by client processes."""
    clients = []
    share = min(count, 1_000)
    for first in range(0, count, share):
        ours, theirs = FORK.Pipe()
        process = FORK.Process(target=hold, args=(server, first, min(share, count - first), theirs, idles), daemon=True)
        process.start()
        theirs.close()
        clients.append((process, ours))
    try:
        for _, pipe in clients:
            pipe.recv()
    except EOFError:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise SystemExit(
            f"{server.name} did not keep {count:,} sessions. Dovecot's master holds four open files for each, and"
            f" `ulimit -n` allows {files:,}: raise it, hold fewer with --sessions, or use --server mailhost."
        ) from None
    held = settled(server)
    for process, pipe in clients:
        pipe.send("go")
        process.join()
    time.sleep(1)
    return held


def large_message(server: Server, _scale: Scale) -> float:
    """MiB that the peak of the server's memory rises while 50 MB come in by LMTP and go out by FETCH."""
    who = server.accounts[8]
    message = corpus.large(LARGE)
    watched = server.pids()
    before = {pid: status_value(pid, "VmRSS") for pid in watched}
    for pid in watched:
        reset_peak(pid)
    door = Lmtp(server.ports["lmtp"])
    door.deliver(who.user, message)
    session = Imap(server.ports["imaps"], TLS)
    session.login(who.user, who.password)
    session.run(b"SELECT INBOX")
    if session.run(b"FETCH * BODY.PEEK[]") < len(message):
        raise ConnectionError("the message came back shorter")
    rise = sum(status_value(pid, "VmHWM") - before[pid] for pid in watched)
    door.close()
    session.close()
    return rise / (1 << 20)
