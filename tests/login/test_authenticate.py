"""The door-keeper: who gets in, what the others are told, and what only the diary knows."""

import asyncio
from dataclasses import replace

import pytest

from mailhost import accounts, crypto
from mailhost.accounts.audit.model import NOBODY, Cause
from mailhost.login import Identity, Reason, Refused, still_valid
from mailhost.storage.database import Tx
from tests.login.conftest import ACCOUNT_PASSWORD, OTTOS, PHONE, POP_ONLY, START, House, answer

ANNA = "anna@example.test"


@pytest.mark.parametrize("secret", [PHONE, "abcd efgh ijkl mnop", " Abcd\u00a0efgh ijkl mnop "])
@pytest.mark.parametrize("user", [ANNA, " Anna@Example.Test. ", "anna"])
async def test_an_app_password_opens_the_account(house: House, user: str, secret: str) -> None:
    keeper = house.keeper()
    for protocol in ("imap", "pop3", "smtp"):
        identity = await answer(keeper, user, secret, protocol=protocol)
        assert identity == Identity(house.anna, ANNA, 1, protocol)
    assert await house.causes(keeper, house.anna) == [Cause.SIGNED_IN] * 3


REFUSALS = [
    (ANNA, "not it", Reason.WRONG_CREDENTIALS, Cause.WRONG_PASSWORD),
    (ANNA, "", Reason.WRONG_CREDENTIALS, Cause.WRONG_PASSWORD),
    (ANNA, "\ud800\x00", Reason.WRONG_CREDENTIALS, Cause.WRONG_PASSWORD),
    (ANNA, "aaaa bbbb cccc dddd", Reason.WRONG_CREDENTIALS, Cause.WRONG_APP_PASSWORD),
    (ANNA, OTTOS, Reason.WRONG_CREDENTIALS, Cause.APP_PASSWORD_OF_ANOTHER),
    (ANNA, ACCOUNT_PASSWORD, Reason.APP_PASSWORD_REQUIRED, Cause.TWO_STEP_MISSING),
    (ANNA, POP_ONLY, Reason.PROTOCOL_NOT_ALLOWED, Cause.PROTOCOL_NOT_ALLOWED),
]


@pytest.mark.parametrize(("user", "secret", "reason", "cause"), REFUSALS)
@pytest.mark.parametrize("protocol", ["imap", "smtp"])
async def test_refusals(house: House, user: str, secret: str, reason: Reason, cause: Cause, protocol: str) -> None:
    keeper = house.keeper()
    refused = await answer(keeper, user, secret, protocol=protocol)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.until) == (reason, None)
    assert await house.causes(keeper, house.anna) == [cause]


async def test_the_account_password_never_opens_a_mail_protocol(house: House) -> None:
    keeper = house.keeper()
    for protocol in ("imap", "pop3", "smtp"):
        refused = await answer(keeper, ANNA, ACCOUNT_PASSWORD, protocol=protocol)
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.APP_PASSWORD_REQUIRED


async def test_an_account_password_of_sixteen_letters_is_still_one(house: House) -> None:
    hashed = crypto.hash_password("qwertyuiopasdfgh")
    await house.database.write(accounts.set_password, house.anna, hashed, int(START))
    keeper = house.keeper()
    refused = await answer(keeper, ANNA, "qwertyuiopasdfgh")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.APP_PASSWORD_REQUIRED


async def test_revoked_is_wrong_outside_and_revoked_inside(house: House) -> None:
    await house.database.write(accounts.revoke_app_password, house.anna, 1, int(START))
    keeper = house.keeper()
    refused = await answer(keeper, ANNA, PHONE)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WRONG_CREDENTIALS
    [(sign_in, _)] = await house.diary(keeper, house.anna)
    assert (sign_in.cause, sign_in.credential_id) == (Cause.REVOKED_APP_PASSWORD, 1)


async def test_suspended_is_told_only_to_who_knows_the_secret(house: House) -> None:
    await house.database.write(accounts.set_state, house.anna, accounts.AccountState.SUSPENDED)
    keeper = house.keeper()
    reasons = []
    for secret in (PHONE, ACCOUNT_PASSWORD, "not it"):
        refused = await answer(keeper, ANNA, secret)
        assert isinstance(refused, Refused)
        reasons.append(refused.reason)
    assert reasons == [Reason.ACCOUNT_SUSPENDED, Reason.ACCOUNT_SUSPENDED, Reason.WRONG_CREDENTIALS]


async def test_unknown_user_and_wrong_password_are_alike(house: House) -> None:
    """In the answer, and in time: counted in slow checks, since a clock would only tell how busy the machine is."""
    await house.database.write(accounts.revoke_app_password, house.otto, 1, int(START))
    keeper = house.keeper()
    told = []
    for user, secret in (
        (ANNA, "not it"),
        (ANNA, "aaaa bbbb cccc dddd"),
        (ANNA, OTTOS),
        ("ghost@example.test", "not it"),
        ("ghost@example.test", "aaaa bbbb cccc dddd"),
        ("ghost@elsewhere.test", "not it"),
        ("otto@example.test", OTTOS),
        ("not @ name", "not it"),
        ("ghost", "not it"),
        ("", ""),
    ):
        before = keeper._checks.made
        refused = await answer(keeper, user, secret)
        assert isinstance(refused, Refused)
        told.append((refused.reason, refused.until, str(refused), keeper._checks.made - before))
    assert len(set(told)) == 1
    assert told[0][3] == 1
    await answer(keeper, ANNA, ACCOUNT_PASSWORD)
    assert keeper._checks.made == len(told) + 1
    await answer(keeper, ANNA, PHONE)
    assert keeper._checks.made == len(told) + 1  # a good sign-in costs none


async def test_an_account_without_a_password_is_alike_too(house: House) -> None:
    def forget(tx: Tx) -> None:
        tx.execute("update account set password_hash = null where id = :id", id=house.anna)

    await house.database.write(forget)
    keeper = house.keeper()
    refused = await answer(keeper, ANNA, ACCOUNT_PASSWORD)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WRONG_CREDENTIALS
    assert isinstance(await answer(keeper, ANNA, PHONE), Identity)


@pytest.mark.parametrize("user", [ANNA, "ghost@example.test"])
async def test_different_wrong_passwords_have_to_wait(house: House, user: str) -> None:
    keeper = house.keeper()
    for number in range(4):
        refused = await answer(keeper, user, f"wrong {number}")
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.WRONG_CREDENTIALS
    refused = await answer(keeper, user, "wrong 4")
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.until) == (Reason.THROTTLED, START + 5)
    refused = await answer(keeper, user, ACCOUNT_PASSWORD)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.THROTTLED  # a wait is no way to try passwords
    house.now += 5
    refused = await answer(keeper, user, "wrong 5")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WRONG_CREDENTIALS


async def test_no_wait_locks_out_a_right_app_password(house: House) -> None:
    keeper = house.keeper()
    for number in range(50):
        await answer(keeper, ANNA, f"wrong {number}")
    assert isinstance(await answer(keeper, ANNA, PHONE), Identity)
    refused = await answer(keeper, ANNA, "wrong again")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.THROTTLED


async def test_a_device_that_repeats_one_wrong_password_never_waits(house: House) -> None:
    keeper = house.keeper()
    for _ in range(8):
        refused = await answer(keeper, ANNA, "aaaa bbbb cccc dddd")
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.WRONG_CREDENTIALS
    for shown_otherwise in ("AAAABBBBCCCCDDDD", "aaaabbbbcccc dddd"):
        await answer(keeper, ANNA, shown_otherwise)
    told = {sign_in.cause: occurrence for sign_in, occurrence in await house.diary(keeper, house.anna)}
    assert told[Cause.WRONG_APP_PASSWORD].attempts == 2  # a slip of the finger may happen twice
    assert told[Cause.WRONG_PASSWORD_REPEATED].attempts == 8
    assert told[Cause.WRONG_PASSWORD_REPEATED].facts == {"times": 10}


async def test_too_many_at_once_are_asked_to_come_back(house: House) -> None:
    house.limits = replace(house.limits, checks_at_once=1, checks_waiting=1, wrong_per_account=100)
    keeper = house.keeper()
    refused = await asyncio.gather(*(answer(keeper, ANNA, f"wrong {number}") for number in range(20)))
    reasons = {one.reason for one in refused if isinstance(one, Refused)}
    assert reasons == {Reason.TEMPORARY, Reason.WRONG_CREDENTIALS}
    assert sorted(cause.value for cause in await house.causes(keeper, house.anna)) == ["too-busy", "wrong-password"]


async def test_the_store_away_is_temporary(house: House) -> None:
    keeper = house.keeper()
    await house.database.close()
    for secret in (PHONE, "not it"):
        refused = await answer(keeper, ANNA, secret)
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.TEMPORARY


async def test_the_diary_tells_where_and_how(house: House) -> None:
    keeper = house.keeper()
    await answer(keeper, ANNA, PHONE, peer="2001:db8:7::1", client_id="evil\x00\x1b[2J" + "x" * 500)
    [(sign_in, occurrence)] = await house.diary(keeper, house.anna)
    assert (sign_in.peer, sign_in.network) == ("2001:db8:7::1", "2001:db8:7::/48")
    assert (sign_in.protocol, sign_in.port, sign_in.tls_version, sign_in.mechanism) == ("imap", 993, "TLSv1.3", "PLAIN")
    assert sign_in.client_id.startswith("evil??[2Jxxx")
    assert len(sign_in.client_id) == 200
    assert sign_in.credential_id == 1
    assert (occurrence.at, occurrence.connection_id, occurrence.attempts) == (int(START), "c1", 1)
    [phone, _] = await house.database.read(accounts.list_app_passwords, house.anna)
    assert phone.last_use == accounts.LastUse(
        int(START), "2001:db8:7::1", "imap", "2001:db8:7::/48", sign_in.client_id, "TLSv1.3"
    )


async def test_the_diary_keeps_no_secret_typed_as_a_name(house: House) -> None:
    keeper = house.keeper()
    for user in ("ghost@example.test", "hunter2", "hunter2@elsewhere.test", "hunter2 !"):
        await answer(keeper, user, "x")
    told = {sign_in.address for sign_in, _ in await house.diary(keeper, NOBODY)}
    assert told == {"ghost@example.test", ""}


async def test_sessions_end_with_their_credential(house: House) -> None:
    keeper = house.keeper()
    identity = await answer(keeper, ANNA, PHONE)
    assert isinstance(identity, Identity)
    assert await house.database.point(still_valid, identity, int(START))
    await house.database.write(accounts.revoke_app_password, house.anna, 1, int(START))
    assert not await house.database.point(still_valid, identity, int(START))
