"""What the commands about accounts do with the store."""

import sys
from pathlib import Path

from mailhost import accounts, mailstore
from mailhost.accounts import Account, AccountState, NoSuchAccount
from mailhost.cli.store import opened
from mailhost.delivery.forget import forget_account
from mailhost.login.enrol import UnfitPassword, account_at, check_new_password, leave
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx


def remove_account(tx: Tx, blobs: Blobs, address: str) -> int:
    """The account can no longer be used, and its mail waits to be erased; returns its id. Raises NoSuchAccount."""
    account_id = leave(tx, address).id
    forget_account(tx, blobs, account_id)
    return account_id


async def set_quota(data: Path, address: str, octets: int, messages: int | None) -> str:
    """Give the account that much room; returns its address. Raises NoSuchAccount."""

    def change(tx: Tx) -> str:
        found = account_at(tx, address)
        mailstore.set_quota(tx, found.id, octets, messages)
        return found.address

    async with opened(data) as store:
        return await store.database.write(change)


async def set_state(data: Path, address: str, state: AccountState) -> str:
    """Suspend the account, or let it live; returns its address. Raises NoSuchAccount."""

    def change(tx: Tx) -> str:
        found = account_at(tx, address)
        accounts.set_state(tx, found.id, state)
        return found.address

    async with opened(data) as store:
        return await store.database.write(change)


def read_password() -> str:
    """One line of standard input. Raises UnfitPassword."""
    try:
        given = sys.stdin.buffer.readline(4_096).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UnfitPassword("The password on standard input is not UTF-8.") from error
    check_new_password(given)
    return given


def page_of_accounts(tx: Tx, after: str) -> list[tuple[Account, mailstore.Usage]]:
    """The next accounts in the order of addresses, with what they store."""
    return [(found, mailstore.usage(tx, found.id)) for found in accounts.list_accounts(tx, after=after, at_most=500)]


def account_with_usage(tx: Tx, address: str) -> tuple[Account, mailstore.Usage]:
    """An account with what it stores. Raises NoSuchAccount."""
    found = account_at(tx, address)
    try:
        return found, mailstore.usage(tx, found.id)
    except mailstore.NoSuchAccount as error:
        raise NoSuchAccount(f"{found.address} is being removed already.") from error
