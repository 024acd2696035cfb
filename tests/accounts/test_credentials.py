"""App passwords and the account password as rows."""

import pytest

from mailhost import accounts, domains
from mailhost.accounts import ALL_PROTOCOLS, BadName, LastUse, NoSuchAccount, NoSuchAppPassword, Protocols
from mailhost.accounts.credentials.sql import find_candidate, is_app_password_of_another, record_uses, still_valid
from mailhost.accounts.model import KEEP_REVOKED_SECONDS, MAX_APP_PASSWORDS, TooManyAppPasswords
from mailhost.storage.database import Database, Tx

NOW = 1_800_000_000


async def add_account(database: Database, address: str = "anna@example.test") -> int:
    def work(tx: Tx) -> int:
        name = address.partition("@")[2]
        domain = domains.find_domain(tx, name) or domains.add_domain(tx, name, NOW)
        return accounts.create_account(tx, domain_id=domain.id, address=address, password_hash="$old", now=NOW).id

    return await database.write(work)


async def add(
    database: Database, account_id: int, name: str, digest: bytes, protocols: Protocols = ALL_PROTOCOLS
) -> int:
    made = await database.write(
        accounts.add_app_password, account_id, name=name, digest=digest, protocols=protocols, now=NOW
    )
    return made.id


async def test_look_up_finds_account_and_its_app_password_together(database: Database) -> None:
    anna = await add_account(database)
    phone = await add(database, anna, "phone", b"d" * 32, Protocols.IMAP | Protocols.SMTP)
    found = await database.point(find_candidate, "anna@example.test", b"d" * 32)
    assert found is not None
    assert (found.account_id, found.credential_id, found.protocols) == (anna, phone, 5)
    assert found.is_live
    assert not found.is_revoked
    without = await database.point(find_candidate, "anna@example.test", b"x" * 32)
    assert without is not None
    assert (without.credential_id, without.password_hash) == (None, "$old")
    assert await database.point(find_candidate, "otto@example.test", b"d" * 32) is None


async def test_an_app_password_opens_no_other_account(database: Database) -> None:
    anna, otto = await add_account(database), await add_account(database, "otto@example.test")
    await add(database, anna, "phone", b"d" * 32)
    found = await database.point(find_candidate, "otto@example.test", b"d" * 32)
    assert found is not None
    assert (found.account_id, found.credential_id) == (otto, None)
    assert await database.point(is_app_password_of_another, b"d" * 32)
    assert not await database.point(is_app_password_of_another, b"x" * 32)


async def test_ids_are_counted_per_account(database: Database) -> None:
    anna, otto = await add_account(database), await add_account(database, "otto@example.test")
    assert [await add(database, anna, "phone", b"1" * 32), await add(database, anna, "tablet", b"2" * 32)] == [1, 2]
    assert await add(database, otto, "phone", b"3" * 32) == 1


async def test_revoked_is_remembered_but_not_listed(database: Database) -> None:
    anna = await add_account(database)
    phone = await add(database, anna, "phone", b"d" * 32)
    assert await database.read(still_valid, anna, phone, Protocols.IMAP.value)
    await database.write(accounts.revoke_app_password, anna, phone, NOW + 5)
    assert await database.read(accounts.list_app_passwords, anna) == []
    found = await database.point(find_candidate, "anna@example.test", b"d" * 32)
    assert found is not None
    assert found.is_revoked
    assert not await database.read(still_valid, anna, phone, Protocols.IMAP.value)
    with pytest.raises(NoSuchAppPassword):
        await database.write(accounts.revoke_app_password, anna, phone, NOW + 6)


async def test_long_revoked_is_forgotten_when_a_new_one_is_made(database: Database) -> None:
    anna = await add_account(database)
    await add(database, anna, "phone", b"d" * 32)
    await database.write(accounts.revoke_app_password, anna, 1, NOW - KEEP_REVOKED_SECONDS - 1)
    await add(database, anna, "phone", b"e" * 32)
    found = await database.point(find_candidate, "anna@example.test", b"d" * 32)
    assert found is not None
    assert found.credential_id is None


async def test_a_new_account_password_revokes_every_app_password(database: Database) -> None:
    anna, otto = await add_account(database), await add_account(database, "otto@example.test")
    for number in range(3):
        await add(database, anna, f"device {number}", bytes([number]) * 32)
    await add(database, otto, "phone", b"o" * 32)
    assert await database.write(accounts.set_password, anna, "$new", NOW + 9) == 3
    assert await database.read(accounts.list_app_passwords, anna) == []
    assert len(await database.read(accounts.list_app_passwords, otto)) == 1
    found = await database.point(find_candidate, "anna@example.test", b"")
    assert found is not None
    assert found.password_hash == "$new"


async def test_still_valid_ends_with_account_state_protocol_and_removal(database: Database) -> None:
    anna = await add_account(database)
    await add(database, anna, "phone", b"d" * 32, Protocols.POP3)
    assert await database.read(still_valid, anna, 1, Protocols.POP3.value)
    assert not await database.read(still_valid, anna, 1, Protocols.IMAP.value)
    await database.write(accounts.set_state, anna, accounts.AccountState.SUSPENDED)
    assert not await database.read(still_valid, anna, 1, Protocols.POP3.value)
    await database.write(accounts.set_state, anna, accounts.AccountState.LIVE)
    assert await database.read(still_valid, anna, 1, Protocols.POP3.value)
    await database.write(accounts.remove_account, anna)
    assert not await database.read(still_valid, anna, 1, Protocols.POP3.value)


async def test_last_use_keeps_the_latest(database: Database) -> None:
    anna = await add_account(database)
    await add(database, anna, "phone", b"d" * 32)
    late, early = LastUse(NOW + 50, "192.0.2.7", "imap"), LastUse(NOW + 10, "192.0.2.8", "smtp")
    await database.write(record_uses, [(anna, 1, late)])
    await database.write(record_uses, [(anna, 1, early), (anna, 99, early)])
    [phone] = await database.read(accounts.list_app_passwords, anna)
    assert phone.last_use == late


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "bell\x07"])
async def test_names_can_be_read(database: Database, name: str) -> None:
    anna = await add_account(database)
    with pytest.raises(BadName):
        await add(database, anna, name, b"d" * 32)


async def test_names_lose_superfluous_blanks(database: Database) -> None:
    anna = await add_account(database)
    await add(database, anna, "  Anna's\tphone ", b"d" * 32)
    [phone] = await database.read(accounts.list_app_passwords, anna)
    assert phone.name == "Anna's phone"


async def test_there_is_a_bound(database: Database) -> None:
    anna = await add_account(database)

    def fill(tx: Tx) -> None:
        for number in range(MAX_APP_PASSWORDS):
            accounts.add_app_password(
                tx, anna, name="one of many", digest=number.to_bytes(32, "big"), protocols=ALL_PROTOCOLS, now=NOW
            )

    await database.write(fill)
    with pytest.raises(TooManyAppPasswords):
        await add(database, anna, "one too many", b"x" * 32)
    await database.write(accounts.revoke_app_password, anna, 1, NOW)
    await add(database, anna, "in its place", b"x" * 32)


async def test_nobody_has_credentials(database: Database) -> None:
    with pytest.raises(NoSuchAccount):
        await add(database, 77, "phone", b"d" * 32)
    with pytest.raises(NoSuchAccount):
        await database.write(accounts.set_password, 77, "$new", NOW)
