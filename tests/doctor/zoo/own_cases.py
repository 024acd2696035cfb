"""Our own server, with every door in order and something wrong inside: leaves I."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from mailhost import mailstore
from mailhost.doctor.inside import ROOM, look_inside
from mailhost.doctor.own import OwnServer, diagnose_server
from mailhost.doctor.report import Report
from mailhost.mailstore.indexer import CATCH_UP, INDEX_FILE
from mailhost.queue import sql as queue
from mailhost.queue.model import NEVER, Outgoing
from mailhost.storage.database import Database, Tx, open_database
from tests.doctor.zoo.cases import case
from tests.doctor.zoo.world import DOMAIN, MAIL_HOST, Opened, Zoo

PORTS = {"imaps": 993, "submissions": 465}
QUEUED_AT = 1_800_000_000


async def ask(zoo: Zoo, happens: Callable[[Database, Path], Awaitable[None]], room: int = ROOM) -> Report:
    """`doctor server` of a healthy server with an account, after something happened to its store."""
    data = zoo.folder / "data"
    data.mkdir()
    database = await open_database(f"sqlite:///{data / 'mailhost.db'}")
    try:
        await database.write(mailstore.open_store, 1, QUEUED_AT, 100_000)
        await happens(database, data)
        known = await look_inside(database, data, room)
    finally:
        await database.close()
    async with Opened(zoo.healthy()) as world:
        return await diagnose_server(OwnServer(f"mail.{DOMAIN}", (MAIL_HOST,), PORTS, (), False, False, known), world)


def set_aside(tx: Tx, *names: str) -> None:
    """Messages that failed five times, one recipient each."""
    for name in names:
        message = Outgoing(1, name, "me@example.test", b"\0" * 32, b"", 9, False, False, QUEUED_AT)
        queue.enqueue(tx, message, {f"{name}@far.test": 0})
        [lease] = queue.lease_due(tx, "w-1", 0, 10)
        queue.postpone(tx, lease, NEVER, "KeyError: 'x'", stumbled=True)


def arrive(tx: Tx, count: int) -> None:
    """So many messages, as far as their numbers tell."""
    tx.execute("update mail_account set next_message_id = next_message_id + :count", count=count)


@case("I1")
async def mail_is_set_aside(zoo: Zoo) -> Report:
    async def happens(database: Database, _data: Path) -> None:
        await database.write(set_aside, "one", "two")

    return await ask(zoo, happens)


@case("I2")
async def index_is_far_behind(zoo: Zoo) -> Report:
    async def happens(database: Database, _data: Path) -> None:
        await database.write(arrive, CATCH_UP + 1)

    return await ask(zoo, happens)


@case("I3")
async def index_is_no_database(zoo: Zoo) -> Report:
    async def happens(_database: Database, data: Path) -> None:
        (data / INDEX_FILE).write_text("no database at all, but some text" * 400)

    return await ask(zoo, happens)


@case("I4")
async def disk_is_nearly_full(zoo: Zoo) -> Report:
    async def nothing(_database: Database, _data: Path) -> None:
        pass

    return await ask(zoo, nothing, room=1 << 62)
