"""Accounts as rows. Every change takes the account's row first and wakes `topic(account_id)` when it ends sessions."""

from typing import Final

from mailhost.accounts.model import (
    MAX_ADDRESS_OCTETS,
    Account,
    AccountExists,
    AccountState,
    BadLocalPart,
    NoSuchAccount,
)
from mailhost.accounts.web_sessions.sql import end_web_sessions
from mailhost.limits import Rules, read_rules
from mailhost.storage.database import Row, Tx
from mailhost.storage.sql import take_id

_COLUMNS: Final = "id, domain_id, address, display_name, state, created_at"
_TABLES: Final = (
    "app_password", "sign_in", "known_place", "held_sign_in", "live_session", "octets_moved", "web_session",
    "authenticator", "passkey", "backup_code",
)  # fmt: skip
"""What an account has here besides its own row."""


def topic(account_id: int) -> str:
    """The topic woken when credentials of the account stop being good; a sleeper asks `still_valid`."""
    return f"account:{account_id}"


def create_account(
    tx: Tx,
    *,
    domain_id: int,
    address: str,
    password_hash: str | None,
    now: int,
    display_name: str = "",
) -> Account:
    """Make the account's row. `address` is normalised, its domain ours. Raises AccountExists, BadLocalPart."""
    if len(address.encode()) > MAX_ADDRESS_OCTETS:
        raise BadLocalPart(f"The address is longer than {MAX_ADDRESS_OCTETS} octets.")
    account_id = take_id(tx, "account")
    rows = tx.execute(
        """insert into account (id, domain_id, address, display_name, state, password_hash,
            next_app_password_id, created_at)
        values (:id, :domain_id, :address, :display_name, 'live', :password_hash, 1, :now)
        on conflict (address) do nothing returning id""",
        id=account_id,
        domain_id=domain_id,
        address=address,
        display_name=display_name,
        password_hash=password_hash,
        now=now,
    )
    if not rows:
        raise AccountExists(f"The account {address} is here already.")
    return Account(account_id, domain_id, address, display_name, AccountState.LIVE, now)


def find_account(tx: Tx, address: str) -> Account | None:
    """The account of this normalised address, or None."""
    rows = tx.execute(f"select {_COLUMNS} from account where address = :address", address=address)
    return _account(rows[0]) if rows else None


def get_account(tx: Tx, account_id: int) -> Account:
    """The account of this id. Raises NoSuchAccount."""
    rows = tx.execute(f"select {_COLUMNS} from account where id = :account_id", account_id=account_id)
    if not rows:
        raise NoSuchAccount
    return _account(rows[0])


def list_accounts(tx: Tx, *, domain_id: int | None = None, after: str = "", at_most: int = 1_000) -> list[Account]:
    """Accounts by address, those behind `after`; of one domain when it is named."""
    rows = tx.execute(
        f"""select {_COLUMNS} from account
        where address > :after and (cast(:domain_id as bigint) is null or domain_id = :domain_id)
        order by address limit :at_most""",
        after=after,
        domain_id=domain_id,
        at_most=at_most,
    )
    return [_account(row) for row in rows]


def first_account_of(tx: Tx, domain_id: int) -> Account | None:
    """The domain's oldest account, or None."""
    rows = tx.execute(
        f"select {_COLUMNS} from account where domain_id = :domain_id order by id limit 1",
        domain_id=domain_id,
    )
    return _account(rows[0]) if rows else None


def set_state(tx: Tx, account_id: int, state: AccountState) -> None:
    """Suspend the account or let it live again. Raises NoSuchAccount."""
    _change(tx, "update account set state = :value where id = :account_id returning id", account_id, state.value)
    if state is not AccountState.LIVE:
        end_web_sessions(tx, account_id)
    tx.wake(topic(account_id))


def set_rules(tx: Tx, account_id: int, rules: Rules) -> None:
    """Let the account have rules of its own; sessions ask again whether they may go on. Raises NoSuchAccount."""
    _change(tx, "update account set rules = :value where id = :account_id returning id", account_id, rules.to_text())
    tx.wake(topic(account_id))


def rules_of_account(tx: Tx, account_id: int) -> Rules:
    """What the account's own rules say. Raises NoSuchAccount."""
    rows = tx.execute("select rules from account where id = :account_id", account_id=account_id)
    if not rows:
        raise NoSuchAccount
    return read_rules(rows[0][0])


def remove_account(tx: Tx, account_id: int) -> None:
    """Remove the account with its credentials and its diary; its mail is the mail store's. Raises NoSuchAccount."""
    rows = tx.execute("delete from account where id = :account_id returning id", account_id=account_id)
    if not rows:
        raise NoSuchAccount
    for table in _TABLES:
        tx.execute(f"delete from {table} where account_id = :account_id", account_id=account_id)
    tx.wake(topic(account_id))


def _change(tx: Tx, statement: str, account_id: int, value: str) -> None:
    if not tx.execute(statement, account_id=account_id, value=value):
        raise NoSuchAccount


def _account(row: Row) -> Account:
    account_id, domain_id, address, display_name, state, created_at = row
    return Account(account_id, domain_id, address, display_name, AccountState(state), created_at)
