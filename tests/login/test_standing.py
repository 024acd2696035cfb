"""Where an account stands: its sessions, and what is left of its limits."""

import pytest

from mailhost import accounts
from mailhost.accounts import NoSuchAccount
from mailhost.accounts.sessions.sql import NoSuchSession, list_sessions, sign_out, sign_out_all
from mailhost.limits import Rules
from mailhost.login.model import SETTINGS
from mailhost.login.standing import Spent, standing_of
from mailhost.protocols.sasl import Credentials
from tests.login.conftest import OTTOS, PHONE, START, House, visit

MIDNIGHT = (int(START) // 86_400 + 1) * 86_400


async def test_octets_against_limits_and_when_they_end(house: House) -> None:
    keeper = house.keeper()
    await house.database.write(accounts.set_rules, house.anna, Rules(imap_download=1_000, imap_connections=3))
    credentials = Credentials("PLAIN", "anna@example.test", PHONE)
    live = await keeper.sign_in(credentials, visit(client_id="mutt\r\n2"), lambda: None)
    await keeper.sign_in(credentials, visit(connection_id="c2", protocol="smtp"), lambda: None)
    live.sent, live.received = 1_001, 7
    keeper.live.collect()
    await house.diary(keeper, house.anna)
    standing = await house.database.read(standing_of, house.anna, SETTINGS, int(START))
    assert standing.spent == [
        Spent("imap-download", 1_001, 1_000, MIDNIGHT, True),
        Spent("imap-upload", 7, 500_000_000, MIDNIGHT, False),
        Spent("pop3-download", 0, 1_250_000_000, MIDNIGHT, False),
    ]
    assert standing.rules.imap_connections == 3
    assert (len(standing.sessions), standing.imap_sessions) == (2, 1)
    assert [one.client_id for one in standing.sessions] == ["mutt??2", "mutt"]
    tomorrow = await house.database.read(standing_of, house.anna, SETTINGS, MIDNIGHT)
    assert [one.octets for one in tomorrow.spent] == [0, 0, 0]
    assert not any(one.is_closed for one in tomorrow.spent)
    with pytest.raises(NoSuchAccount):
        await house.database.read(standing_of, 999, SETTINGS, int(START))


async def test_when_a_session_was_last_heard_of(house: House) -> None:
    keeper = house.keeper()
    live = await keeper.sign_in(Credentials("PLAIN", "anna@example.test", PHONE), visit(), lambda: None)
    await house.diary(keeper, house.anna)
    [shown] = await house.database.read(list_sessions, house.anna)
    assert (shown.opened_at, shown.heard_at) == (int(START), int(START))
    house.now += 600
    live.heard_at += 58  # as if the client had spoken so many seconds later; the list is not that exact
    keeper.live.collect()
    await house.diary(keeper, house.anna)
    assert await house.database.read(list_sessions, house.anna) == [shown]
    live.heard_at += 3
    keeper.live.collect()
    await house.diary(keeper, house.anna)
    [later] = await house.database.read(list_sessions, house.anna)
    assert later.heard_at - shown.heard_at in range(655, 662)


async def test_everybody_signs_out_only_their_own(house: House) -> None:
    keeper = house.keeper()
    for number in range(3):
        await keeper.sign_in(
            Credentials("PLAIN", "anna@example.test", PHONE), visit(connection_id=f"a{number}"), lambda: None
        )
    ottos = await keeper.sign_in(
        Credentials("PLAIN", "otto@example.test", OTTOS), visit(connection_id="o1"), lambda: None
    )
    await house.diary(keeper, house.anna)
    with pytest.raises(NoSuchSession):
        await house.database.write(sign_out, house.anna, "o1")
    await house.database.write(sign_out, house.anna, "a0")
    assert [one.id for one in await house.database.read(list_sessions, house.anna)] == ["a1", "a2"]
    assert await house.database.write(sign_out_all, house.anna) == 2
    assert await house.database.read(list_sessions, house.anna) == []
    ottos.must_look = True
    assert await keeper.live.why_over(ottos) is None
