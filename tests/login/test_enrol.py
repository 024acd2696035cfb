"""Who gets an account and who leaves, with everything that belongs to it."""

import pytest

from mailhost import accounts, domains, mailstore
from mailhost.accounts import (
    AccountExists,
    BadLocalPart,
    NoSuchAccount,
    NoSuchAppPassword,
    Protocols,
    Scope,
    TwoStepMissing,
)
from mailhost.crypto import SecretKey, app_password_letters
from mailhost.domains import BadDomainName, NoSuchDomain
from mailhost.login.enrol import (
    account_at,
    enrol,
    issue_app_password,
    issue_own_app_password,
    leave,
    replace_app_password,
)
from mailhost.storage.database import Database, Tx

NOW = 1_800_000_000


async def enrolled(database: Database, address: str) -> accounts.Account:
    return await database.write(enrol, address, password_hash="$hash", now=NOW)


@pytest.fixture(autouse=True)
async def our_domain(database: Database) -> domains.Domain:
    return await database.write(domains.add_domain, "example.test", NOW)


async def test_an_account_comes_with_its_mailboxes(database: Database) -> None:
    anna = await enrolled(database, "Anna@Example.Test")
    assert anna.address == "anna@example.test"
    inbox = await database.read(mailstore.find_mailbox, anna.id, "INBOX")
    assert inbox.messages == 0
    assert (await database.read(mailstore.usage, anna.id)).quota_octets == mailstore.DEFAULT_QUOTA


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("anna", BadDomainName),
        ("anna@elsewhere.test", NoSuchDomain),
        ("anna@", BadDomainName),
        ("an na@example.test", BadLocalPart),
        ("anna+list@example.test", BadLocalPart),
    ],
)
async def test_addresses_that_cannot_be(database: Database, address: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\w+ \w+ \w+"):
        await enrolled(database, address)
    assert await database.read(accounts.list_accounts) == []


async def test_an_address_is_taken_once(database: Database) -> None:
    await enrolled(database, "anna@example.test")
    with pytest.raises(AccountExists):
        await enrolled(database, "ANNA@example.test")


async def test_the_first_account_administers_and_hands_on(database: Database, our_domain: domains.Domain) -> None:
    async def administrator() -> int | None:
        return (await database.read(domains.get_domain, our_domain.id)).administrator_id

    anna, otto, zoe = [await enrolled(database, f"{name}@example.test") for name in ("anna", "otto", "zoe")]
    assert await administrator() == anna.id
    await database.write(leave, "otto@example.test")
    assert await administrator() == anna.id
    await database.write(leave, "anna@example.test")
    assert await administrator() == zoe.id
    await database.write(leave, "zoe@example.test")
    assert await administrator() is None
    assert otto.id not in {anna.id, zoe.id}


async def test_who_leaves_takes_mailboxes_along(database: Database) -> None:
    anna = await enrolled(database, "anna@example.test")
    await database.write(leave, " Anna@example.test")
    with pytest.raises(mailstore.NoSuchAccount):
        await database.read(mailstore.usage, anna.id)
    with pytest.raises(NoSuchAccount, match=r"anna@example\.test"):
        await database.write(leave, "anna@example.test")
    back = await enrolled(database, "anna@example.test")
    assert back.id != anna.id


async def test_an_app_password_is_issued_in_four_groups(database: Database) -> None:
    anna = await enrolled(database, "anna@example.test")
    key = SecretKey(b"k" * 32)
    made, secret = await database.write(
        issue_app_password, key, "anna@example.test", name="phone", scope=Scope(Protocols.IMAP), now=NOW
    )
    assert [len(group) for group in secret.split(" ")] == [4, 4, 4, 4]
    assert app_password_letters(secret) is not None
    assert await database.read(accounts.list_app_passwords, anna.id) == [made]

    def columns(tx: Tx) -> str:
        return repr(tx.execute("select * from app_password"))

    assert secret.replace(" ", "") not in await database.read(columns)


async def test_whom_an_address_means(database: Database) -> None:
    anna = await enrolled(database, "anna@example.test")
    assert await database.read(account_at, " ANNA@example.test. ") == anna
    with pytest.raises(NoSuchAccount, match="ghost"):
        await database.read(account_at, "ghost@example.test")


async def test_people_make_app_passwords_only_with_two_step_verification(database: Database) -> None:
    anna = await enrolled(database, "anna@example.test")
    key = SecretKey(b"k" * 32)
    with pytest.raises(TwoStepMissing):
        await database.write(issue_own_app_password, key, anna.id, name="phone", now=NOW)
    await database.write(accounts.set_two_step, anna.id, is_on=True, now=NOW)
    made, _ = await database.write(issue_own_app_password, key, anna.id, name="phone", now=NOW)
    assert await database.read(accounts.list_app_passwords, anna.id) == [made]


async def test_a_new_phone_takes_the_place_of_the_old_one(database: Database) -> None:
    anna = await enrolled(database, "anna@example.test")
    key = SecretKey(b"k" * 32)
    scope = Scope(Protocols.IMAP, read_only=True, networks=("192.0.2.0/24",))
    old, old_secret = await database.write(
        issue_app_password, key, "anna@example.test", name="phone", now=NOW, scope=scope
    )
    new, secret = await database.write(replace_app_password, key, anna.id, old.id, NOW + 1)
    assert secret != old_secret
    assert (new.name, new.scope) == ("phone", scope)
    assert await database.read(accounts.list_app_passwords, anna.id) == [new]
    with pytest.raises(NoSuchAppPassword):
        await database.write(replace_app_password, key, anna.id, old.id, NOW + 2)
