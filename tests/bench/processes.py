"""What the benchmark asks of the operating system: ports, process trees, memory, open files."""

import os
import resource
import socket
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """Who signs in."""

    user: str
    password: str


def raise_open_files() -> int:
    """Lift the soft limit on open files to the hard one, for us and for the servers we start; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_ports(*names: str) -> dict[str, int]:
    """Ports nobody listens on, all different."""
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
    ports = {name: listener.getsockname()[1] for name, listener in sockets.items()}
    for listener in sockets.values():
        listener.close()
    return ports


def wait_for_port(port: int, seconds: float = 20) -> None:
    """Return once something accepts on the port."""
    ends = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return


def tree(root: int) -> list[int]:
    """The process `root` and all its descendants."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = Path("/proc", name, "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
            except OSError:
                continue
            children.setdefault(int(words.split()[1]), []).append(int(name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def proportional_memory(pids: list[int]) -> int:
    """PSS of all these processes together, in octets: shared pages are counted once."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total * 1024


def status_value(pid: int, key: str) -> int:
    """A size from /proc/PID/status in octets: VmRSS, VmHWM."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def reset_peak(pid: int) -> None:
    """Make VmHWM start again from what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def processor_seconds(pids: list[int]) -> float:
    """What these processes, and children of theirs that have ended, have computed so far."""
    ticks = 0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(word) for word in words[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


_QUIET_SECONDS = 3  # in a row, for the index takes breaths of one


def wait_until_quiet(pids: list[int], seconds: float = 1_200) -> None:
    """Let a server end what it does behind its clients' backs, such as indexing, before the next line is measured."""
    ends = time.monotonic() + seconds
    before = processor_seconds(pids)
    quiet = 0
    while quiet < _QUIET_SECONDS and time.monotonic() < ends:
        time.sleep(1)
        now = processor_seconds(pids)
        quiet = quiet + 1 if now - before < 0.03 else 0
        before = now
