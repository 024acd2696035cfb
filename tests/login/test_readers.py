"""Who reads what of the diary."""

import pytest

from mailhost import accounts, domains
from mailhost.accounts import NoSuchAccount
from mailhost.accounts.audit.model import DOORSTEP, NOBODY, Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import record_sign_ins
from mailhost.login import Identity
from mailhost.login.readers import Diary, NotYours, diary_for, own_diary
from mailhost.storage.database import Tx
from tests.login.conftest import PHONE, START, House, answer, visit

NOW = int(START)
HOME, FAR = "192.0.2.7", "203.0.113.9"


def causes(diary: Diary) -> list[Cause]:
    return [sign_in.cause for sign_in, _ in diary]


async def test_owners_read_the_doorstep_where_they_are_at_home(house: House) -> None:
    keeper = house.keeper()
    assert isinstance(await answer(keeper, "anna@example.test", PHONE, peer=HOME), Identity)
    keeper.tell(Cause.TLS_TOO_OLD, visit(peer="192.0.2.200"), None, {"offered": "TLSv1"})
    keeper.tell(Cause.PLAIN_TEXT_REFUSED, visit(peer=FAR))
    await house.diary(keeper, house.anna)
    anna = await house.database.read(own_diary, house.anna, now=NOW + 10)
    assert sorted(cause.value for cause in causes(anna)) == ["signed-in", "tls-too-old"]
    assert causes(await house.database.read(own_diary, house.otto, now=NOW + 10)) == []
    next_day = await house.database.read(own_diary, house.anna, now=NOW + 86_400)
    assert causes(next_day) == [Cause.SIGNED_IN]


async def test_administrators_read_their_domain_and_nobody_else_anything(house: House) -> None:
    keeper = house.keeper()

    def build(tx: Tx) -> tuple[int, int]:
        ours = domains.find_domain(tx, "example.test")
        assert ours is not None
        domains.set_administrator(tx, ours.id, house.otto)
        other = domains.add_domain(tx, "other.test", NOW)
        ids = [
            accounts.create_account(
                tx, domain_id=other.id, address=f"{name}@other.test", password_hash=None, now=NOW
            ).id
            for name in ("chief", "member")
        ]
        domains.set_administrator(tx, other.id, ids[0])
        return ids[0], ids[1]

    chief, member = await house.database.write(build)
    for user in ("ghost@example.test", "ghost@other.test"):
        await answer(keeper, user, "wrong")
    await answer(keeper, "anna@example.test", "wrong")
    keeper.tell(Cause.TLS_TOO_OLD, visit(peer=FAR), None, {"offered": "TLSv1"})
    await house.diary(keeper, house.anna)

    async def read(reader: int, account_id: int) -> Diary:
        return await house.database.read(diary_for, reader, account_id, now=NOW)

    assert causes(await read(house.otto, house.anna)) == [Cause.WRONG_PASSWORD]
    assert [sign_in.address for sign_in, _ in await read(house.otto, NOBODY)] == ["ghost@example.test"]
    assert [sign_in.address for sign_in, _ in await read(chief, NOBODY)] == ["ghost@other.test"]
    assert causes(await read(house.otto, DOORSTEP)) == [Cause.TLS_TOO_OLD]
    assert causes(await read(house.anna, house.anna)) == [Cause.WRONG_PASSWORD]
    for reader, account_id in (
        (house.anna, house.otto),
        (house.anna, NOBODY),
        (house.anna, DOORSTEP),
        (house.anna, 4711),
        (chief, house.anna),
        (chief, DOORSTEP),
        (member, chief),
        (house.otto, member),
        (house.otto, 4711),
    ):
        with pytest.raises(NotYours):
            await read(reader, account_id)
    with pytest.raises(NoSuchAccount):
        await read(4711, house.anna)


async def test_a_domain_s_name_is_no_pattern(house: House) -> None:
    entry = SignIn(NOBODY, Cause.UNKNOWN_USER, "x@exampleXtest", "imap", 993, HOME, "192.0.2.0/24", None, "", "", None)

    def build(tx: Tx) -> None:
        record_sign_ins(tx, [(entry, Occurrence(NOW, "c", 1))])
        ours = domains.find_domain(tx, "example.test")
        assert ours is not None
        domains.set_administrator(tx, ours.id, house.otto)

    await house.database.write(build)
    assert await house.database.read(diary_for, house.otto, NOBODY, now=NOW) == []
