"""App passwords and the account password as rows."""

import pytest

from mailhost import accounts, domains
from mailhost.accounts import (
    ALL_PROTOCOLS,
    BadName,
    BadScope,
    Ended,
    LastUse,
    NoSuchAccount,
    NoSuchAppPassword,
    Protocols,
    Scope,
)
from mailhost.accounts.credentials.scope import is_within
from mailhost.accounts.credentials.sql import find_candidate, owner_of, record_uses, still_valid
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
        accounts.add_app_password, account_id, name=name, digest=digest, scope=Scope(protocols), now=NOW
    )
    return made.id


async def test_look_up_finds_account_and_its_app_password_together(database: Database) -> None:
    anna = await add_account(database)
    phone = await add(database, anna, "phone", b"d" * 32, Protocols.IMAP | Protocols.SMTP)
    found = await database.point(find_candidate, "anna@example.test", b"d" * 32)
    assert found is not None
    assert found.found is not None
    assert (found.account_id, found.found.id, found.found.name, found.found.protocols) == (anna, phone, "phone", 5)
    assert found.is_live
    assert found.found.revoked_at is None
    without = await database.point(find_candidate, "anna@example.test", b"x" * 32)
    assert without is not None
    assert (without.found, without.password_hash) == (None, "$old")
    assert await database.point(find_candidate, "otto@example.test", b"d" * 32) is None


async def test_an_app_password_opens_no_other_account(database: Database) -> None:
    anna, otto = await add_account(database), await add_account(database, "otto@example.test")
    await add(database, anna, "phone", b"d" * 32)
    found = await database.point(find_candidate, "otto@example.test", b"d" * 32)
    assert found is not None
    assert (found.account_id, found.found) == (otto, None)
    assert await database.point(owner_of, b"d" * 32) == (anna, "anna@example.test")
    assert await database.point(owner_of, b"x" * 32) is None


async def test_ids_are_counted_per_account(database: Database) -> None:
    anna, otto = await add_account(database), await add_account(database, "otto@example.test")
    assert [await add(database, anna, "phone", b"1" * 32), await add(database, anna, "tablet", b"2" * 32)] == [1, 2]
    assert await add(database, otto, "phone", b"3" * 32) == 1


async def test_revoked_is_remembered_but_not_listed(database: Database) -> None:
    anna = await add_account(database)
    phone = await add(database, anna, "phone", b"d" * 32)
    assert await database.read(still_valid, anna, phone, Protocols.IMAP.value, NOW)
    await database.write(accounts.revoke_app_password, anna, phone, NOW + 5)
    assert await database.read(accounts.list_app_passwords, anna) == []
    found = await database.point(find_candidate, "anna@example.test", b"d" * 32)
    assert found is not None
    assert found.found is not None
    assert (found.found.revoked_at, found.found.ended) == (NOW + 5, Ended.REVOKED.value)
    assert not await database.read(still_valid, anna, phone, Protocols.IMAP.value, NOW)
    with pytest.raises(NoSuchAppPassword):
        await database.write(accounts.revoke_app_password, anna, phone, NOW + 6)


async def test_long_revoked_is_forgotten_when_a_new_one_is_made(database: Database) -> None:
    anna = await add_account(database)
    await add(database, anna, "phone", b"d" * 32)
    await database.write(accounts.revoke_app_password, anna, 1, NOW - KEEP_REVOKED_SECONDS - 1)
    await add(database, anna, "phone", b"e" * 32)
    found = await database.point(find_candidate, "anna@example.test", b"d" * 32)
    assert found is not None
    assert found.found is None


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
    assert await database.read(still_valid, anna, 1, Protocols.POP3.value, NOW)
    assert not await database.read(still_valid, anna, 1, Protocols.IMAP.value, NOW)
    await database.write(accounts.set_state, anna, accounts.AccountState.SUSPENDED)
    assert not await database.read(still_valid, anna, 1, Protocols.POP3.value, NOW)
    await database.write(accounts.set_state, anna, accounts.AccountState.LIVE)
    assert await database.read(still_valid, anna, 1, Protocols.POP3.value, NOW)
    await database.write(accounts.remove_account, anna)
    assert not await database.read(still_valid, anna, 1, Protocols.POP3.value, NOW)


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
            accounts.add_app_password(tx, anna, name="one of many", digest=number.to_bytes(32, "big"), now=NOW)

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


async def test_a_scope_is_kept_as_it_was_given(database: Database) -> None:
    anna = await add_account(database)
    scope = Scope(Protocols.IMAP, read_only=True, networks=("192.0.2.7/24", "2001:db8::1"), expires_at=NOW + 60)
    made = await database.write(accounts.add_app_password, anna, name="x", digest=b"d" * 32, scope=scope, now=NOW)
    assert made.scope.networks == ("192.0.2.0/24", "2001:db8::1/128")
    assert await database.read(accounts.list_app_passwords, anna) == [made]
    assert await database.read(still_valid, anna, made.id, Protocols.IMAP.value, NOW + 59)
    assert not await database.read(still_valid, anna, made.id, Protocols.IMAP.value, NOW + 60)


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (Scope(Protocols(0)), "at least one"),
        (Scope(read_only=True), "cannot open SMTP"),
        (Scope(networks=("home",)), "no address"),
        (Scope(networks=("192.0.2.1",) * 21), "At most 20"),
        (Scope(expires_at=NOW), "expired already"),
    ],
)
async def test_scopes_that_open_nothing_are_refused(database: Database, scope: Scope, why: str) -> None:
    anna = await add_account(database)
    with pytest.raises(BadScope, match=why):
        await database.write(accounts.add_app_password, anna, name="x", digest=b"d" * 32, scope=scope, now=NOW)


@pytest.mark.parametrize(
    ("peer", "networks", "expected"),
    [
        ("192.0.2.7", "", True),
        ("192.0.2.7", "198.51.100.0/24 192.0.2.0/24", True),
        ("192.0.3.7", "192.0.2.0/24", False),
        ("::ffff:192.0.2.7", "192.0.2.0/24", True),
        ("fe80::1%eth0", "fe80::/10", True),
        ("2001:db8::1", "192.0.2.0/24", False),
        ("somewhere", "192.0.2.0/24", False),
    ],
)
def test_where_an_app_password_may_be_used(peer: str, networks: str, expected: bool) -> None:
    assert is_within(peer, networks) is expected


async def test_app_passwords_end_with_two_step_verification(database: Database) -> None:
    anna = await add_account(database)
    assert not await database.read(accounts.has_two_step, anna)
    assert await database.write(accounts.set_two_step, anna, is_on=True, now=NOW) == 0
    await add(database, anna, "phone", b"d" * 32)
    assert await database.write(accounts.set_two_step, anna, is_on=True, now=NOW + 1) == 0
    assert await database.read(accounts.has_two_step, anna)
    assert await database.write(accounts.set_two_step, anna, is_on=False, now=NOW + 2) == 1
    assert not await database.read(accounts.has_two_step, anna)
    candidate = await database.point(find_candidate, "anna@example.test", b"d" * 32)
    assert candidate is not None
    assert candidate.found is not None
    assert candidate.found.ended == Ended.TWO_STEP_OFF.value
