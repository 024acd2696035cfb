"""Those who guess at passwords, on every road there is: what they learn, what it costs, and that nobody else waits."""

from dataclasses import replace

from mailhost.accounts.audit.model import Cause
from mailhost.accounts.places.sql import record_places
from mailhost.limits import Unusual
from mailhost.login import Identity, Reason, Refused
from mailhost.login.diary import sign_in_of
from mailhost.login.judge import Verdict
from tests.login.conftest import ACCOUNT_PASSWORD, OTTOS, PHONE, START, House, answer, visit

ANNA, OTTO = "anna@example.test", "otto@example.test"
STRANGER = "203.0.113.9"


async def reason(house: House, user: str, secret: str, peer: str) -> Reason | None:
    said = await answer(house.keepers[0], user, secret, peer=peer)
    return said.reason if isinstance(said, Refused) else None


async def test_stuffing_stolen_passwords_into_many_accounts_from_one_network(house: House) -> None:
    """Each account is tried once, so that only the network as a whole can be noticed."""
    house.limits = replace(house.limits, wrong_per_network=20)
    keeper = house.keeper()
    names = [ANNA, OTTO, *(f"user{number}@example.test" for number in range(40))]
    said = [await reason(house, name, f"stolen {name}", f"203.0.113.{number}") for number, name in enumerate(names)]
    assert said == [Reason.WRONG_CREDENTIALS] * 21 + [Reason.THROTTLED] * 21
    assert keeper._checks.made == 21, "whoever waits costs no slow check"
    assert await reason(house, OTTO, ACCOUNT_PASSWORD, STRANGER) is Reason.THROTTLED, "no hit is told while it waits"
    assert await reason(house, OTTO, OTTOS, STRANGER) is None, "nobody with a right app password is held up"
    assert await reason(house, ANNA, "elsewhere", "192.0.2.7") is Reason.WRONG_CREDENTIALS
    causes = await house.causes(keeper, house.otto)
    assert {Cause.WRONG_PASSWORD, Cause.THROTTLED_NETWORK, Cause.SIGNED_IN} <= set(causes)


async def test_guessing_at_one_account_from_many_networks(house: House) -> None:
    """Each network tries once, so that only the account can notice."""
    keeper = house.keeper()
    await house.database.write(record_places, [(house.anna, 1, "192.0.2.0/24", "mutt", int(START) - 60)])
    said = [await reason(house, ANNA, f"guess {number}", f"198.18.{number}.9") for number in range(60)]
    free = 10 * house.limits.wrong_per_account + 1
    assert said == [Reason.WRONG_CREDENTIALS] * free + [Reason.THROTTLED] * (60 - free)
    assert keeper._checks.made == free
    assert await reason(house, ANNA, ACCOUNT_PASSWORD, STRANGER) is Reason.THROTTLED, "no hit is told while it waits"
    assert await reason(house, ANNA, ACCOUNT_PASSWORD, "192.0.2.7") is Reason.APP_PASSWORD_REQUIRED
    assert await reason(house, ANNA, PHONE, "192.0.2.7") is None
    [throttled, *_] = [row for row in await house.diary(keeper, house.anna) if row[0].cause is Cause.THROTTLED_ACCOUNT]
    assert throttled[1].facts["until_at"] == START + 5


async def test_a_botnet_is_told_to_the_owner_and_her_devices_go_on(house: House) -> None:
    keeper = house.keeper()
    await house.database.write(record_places, [(house.anna, 1, "192.0.2.0/24", "mutt", int(START) - 60)])
    for number in range(40):
        await reason(house, ANNA, f"guess {number}", f"198.18.{number}.9")
    await house.diary(keeper, house.anna)
    assert await reason(house, ANNA, PHONE, STRANGER) is Reason.WEB_SIGN_IN_REQUIRED
    assert house.limits.rules.unusual is Unusual.HOLD
    assert isinstance(await answer(keeper, ANNA, PHONE), Identity)


async def test_what_a_program_says_of_itself_stays_words(house: House) -> None:
    """Line ends, escape sequences of terminals, marks that turn text round, and more than anybody wants to read."""
    evil = '<script>alert(1)</script>\r\n{"event":"login.accepted"}\x1b[2J\x00\u202e\ud800' + "x" * 10_000
    keeper = house.keeper()
    assert isinstance(await answer(keeper, ANNA, PHONE, client_id=evil, mechanism="PLAIN"), Identity)
    assert isinstance(await answer(keeper, f"{evil}@example.test", "wrong", client_id=evil), Refused)
    rows = await house.diary(keeper, house.anna) + await house.diary(keeper, 0)
    assert len(rows) == 2
    for sign_in, _ in rows:
        assert sign_in.client_id.isprintable()
        assert len(sign_in.client_id) <= 200
        assert sign_in.address == ""
    told = sign_in_of(Verdict(Cause.SIGNED_IN), visit(client_id=evil), house.anna, 1)
    assert told.client_id.startswith("<script>alert(1)</script>??{")
