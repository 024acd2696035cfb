"""What our own store says of a server, whose doors may all be in order: mail set aside, the index, the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mailhost.doctor.catalogue import found
from mailhost.findings import Finding
from mailhost.mailstore.indexer import index_backlog
from mailhost.queue.model import NEVER, Waiting
from mailhost.queue.sql import list_waiting
from mailhost.storage.database import Database
from mailhost.storage.errors import StorageError

_ROWS: Final = 1_000
_TOLD: Final = 10
"""So many messages are named one by one."""

ROOM: Final = 500_000_000
"""Octets that are to be free: room for a dozen of the largest messages, and for a letter that warns in time."""


async def look_inside(database: Database, data: Path, room: int = ROOM) -> tuple[Finding, ...]:
    """What the operator has to know. Nothing is changed, and the server may run or not."""
    aside = set_aside(await database.read(list_waiting, _ROWS))
    return (*disk_findings(data, room), *aside, *await index_findings(database, data))


def disk_findings(data: Path, room: int) -> list[Finding]:
    """Whether less than `room` octets are free where mail is kept. Of its own disk PostgreSQL tells nothing."""
    disk = shutil.disk_usage(data)
    if disk.free >= room:
        return []
    return [found("I4", "", f"{disk.free // 1_000_000} MB of {disk.total // 1_000_000} MB are free in {data}")]


def set_aside(rows: Iterable[Waiting]) -> list[Finding]:
    """One finding for each of the first messages that wait for the operator, the oldest first."""
    messages = {row.lease.transaction_id: row for row in rows if row.next_at == NEVER}
    findings = []
    for name, row in list(messages.items())[:_TOLD]:
        since = datetime.fromtimestamp(row.queued_at, UTC).strftime("%Y-%m-%d %H:%MZ")
        findings.append(found("I1", f"message {name}", f"{row.last_reply} (message {name}, since {since})"))
    if len(messages) > _TOLD:
        findings.append(found("I1", "", f"and {len(messages) - _TOLD} more"))
    return findings


async def index_findings(database: Database, data: Path) -> list[Finding]:
    """Whether searches have to look at many messages themselves, and why."""
    try:
        backlog = await index_backlog(database, data)
    except StorageError as error:
        return [found("I3", "", str(error))]
    if not backlog:
        return []
    return [found("I2", "", f"at most {sum(backlog.values())} messages are missing, in accounts: {len(backlog)}")]
