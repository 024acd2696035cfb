"""The rows of the outbound queue, on both engines."""

import asyncio
from dataclasses import replace

from mailhost.queue import sql as queue
from mailhost.queue.model import LEASE_SECONDS, NEVER, Outgoing
from mailhost.storage.database import Database

MESSAGE = Outgoing(1, "a", "ann@example.test", b"digest", b"", 10, is_utf8=False, is_8bit=False, queued_at=0)


async def test_a_row_whose_attempt_came_to_no_end_is_leased_alone(database: Database) -> None:
    await database.write(queue.enqueue, MESSAGE, {"bea@far.test": 0, "eve@far.test": 0})
    assert [lease.stumbles for lease in await database.write(queue.lease_due, "w-1", 0, 10)] == [1, 1]
    now = LEASE_SECONDS
    await database.write(queue.enqueue, replace(MESSAGE, transaction_id="b"), {"joe@far.test": now})
    taken = [await database.write(queue.lease_due, "w-1", now, 10) for _ in range(4)]
    assert [len(leases) for leases in taken] == [1, 1, 1, 0]
    assert [leases[0].stumbles for leases in taken[:3]] == [1, 2, 2]
    first = taken[1][0]

    await database.write(queue.postpone, taken[2][0], now, "451 later")
    [again] = await database.write(queue.lease_due, "w-1", now, 10)
    assert (again.recipient, again.stumbles) == (taken[2][0].recipient, 1)
    await database.write(queue.leave, first, now)
    [again] = await database.write(queue.lease_due, "w-1", now, 10)
    assert (again.recipient, again.stumbles) == (first.recipient, 2)


async def test_what_a_dead_process_held_is_due_at_once_and_no_more_than_that(database: Database) -> None:
    people = {f"{name}@far.test": 0 for name in ("ann", "bea", "eve", "joe")}
    await database.write(queue.enqueue, MESSAGE, people)
    ann, bea = await database.write(queue.lease_due, "w-1", 0, 2)
    await database.write(queue.lease_due, "w-2", 0, 2)  # eve and joe
    await database.write(queue.postpone, ann, 60, "451 later")
    await database.write(queue.bury, "w-1", 1)
    [again] = await database.write(queue.lease_due, "w-3", 1, 10)
    assert (again.recipient, again.stumbles) == (bea.recipient, 2)

    await database.write(queue.postpone, bea, 5, "too late")  # whoever comes back has lost it
    await database.write(queue.bury, "w-3", 2)  # a second process died over it: it may be what they die of
    assert await database.write(queue.lease_due, "w-1", LEASE_SECONDS - 1, 10) == [replace(ann, attempts=2)]
    assert len(await database.write(queue.lease_due, "w-1", LEASE_SECONDS + 1, 1)) == 1


async def test_what_is_set_aside_is_listed_first_and_tried_again_on_demand(database: Database) -> None:
    await database.write(queue.enqueue, MESSAGE, {"bea@far.test": 0})
    await database.write(queue.enqueue, replace(MESSAGE, transaction_id="b"), {"eve@far.test": 5})
    [lease] = await database.write(queue.lease_due, "w-1", 0, 10)
    await database.write(queue.postpone, lease, NEVER, "why", stumbled=True)
    rows = await database.read(queue.list_waiting, 10)
    assert [(row.lease.transaction_id, row.next_at, row.last_reply) for row in rows] == [
        ("a", NEVER, "why"),
        ("b", 5, ""),
    ]
    assert await database.read(queue.list_aside, "a") == rows[:1]
    assert await database.read(queue.list_aside, "b") == []
    assert await database.read(queue.next_due) == 5
    assert await database.write(queue.try_again, 1, "b") == 0
    assert await database.write(queue.try_again, 1, "a") == 1
    [lease] = await database.write(queue.lease_due, "w-1", 1, 10)
    assert (lease.recipient, lease.attempts, lease.stumbles) == ("bea@far.test", 2, 1)


async def test_whoever_ends_the_last_row_releases_the_message(database: Database) -> None:
    people = {f"{number}@far.test": 0 for number in range(8)}
    for number in range(5):
        await database.write(queue.enqueue, replace(MESSAGE, transaction_id=str(number)), people)
        leases = await database.write(queue.lease_due, "w-1", 0, 10)
        ends = await asyncio.gather(*(database.write(queue.finish, lease) for lease in leases))
        assert sorted(ends, key=bool) == [None] * 7 + [b"digest"]
