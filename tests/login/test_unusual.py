"""Sign-ins with a right credential that look like somebody else's."""

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path

import pytest
from msgspec import structs

from mailhost import accounts, mailstore
from mailhost.accounts.audit.model import Cause
from mailhost.accounts.held.sql import MOST_WAITING, NoSuchHeld, State, count_waiting, hold, list_held
from mailhost.accounts.places.sql import record_places
from mailhost.language import translations
from mailhost.limits import Unusual
from mailhost.login import DoorKeeper, Identity, Reason, Refused
from mailhost.login.catalogue import explain
from mailhost.login.names import network_of
from mailhost.login.notice import Messenger
from mailhost.login.unusual import Signs, approve, deny, weigh
from mailhost.network.atlas import Atlas
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx
from tests.login.conftest import OTTOS, PHONE, START, House, answer
from tests.network.places import BERLIN, SYDNEY, write_places

ANNA = "anna@example.test"
NOW = int(START)
HOME, NEAR, FAR = "192.0.2.7", "192.0.77.7", "203.0.113.9"
HOME_NETWORK, FAR_NETWORK = "192.0.2.0/24", "203.0.113.0/24"


async def at_home(house: House, *networks: str, at: int = NOW - 10_000, client: str = "mutt") -> None:
    places = [(house.anna, 1, network, client, at) for network in networks or (HOME_NETWORK,)]
    await house.database.write(record_places, places)


async def weighed(house: House, network: str, program: str = "mutt") -> Signs:
    return await house.database.read(weigh, house.anna, 1, network, program, NOW)


async def test_the_first_use_and_the_usual_are_not_unusual(house: House) -> None:
    assert await weighed(house, FAR_NETWORK) == Signs()
    await at_home(house)
    assert await weighed(house, HOME_NETWORK, "another program") == Signs()


async def test_this_machine_is_one_place_whatever_it_is_called(house: House) -> None:
    await house.database.write(record_places, [(house.anna, 1, network_of("127.0.0.1"), "mutt", NOW - 60)])
    for peer in ("::1", "127.0.0.1", "127.3.2.1"):
        assert await weighed(house, network_of(peer), "another program") == Signs()
    assert (await weighed(house, network_of("2001:db8::1"), "mutt")).found == ("network", "far")


async def test_signs_add_up(house: House) -> None:
    await at_home(house)
    assert (await weighed(house, "192.0.77.0/24")).found == ("network",)
    assert (await weighed(house, "2001:db8::/48")).found == ("network", "far")
    signs = await weighed(house, FAR_NETWORK, "evil")
    assert (signs.found, signs.weight) == (("network", "far", "program"), 3)
    keeper = house.keeper()
    for number in range(10):
        await answer(keeper, ANNA, f"wrong {number}", peer="198.51.100.7")
    for number in range(6):
        await answer(keeper, f"name{number}@example.test", "wrong", peer=FAR)
    await house.diary(keeper, house.anna)
    await at_home(house, *(f"198.18.{number}.0/24" for number in range(4)), at=NOW - 60)
    signs = await weighed(house, FAR_NETWORK)
    assert (signs.found, signs.weight) == (("network", "far", "failures", "stranger", "hopping"), 8)


async def held_far(house: House, keeper: DoorKeeper) -> Refused | Identity:
    """Anna's phone from far away, after many failures."""
    await at_home(house)
    house.limits = replace(house.limits, wrong_per_account=100)
    for number in range(10):
        await answer(keeper, ANNA, f"wrong {number}", peer="198.51.100.7")
    await house.diary(keeper, house.anna)
    return await answer(keeper, ANNA, PHONE, peer=FAR)


async def test_a_held_sign_in_waits_for_its_owner_and_known_devices_go_on(house: House) -> None:
    house.limits = replace(house.limits, wrong_per_account=100)
    keeper = house.keeper()
    for _ in range(2):
        refused = await held_far(house, keeper)
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.WEB_SIGN_IN_REQUIRED
    [held] = await house.database.read(list_held, house.anna)
    assert (held.state, held.network, held.attempts, held.why) == (
        State.WAITING,
        FAR_NETWORK,
        2,
        "network,far,failures",
    )
    assert Cause.HELD in await house.causes(keeper, house.anna)
    assert isinstance(await answer(keeper, ANNA, PHONE, peer=HOME), Identity)
    await house.database.write(approve, house.anna, held.id, NOW)
    assert isinstance(await answer(keeper, ANNA, PHONE, peer=FAR), Identity)
    with pytest.raises(NoSuchHeld):
        await house.database.write(deny, house.anna, held.id, NOW)


async def test_a_program_in_a_cloud_is_approved_everywhere(house: House) -> None:
    house.limits = replace(house.limits, wrong_per_account=100)
    keeper = house.keeper()
    assert isinstance(await held_far(house, keeper), Refused)
    [held] = await house.database.read(list_held, house.anna)
    await house.database.write(approve, house.anna, held.id, NOW, everywhere=True)
    assert isinstance(await answer(keeper, ANNA, PHONE, peer="198.18.0.1"), Identity)


async def test_it_was_not_me_ends_the_app_password(house: House) -> None:
    house.limits = replace(house.limits, wrong_per_account=100)
    keeper = house.keeper()
    assert isinstance(await held_far(house, keeper), Refused)
    [held] = await house.database.read(list_held, house.anna)
    await house.database.write(deny, house.anna, held.id, NOW)
    assert [one.id for one in await house.database.read(accounts.list_app_passwords, house.anna)] == [2]
    refused = await answer(keeper, ANNA, PHONE, peer=HOME)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WRONG_CREDENTIALS


@pytest.mark.parametrize("rule", [Unusual.ALLOW, Unusual.ALERT])
async def test_where_the_rules_do_not_hold(house: House, rule: Unusual) -> None:
    rules = structs.replace(house.limits.rules, unusual=rule)
    house.limits = replace(house.limits, wrong_per_account=100, rules=rules)
    keeper = house.keeper()
    assert isinstance(await held_far(house, keeper), Identity)
    causes = await house.causes(keeper, house.anna)
    assert (Cause.SIGNED_IN_UNUSUALLY in causes) is (rule is Unusual.ALERT)


async def test_the_owner_gets_a_message(house: House, blobs: Blobs) -> None:
    await house.database.write(mailstore.open_store, house.anna, NOW, 10**9)
    page = "https://mail.example.test/account/unusual"
    base = "https://mail.example.test"
    messenger = Messenger(house.database, blobs, "mail.example.test", base, lambda: house.now)
    limits = replace(house.limits, wrong_per_account=100)
    keeper = DoorKeeper(house.database, house.key, limits, lambda: house.now, messenger)
    house.keepers.append(keeper)
    await at_home(house)
    evil = "<b>evil</b>\r\nBcc: x"
    assert isinstance(await answer(keeper, ANNA, PHONE, peer=FAR, client_id=evil), Identity)
    await keeper.close()

    def rows(tx: Tx) -> list[bytes]:
        box = mailstore.find_mailbox(tx, house.anna, mailstore.INBOX)
        return [row[0] for row in mailstore.live_rows(tx, house.anna, box.id, 1, 2**32, ("blob",), 10)]

    [blob] = await house.database.read(rows)
    message = message_from_bytes(await blobs.read(blob))
    assert str(make_header(decode_header(message["Subject"]))).startswith("A sign-in to your mail")
    text = message.get_payload(decode=True).decode()
    assert "<b>evil</b>??Bcc: x signed in over IMAP from 203.0.113.9" in text
    assert "新的网络、与以往不同的网络区域" in text
    assert message["Bcc"] is None
    assert text.count(f"\r\n\r\n{page}\r\n") == 2, "once in each language"


async def test_others_do_not_notice(house: House) -> None:
    house.limits = replace(house.limits, wrong_per_account=100)
    keeper = house.keeper()
    assert isinstance(await held_far(house, keeper), Refused)
    assert isinstance(await answer(keeper, "otto@example.test", OTTOS, peer=FAR), Identity)
    assert await house.database.read(list_held, house.otto) == []


@pytest.fixture
def atlas(tmp_path: Path) -> Iterator[Atlas]:
    write_places(tmp_path / "places.mmdb", {HOME_NETWORK: BERLIN, FAR_NETWORK: SYDNEY})
    made = Atlas(tmp_path / "places.mmdb")
    yield made
    made.close()


@pytest.mark.parametrize(("hours", "is_impossible"), [(1, True), (15, True), (17, False), (30, False)])
async def test_a_journey_faster_than_a_plane(house: House, atlas: Atlas, hours: int, is_impossible: bool) -> None:
    await at_home(house, at=NOW - hours * 3600)
    signs = await house.database.read(weigh, house.anna, 1, FAR_NETWORK, "mutt", NOW, atlas)
    assert ("impossible" in signs.found) is is_impossible
    unknown = await house.database.read(weigh, house.anna, 1, "198.51.100.0/24", "mutt", NOW, atlas)
    assert "impossible" not in unknown.found


async def test_an_impossible_journey_is_held_and_its_places_are_named(house: House, atlas: Atlas) -> None:
    keeper = DoorKeeper(house.database, house.key, house.limits, lambda: house.now, atlas=atlas)
    house.keepers.append(keeper)
    await at_home(house, at=NOW - 3600)
    refused = await answer(keeper, ANNA, PHONE, peer=FAR)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WEB_SIGN_IN_REQUIRED
    [row] = await house.diary(keeper, house.anna)
    english, chinese = (explain(*row, translations(language), atlas).sentence for language in ("en", "zh-CN"))
    assert "from 203.0.113.9 (Sydney, Australia) was held" in english
    assert "farther from the last place than anybody travels in that time" in english
    assert "203.0.113.9（AustraliaSydney）" in chinese


async def test_whoever_has_a_password_cannot_flood_its_owner(house: House) -> None:
    await at_home(house)
    note = {"network": FAR_NETWORK, "peer": FAR, "protocol": "imap", "why": "network", "now": NOW}
    news = [await house.database.write(hold, house.anna, 1, client=f"program {n}", **note) for n in range(30)]
    assert news == [True] * MOST_WAITING + [False] * (30 - MOST_WAITING)
    assert await house.database.write(hold, house.anna, 2, client="mutt", **note), "another password is another matter"
    assert await house.database.read(count_waiting, house.anna) == MOST_WAITING + 1
    first = (await house.database.read(list_held, house.anna))[-1]
    await house.database.write(deny, house.anna, first.id, NOW)
    assert await house.database.read(count_waiting, house.anna) == 1, "one answer is enough for all of them"
    await house.database.write(accounts.revoke_app_password, house.anna, 2, NOW)
    assert await house.database.read(count_waiting, house.anna) == 0
