"""People and their credentials: accounts in `sql`, what they sign in with in `credentials`, the diary in `audit`."""

from mailhost.accounts.credentials.sql import (
    add_app_password,
    list_app_passwords,
    revoke_app_password,
    set_password,
)
from mailhost.accounts.model import (
    ALL_PROTOCOLS,
    Account,
    AccountExists,
    AccountState,
    AppPassword,
    BadLocalPart,
    BadName,
    LastUse,
    NoSuchAccount,
    NoSuchAppPassword,
    Protocols,
    TooManyAppPasswords,
    WrongSecretKey,
)
from mailhost.accounts.names import new_local_part, normalise_local_part
from mailhost.accounts.sql import (
    create_account,
    find_account,
    first_account_of,
    get_account,
    list_accounts,
    remove_account,
    set_state,
    topic,
)

__all__ = [
    "ALL_PROTOCOLS",
    "Account",
    "AccountExists",
    "AccountState",
    "AppPassword",
    "BadLocalPart",
    "BadName",
    "LastUse",
    "NoSuchAccount",
    "NoSuchAppPassword",
    "Protocols",
    "TooManyAppPasswords",
    "WrongSecretKey",
    "add_app_password",
    "create_account",
    "find_account",
    "first_account_of",
    "get_account",
    "list_accounts",
    "list_app_passwords",
    "new_local_part",
    "normalise_local_part",
    "remove_account",
    "revoke_app_password",
    "set_password",
    "set_state",
    "topic",
]
