"""What a running server is, in a file of its data folder: for commands that ask it questions, and for its successor."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from mailhost import observe
from mailhost.network.certificates import write_private

log = observe.logger()

_FILE: Final = "running.json"


class Running(Struct, frozen=True):
    """The first process, service → port as they were opened, and the names that rows know its processes by."""

    pid: int
    ports: dict[str, int]
    processes: tuple[str, ...] = ()


@contextmanager
def told(data: Path, ports: Mapping[str, int], processes: Sequence[str]) -> Iterator[None]:
    """The file stands while the block runs; where the disk has no room for it, mail can be read all the same."""
    try:
        (data / _FILE).unlink(missing_ok=True)
        write_private(data / _FILE, msgspec.json.encode(Running(os.getpid(), dict(ports), tuple(processes))))
    except OSError as error:
        log.warning("server.untold", reason=str(error))
    try:
        yield
    finally:
        (data / _FILE).unlink(missing_ok=True)


def ports_of(data: Path) -> dict[str, int] | None:
    """The ports of the server that runs on the folder; None when none does, or none that says so."""
    running = _read(data)
    if running is None:
        return None
    try:
        os.kill(running.pid, 0)
    except OSError:
        return None
    return running.ports


def left_behind(data: Path) -> tuple[str, ...]:
    """The processes of a server that ended without a word; asked by whoever holds the folder, as none runs then."""
    running = _read(data)
    return () if running is None else running.processes


def _read(data: Path) -> Running | None:
    try:
        return msgspec.json.decode((data / _FILE).read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None
