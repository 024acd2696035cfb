"""What a running server bound, in a file of its data folder: for commands that ask the server questions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from mailhost.network.certificates import write_private

_FILE: Final = "running.json"


class Running(Struct, frozen=True):
    """The first process, and service → port as they were opened."""

    pid: int
    ports: dict[str, int]


@contextmanager
def told(data: Path, ports: Mapping[str, int]) -> Iterator[None]:
    """The file stands while the block runs."""
    write_private(data / _FILE, msgspec.json.encode(Running(os.getpid(), dict(ports))))
    try:
        yield
    finally:
        (data / _FILE).unlink(missing_ok=True)


def ports_of(data: Path) -> dict[str, int] | None:
    """The ports of the server that runs on the folder; None when none does, or none that says so."""
    try:
        running = msgspec.json.decode((data / _FILE).read_bytes(), type=Running)
        os.kill(running.pid, 0)
    except (OSError, msgspec.DecodeError):
        return None
    return running.ports
