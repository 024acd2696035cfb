"""Sessions that are signed in: how many, who makes room, and when it is over, in one process and in several."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from msgspec import structs

from mailhost import accounts, domains
from mailhost.accounts.audit.model import Cause
from mailhost.accounts.sessions.sql import beat, list_sessions, octets_today, sign_out
from mailhost.limits import Rules
from mailhost.login import DoorKeeper, Reason, Refused
from mailhost.login.live import Ending, Live
from mailhost.protocols.sasl import Credentials
from mailhost.storage.database import Database, Tx
from tests.login.conftest import PHONE, START, House, visit

ANNA = "anna@example.test"
DAY = 86_400
numbers = itertools.count()


async def sign_in(keeper: DoorKeeper, **changes: object) -> Live:
    woken: list[None] = []
    one = visit(**({"connection_id": f"c{next(numbers):06}"} | changes))
    live = await keeper.sign_in(Credentials("PLAIN", ANNA, PHONE), one, lambda: woken.append(None))
    live.must_look = False
    return live


def keeper_with(house: House, database: Database | None = None, **rules: int) -> DoorKeeper:
    house.limits = replace(house.limits, rules=structs.replace(house.limits.rules, **rules))
    keeper = DoorKeeper(database or house.database, house.key, house.limits, lambda: house.now)
    house.keepers.append(keeper)
    return keeper


async def why_over(keeper: DoorKeeper, live: Live) -> Ending | None:
    ended = await keeper.live.why_over(live)
    return ended.ending if ended is not None else None


async def test_the_oldest_idle_session_makes_room(house: House) -> None:
    keeper = keeper_with(house, imap_connections=3)
    lives = [await sign_in(keeper, client_id=f"device {number}") for number in range(3)]
    for number, live in enumerate(lives):
        live.is_waiting = number != 0
        live.heard_at = {0: 1.0, 1: 3.0, 2: 2.0}[number]
    await sign_in(keeper)
    assert [await why_over(keeper, live) for live in lives] == [None, None, Ending.GAVE_WAY]
    told = {sign_in.cause: occurrence.facts for sign_in, occurrence in await house.diary(keeper, house.anna)}
    assert told[Cause.CONNECTION_GAVE_WAY] == {"device": "device 2 192.0.2.7", "limit": 3}


async def test_when_none_is_idle_the_new_one_is_refused_and_the_devices_are_named(house: House) -> None:
    keeper = keeper_with(house, imap_connections=2)
    for number in range(2):
        await sign_in(keeper, client_id=f"device {number}")
    with pytest.raises(Refused) as refused:
        await sign_in(keeper)
    assert (refused.value.reason, refused.value.limit) == (Reason.TOO_MANY_CONNECTIONS, "2")
    [(entry, occurrence), *others] = await house.diary(keeper, house.anna)
    assert {one.cause for one, _ in others} | {entry.cause} == {Cause.SIGNED_IN, Cause.TOO_MANY_CONNECTIONS}
    facts = next(row.facts for one, row in [(entry, occurrence), *others] if one.cause is Cause.TOO_MANY_CONNECTIONS)
    assert facts == {"limit": 2, "devices": "device 0 192.0.2.7; device 1 192.0.2.7"}
    await sign_in(keeper, protocol="smtp")  # only IMAP has a cap


async def test_sessions_of_other_processes_count(house: House, second: Database) -> None:
    here, there = keeper_with(house, imap_connections=2), keeper_with(house, second, imap_connections=2)
    runs = [asyncio.create_task(keeper.run()) for keeper in (here, there)]
    old = [await sign_in(there) for _ in range(2)]
    async with asyncio.timeout(10):
        while len(await house.database.read(list_sessions, house.anna)) < 2 or here.live._others != 1:
            here.live._others = await house.database.write_relaxed(_beat, here.live.process, int(house.now))
            await asyncio.sleep(0.01)
    await sign_in(here)
    async with asyncio.timeout(10):
        while not old[0].must_look:  # noqa: ASYNC110 - it is woken through the store
            await asyncio.sleep(0.01)
    assert await why_over(there, old[0]) is Ending.SIGNED_OUT
    assert await why_over(there, old[1]) is None
    for keeper in (here, there):
        await keeper.close()
    await asyncio.gather(*runs)


def _beat(tx: Tx, process: str, now: int) -> int:
    return beat(tx, process, now=now, dead_before=now - 120)


async def test_a_process_that_is_gone_counts_no_more(house: House) -> None:
    keeper = keeper_with(house)
    await sign_in(keeper)
    await house.diary(keeper, house.anna)
    assert await house.database.write(_beat, keeper.live.process, 1000) == 0
    assert await house.database.write(_beat, "other", 1100) == 1
    assert len(await house.database.read(list_sessions, house.anna)) == 1
    assert await house.database.write(_beat, "other", 1121) == 0
    assert await house.database.read(list_sessions, house.anna) == []


async def test_revoking_and_signing_out_end_sessions(house: House) -> None:
    keeper = keeper_with(house)
    phone, tablet = await sign_in(keeper), await sign_in(keeper, client_id="tablet")
    await house.diary(keeper, house.anna)
    shown = await house.database.read(list_sessions, house.anna)
    assert sorted((one.client_id, one.credential_id) for one in shown) == [("mutt", 1), ("tablet", 1)]
    [of_tablet] = [one for one in shown if one.client_id == "tablet"]
    await house.database.write(sign_out, house.anna, of_tablet.id)
    async with asyncio.timeout(10):
        while not tablet.must_look:  # noqa: ASYNC110 - it is woken through the store
            await asyncio.sleep(0.01)
    assert [await why_over(keeper, live) for live in (phone, tablet)] == [None, Ending.SIGNED_OUT]
    await house.database.write(accounts.revoke_app_password, house.anna, 1, int(START))
    async with asyncio.timeout(10):
        while not phone.must_look:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)
    assert await why_over(keeper, phone) is Ending.REVOKED
    for live in (phone, tablet):
        keeper.live.leave(live)
    await house.diary(keeper, house.anna)
    assert await house.database.read(list_sessions, house.anna) == []


async def test_octets_of_a_day_are_counted_and_the_day_ends(house: House) -> None:
    keeper = keeper_with(house, imap_download=1_000, imap_upload=500)
    live = await sign_in(keeper)
    live.sent, live.received = 900, 10
    keeper.live.collect()
    await house.diary(keeper, house.anna)
    assert await house.database.read(octets_today, house.anna, int(START)) == {"imap-download": 900, "imap-upload": 10}
    live.must_look = True
    assert await why_over(keeper, live) is None
    live.sent = 101
    keeper.live.leave(live)
    await house.diary(keeper, house.anna)
    live.must_look = True
    ended = await keeper.live.why_over(live)
    midnight = (int(START) // DAY + 1) * DAY
    assert ended is not None
    assert (ended.ending, ended.limit, ended.until) == (Ending.OVER_LIMIT, "1 kB a day", midnight)
    with pytest.raises(Refused) as refused:
        await sign_in(keeper)
    assert (refused.value.reason, refused.value.limit, refused.value.until) == (
        Reason.OVER_LIMIT,
        "1 kB a day",
        midnight,
    )
    assert Cause.OVER_DOWNLOAD in await house.causes(keeper, house.anna)
    await sign_in(keeper, protocol="pop3")  # another protocol, another limit
    house.now = midnight
    again = await sign_in(keeper)
    again.sent = 5
    keeper.live.collect()
    await house.diary(keeper, house.anna)
    assert await house.database.read(octets_today, house.anna, midnight) == {"imap-download": 5}


async def test_rules_of_account_go_before_those_of_the_domain_and_the_settings(house: House) -> None:
    keeper = keeper_with(house, imap_connections=9)

    def of_domain(tx: Tx) -> None:
        ours = domains.find_domain(tx, "example.test")
        assert ours is not None
        domains.set_rules(tx, ours.id, Rules(imap=False, pop3=False, imap_connections=4))
        assert domains.rules_of_domain(tx, ours.id) == Rules(imap=False, pop3=False, imap_connections=4)

    await house.database.write(of_domain)
    await house.database.write(accounts.set_rules, house.anna, Rules(imap=True, smtp=False))
    assert await house.database.read(accounts.rules_of_account, house.anna) == Rules(imap=True, smtp=False)
    assert (await sign_in(keeper)).identity.rules.imap_connections == 4
    reasons = []
    for protocol in ("pop3", "smtp"):
        with pytest.raises(Refused) as refused:
            await sign_in(keeper, protocol=protocol)
        reasons.append(refused.value.reason)
    assert reasons == [Reason.PROTOCOL_OFF, Reason.PROTOCOL_NOT_ALLOWED]
    causes = await house.causes(keeper, house.anna)
    assert {Cause.PROTOCOL_OFF, Cause.PROTOCOL_OFF_FOR_DOMAIN} <= set(causes)
