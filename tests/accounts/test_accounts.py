"""Accounts as rows, and the wake-ups that tell live sessions to look again."""

import asyncio
from collections.abc import Callable

import pytest

from mailhost import accounts, domains
from mailhost.accounts import AccountExists, AccountState, BadLocalPart, NoSuchAccount
from mailhost.accounts.audit.model import Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import list_sign_ins, record_sign_ins
from mailhost.storage.database import Database, Tx

NOW = 1_800_000_000


async def add_accounts(database: Database, *addresses: str) -> list[int]:
    def work(tx: Tx) -> list[int]:
        ids = []
        for address in addresses:
            name = address.partition("@")[2]
            domain = domains.find_domain(tx, name) or domains.add_domain(tx, name, NOW)
            made = accounts.create_account(tx, domain_id=domain.id, address=address, password_hash=None, now=NOW)
            ids.append(made.id)
        return ids

    return await database.write(work)


async def test_made_found_and_listed(database: Database) -> None:
    anna, otto, zoe = await add_accounts(database, "zoe@example.test", "anna@example.test", "otto@other.test")
    found = await database.read(accounts.find_account, "zoe@example.test")
    assert found is not None
    assert found == await database.read(accounts.get_account, found.id)
    assert found.state is AccountState.LIVE
    assert found.created_at == NOW
    everybody = await database.read(accounts.list_accounts)
    assert [account.address for account in everybody] == ["anna@example.test", "otto@other.test", "zoe@example.test"]
    assert len({anna, otto, zoe}) == 3
    page = await database.read(accounts.list_accounts, after="anna@example.test", at_most=1)
    assert [account.address for account in page] == ["otto@other.test"]
    there = await database.read(accounts.list_accounts, domain_id=found.domain_id)
    assert [account.address for account in there] == ["anna@example.test", "zoe@example.test"]
    first = await database.read(accounts.first_account_of, found.domain_id)
    assert first is not None
    assert first.address == "zoe@example.test"


async def test_an_address_is_given_once(database: Database) -> None:
    await add_accounts(database, "anna@example.test")
    with pytest.raises(AccountExists, match=r"anna@example\.test"):
        await add_accounts(database, "anna@example.test")


async def test_addresses_have_a_length(database: Database) -> None:
    with pytest.raises(BadLocalPart):
        await add_accounts(database, f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 10}")


async def test_ids_are_never_given_again(database: Database) -> None:
    [first] = await add_accounts(database, "anna@example.test")
    await database.write(accounts.remove_account, first)
    [second] = await add_accounts(database, "anna@example.test")
    assert second > first


async def test_removal_takes_credentials_and_diary_along(database: Database) -> None:
    [anna] = await add_accounts(database, "anna@example.test")
    await database.write(accounts.add_app_password, anna, name="phone", digest=b"d" * 32, now=NOW)
    entry = SignIn(anna, Cause.SIGNED_IN, "", "imap", 993, "192.0.2.1", "192.0.2.0/24", None, "PLAIN", "", 1)
    await database.write(record_sign_ins, [(entry, Occurrence(NOW, "c1", 1))])
    await database.write(accounts.remove_account, anna)
    assert await database.read(accounts.list_app_passwords, anna) == []
    assert await database.read(list_sign_ins, anna) == []
    with pytest.raises(NoSuchAccount):
        await database.write(accounts.remove_account, anna)
    with pytest.raises(NoSuchAccount):
        await database.read(accounts.get_account, anna)


def revoke(tx: Tx, account_id: int) -> None:
    accounts.revoke_app_password(tx, account_id, 1, NOW)


def suspend(tx: Tx, account_id: int) -> None:
    accounts.set_state(tx, account_id, AccountState.SUSPENDED)


def change_password(tx: Tx, account_id: int) -> None:
    accounts.set_password(tx, account_id, "$new", NOW)


@pytest.mark.parametrize("ending", [revoke, suspend, change_password, accounts.remove_account])
async def test_live_sessions_are_woken(database: Database, ending: Callable[[Tx, int], None]) -> None:
    [anna] = await add_accounts(database, "anna@example.test")
    await database.write(accounts.add_app_password, anna, name="phone", digest=b"d" * 32, now=NOW)
    woken = asyncio.Event()
    watch = database.watch(accounts.topic(anna), woken.set)
    try:
        await database.write(ending, anna)
        async with asyncio.timeout(5):
            await woken.wait()
    finally:
        watch.close()
