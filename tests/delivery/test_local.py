"""Whom an address reaches, and that no retry puts a message anywhere twice, on both engines."""

import random
from pathlib import Path

import pytest

from mailhost import accounts, domains, mailstore
from mailhost.delivery import sql
from mailhost.delivery.forget import forget_account
from mailhost.delivery.local import deliver, expect_to_come_again
from mailhost.delivery.model import (
    NoSuchUser,
    NotOurs,
    Office,
    Origin,
    Recipient,
    RecipientFull,
    RecipientSuspended,
    RecipientTooSmall,
)
from mailhost.delivery.receive import Reception
from mailhost.delivery.route import belongs_to, route
from mailhost.mailstore import Incoming
from mailhost.protocols.smtp.addresses import Address, parse_address
from mailhost.storage.database import Tx
from tests.servers.conftest import START, House

CONTENT = b"From: eve@elsewhere.test\r\nMessage-ID: <1@elsewhere.test>\r\n\r\nHi\r\n"
EVE = Address("eve", "elsewhere.test")


def address(text: str) -> Address:
    parsed = parse_address(text)
    assert parsed is not None
    return parsed


async def receive(office: Office, content: bytes = CONTENT) -> Incoming:
    reception = Reception(office, mend=False)
    reception.write(content)
    return await reception.finish()


def origin(transaction_id: str, sender: Address | None = EVE) -> Origin:
    return Origin(transaction_id, sender, "ESMTP", "elsewhere.test", "192.0.2.1")


def to(house: House, *names: str) -> list[Recipient]:
    return [Recipient(house.accounts[name.partition("+")[0]], Address(name, "example.test")) for name in names]


async def counts(house: House) -> tuple[int, int]:
    return len(await house.inbox("ann")), len(await house.inbox("bob"))


@pytest.mark.parametrize("quota", [1000, 10**9])
async def test_content_that_nobody_could_take_or_that_was_there_leaves_no_file(
    house: House, tmp_path: Path, quota: int
) -> None:
    content = CONTENT + random.Random(1).randbytes(100_000).hex().encode() + b"\r\n"
    await house.database.write(mailstore.set_quota, house.accounts["ann"], quota, START)
    for number in range(2):
        incoming = await receive(house.office(), content)
        assert incoming.blob.place is not None
        await deliver(house.office(), incoming, origin(str(number)), to(house, "ann"))
    assert sum(path.is_file() for path in (tmp_path / "blobs").rglob("*")) == (quota > 1000)
    assert len(await house.inbox("ann")) == 2 * (quota > 1000)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ann@example.test", "ann"),
        ("BOB@EXAMPLE.TEST", "bob"),
        ("bob+a+b@example.test", "bob"),
        ("abuse@example.test", "ann"),
        ("postmaster+x@example.test", "ann"),
        ("postmaster", "ann"),
    ],
)
async def test_whom_an_address_reaches(house: House, text: str, name: str) -> None:
    recipient = await house.database.point(route, address(text))
    assert recipient == Recipient(house.accounts[name], address(text))


async def test_whom_it_does_not(house: House) -> None:
    for text in ("ann@elsewhere.test", "ann@[127.0.0.1]", "ann@sub.example.test", "a@b"):
        with pytest.raises(NotOurs):
            await house.database.point(route, address(text))
    for text in ("eve@example.test", '"a b"@example.test', '""@example.test', "+ann@example.test"):
        with pytest.raises(NoSuchUser):
            await house.database.point(route, address(text))


async def test_full_suspended_and_leaving_accounts(house: House) -> None:
    bob = house.accounts["bob"]
    await house.database.write(mailstore.set_quota, bob, 0)
    with pytest.raises(RecipientFull):
        await house.database.point(route, address("bob@example.test"))
    await house.database.write(lambda tx: tx.execute("update account set state = 'suspended' where id = :id", id=bob))
    with pytest.raises(RecipientSuspended):
        await house.database.point(route, address("bob@example.test"))
    await house.database.write(mailstore.close_store, house.accounts["ann"])
    with pytest.raises(NoSuchUser):
        await house.database.point(route, address("ann@example.test"))


async def test_the_administrator_gets_postmasters_mail(house: House) -> None:
    def appoint(tx: object) -> None:
        domain = domains.find_domain(tx, "example.test")
        assert domain is not None
        domains.set_administrator(tx, domain.id, house.accounts["bob"])

    await house.database.write(appoint)
    recipient = await house.database.point(route, address("Postmaster@example.test"))
    assert recipient.account_id == house.accounts["bob"]


async def test_postmaster_of_each_domain_is_somebody(house: House) -> None:
    def appoint(tx: Tx) -> None:
        ours = domains.find_domain(tx, "example.test")
        assert ours is not None
        domains.set_administrator(tx, ours.id, house.accounts["bob"])
        domains.add_domain(tx, "empty.test", 0)
        made = accounts.create_account(tx, domain_id=ours.id, address="abuse@example.test", password_hash="", now=0)
        tx.execute("update account set state = 'suspended' where id = :id", id=made.id)

    await house.database.write(appoint)
    for text in ("postmaster@empty.test", "abuse@empty.test", "abuse@example.test"):
        recipient = await house.database.point(route, address(text))
        assert recipient.account_id == house.accounts["bob"]
    with pytest.raises(NoSuchUser):
        await house.database.point(route, address("bob@empty.test"))


@pytest.mark.parametrize(
    ("text", "belongs"),
    [
        ("ann@example.test", True),
        ("Ann+x@EXAMPLE.test", True),
        ('"ann"@example.test', True),
        ("bob@example.test", False),
        ("ann@elsewhere.test", False),
        ("ann@[192.0.2.1]", False),
        ("annx@example.test", False),
        ('"ann x"@example.test', False),
    ],
)
def test_which_addresses_belong_to_an_account(text: str, belongs: bool) -> None:
    assert belongs_to("ann@example.test", address(text)) is belongs


async def test_one_transaction_delivers_once(house: House) -> None:
    office = house.office()
    incoming = await receive(office)
    for _ in range(2):
        outcomes = await deliver(office, incoming, origin("t-1"), to(house, "ann", "bob", "ann+x"))
        assert outcomes == {house.accounts["ann"]: None, house.accounts["bob"]: None}
    assert await counts(house) == (1, 1)
    await deliver(office, incoming, origin("t-2"), to(house, "ann"))
    assert await counts(house) == (2, 1)


async def test_a_full_account_does_not_keep_the_others_from_their_mail(house: House) -> None:
    office = house.office()
    await house.database.write(mailstore.set_quota, house.accounts["bob"], 1_000_000, 0)
    outcomes = await deliver(office, await receive(office), origin("t-1"), to(house, "ann", "bob"))
    assert outcomes[house.accounts["ann"]] is None
    assert isinstance(outcomes[house.accounts["bob"]], RecipientFull)
    await house.database.write(mailstore.set_quota, house.accounts["bob"], 5)
    outcomes = await deliver(office, await receive(office), origin("t-2"), to(house, "bob"))
    assert isinstance(outcomes[house.accounts["bob"]], RecipientTooSmall)
    assert await counts(house) == (1, 0)


async def test_who_is_told_to_come_again_doubles_nothing_once(house: House) -> None:
    office = house.office()
    incoming = await receive(office)
    outcomes = await deliver(office, incoming, origin("t-1"), to(house, "ann"))
    await expect_to_come_again(office, origin("t-1"), outcomes)
    await deliver(office, incoming, origin("t-2", Address("joe", "elsewhere.test")), to(house, "ann"))
    assert await counts(house) == (2, 0)  # somebody else's
    await deliver(office, incoming, origin("t-3"), to(house, "ann", "bob"))
    assert await counts(house) == (2, 1)
    await deliver(office, incoming, origin("t-4"), to(house, "ann"))
    assert await counts(house) == (3, 1)


async def test_after_a_kill_only_the_last_minute_may_be_repeated(house: House) -> None:
    office = house.office()
    old, new = await receive(office), await receive(office, CONTENT.replace(b"<1@", b"<2@"))
    await deliver(office, old, origin("t-1"), to(house, "ann"))
    house.now += sql.REPETITION_SECONDS + 1
    await deliver(office, new, origin("t-2"), to(house, "ann"))
    await house.database.write(sql.expect_repetitions)
    await deliver(office, old, origin("t-3"), to(house, "ann"))
    await deliver(office, new, origin("t-4"), to(house, "ann"))
    assert await counts(house) == (3, 0)


async def test_a_message_without_message_id_is_never_a_repetition(house: House) -> None:
    office = house.office()
    incoming = await receive(office, b"Subject: same\r\n\r\nagain\r\n")
    await deliver(office, incoming, origin("t-1"), to(house, "ann"))
    await house.database.write(sql.expect_repetitions)
    await deliver(office, incoming, origin("t-2"), to(house, "ann"))
    assert await counts(house) == (2, 0)


async def test_receipts_are_forgotten(house: House) -> None:
    office = house.office()
    for number in range(3):
        await deliver(office, await receive(office), origin(f"t-{number}"), to(house, "ann"))
    await house.database.write(sql.expect_repetitions)
    assert await house.database.write(sql.forget_receipts, START + 10 * sql.DAY) is False
    for table in ("receipt", "unanswered"):
        assert await house.database.read(lambda tx, t=table: tx.execute(f"select count(*) from {t}")) == [(0,)]


async def test_a_removed_account_leaves_no_rows(house: House) -> None:
    office = house.office()
    await deliver(office, await receive(office), origin("t-1"), to(house, "ann"))
    await house.database.write(forget_account, house.blobs, house.accounts["ann"])
    assert await house.database.read(lambda tx: tx.execute("select count(*) from receipt")) == [(0,)]
