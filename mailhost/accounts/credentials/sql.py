"""Credentials as rows, and the look-up that every sign-in makes."""

from collections.abc import Iterable

from mailhost.accounts.model import (
    KEEP_REVOKED_SECONDS,
    MAX_APP_PASSWORDS,
    MAX_NAME_LENGTH,
    AppPassword,
    BadName,
    Candidate,
    LastUse,
    NoSuchAccount,
    NoSuchAppPassword,
    Protocols,
    TooManyAppPasswords,
)
from mailhost.accounts.sql import topic
from mailhost.storage.database import Tx


def find_candidate(tx: Tx, address: str, digest: bytes) -> Candidate | None:
    """The account of a normalised address, with its app password of this digest if it has one: two rows by key."""
    rows = tx.execute(
        """select account.id, account.address, account.state, account.password_hash,
            app_password.id, app_password.protocols, app_password.revoked_at
        from account left join app_password
            on app_password.digest = :digest and app_password.account_id = account.id
        where account.address = :address""",
        address=address,
        digest=digest,
    )
    if not rows:
        return None
    account_id, found_address, state, password_hash, credential_id, protocols, revoked_at = rows[0]
    return Candidate(
        account_id,
        found_address,
        state == "live",
        password_hash,
        credential_id,
        protocols or 0,
        revoked_at is not None,
    )


def is_app_password_of_another(tx: Tx, digest: bytes) -> bool:
    """Whether some account has a live app password of this digest; asked when the account signing in has not."""
    return bool(tx.execute("select 1 from app_password where digest = :digest and revoked_at is null", digest=digest))


def still_valid(tx: Tx, account_id: int, credential_id: int, protocol_bit: int) -> bool:
    """Whether a session opened with this app password may go on."""
    return bool(
        tx.execute(
            """select 1 from account join app_password on app_password.account_id = account.id
            where account.id = :account_id and account.state = 'live' and app_password.id = :credential_id
                and app_password.revoked_at is null and (app_password.protocols & :protocol_bit) <> 0""",
            account_id=account_id,
            credential_id=credential_id,
            protocol_bit=protocol_bit,
        )
    )


def set_password(tx: Tx, account_id: int, password_hash: str, now: int) -> int:
    """Give the account another password; every app password ends with the old one. Returns how many did."""
    rows = tx.execute(
        "update account set password_hash = :password_hash where id = :account_id returning id",
        account_id=account_id,
        password_hash=password_hash,
    )
    if not rows:
        raise NoSuchAccount
    revoked = tx.execute(
        """update app_password set revoked_at = :now
        where account_id = :account_id and revoked_at is null returning id""",
        account_id=account_id,
        now=now,
    )
    tx.wake(topic(account_id))
    return len(revoked)


def add_app_password(
    tx: Tx, account_id: int, *, name: str, digest: bytes, protocols: Protocols, now: int
) -> AppPassword:
    """Make an app password. Raises NoSuchAccount, BadName, TooManyAppPasswords."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadName(f"An app password's name has 1 to {MAX_NAME_LENGTH} characters that can be seen.")
    rows = tx.execute(
        """update account set next_app_password_id = next_app_password_id + 1
        where id = :account_id returning next_app_password_id - 1""",
        account_id=account_id,
    )
    if not rows:
        raise NoSuchAccount
    credential_id = int(rows[0][0])
    tx.execute(
        "delete from app_password where account_id = :account_id and revoked_at < :long_ago",
        account_id=account_id,
        long_ago=now - KEEP_REVOKED_SECONDS,
    )
    [(live,)] = tx.execute(
        "select count(*) from app_password where account_id = :account_id and revoked_at is null",
        account_id=account_id,
    )
    if live >= MAX_APP_PASSWORDS:
        raise TooManyAppPasswords(f"The account has {live} app passwords already; revoke one first.")
    tx.execute(
        """insert into app_password (account_id, id, name, digest, protocols, created_at)
        values (:account_id, :id, :name, :digest, :protocols, :now)""",
        account_id=account_id,
        id=credential_id,
        name=name,
        digest=digest,
        protocols=int(protocols),
        now=now,
    )
    return AppPassword(account_id, credential_id, name, protocols, now, None)


def list_app_passwords(tx: Tx, account_id: int) -> list[AppPassword]:
    """The account's live app passwords, the oldest first."""
    rows = tx.execute(
        """select id, name, protocols, created_at, last_used_at, last_used_peer, last_used_protocol
        from app_password where account_id = :account_id and revoked_at is null order by id""",
        account_id=account_id,
    )
    return [
        AppPassword(
            account_id,
            credential_id,
            name,
            Protocols(protocols),
            created_at,
            None if last_used_at is None else LastUse(last_used_at, peer, protocol),
        )
        for credential_id, name, protocols, created_at, last_used_at, peer, protocol in rows
    ]


def revoke_app_password(tx: Tx, account_id: int, credential_id: int, now: int) -> None:
    """End one app password. Raises NoSuchAppPassword."""
    rows = tx.execute(
        """update app_password set revoked_at = :now
        where account_id = :account_id and id = :credential_id and revoked_at is null returning id""",
        account_id=account_id,
        credential_id=credential_id,
        now=now,
    )
    if not rows:
        raise NoSuchAppPassword
    tx.wake(topic(account_id))


def record_uses(tx: Tx, uses: Iterable[tuple[int, int, LastUse]]) -> None:
    """Note when (account, app password) was last right; of uses that come late, the latest stays."""
    tx.execute_many(
        """update app_password set last_used_at = :at, last_used_peer = :peer, last_used_protocol = :protocol
        where account_id = :account_id and id = :credential_id and coalesce(last_used_at, 0) <= :at""",
        [
            {
                "account_id": account_id,
                "credential_id": credential_id,
                "at": use.at,
                "peer": use.peer,
                "protocol": use.protocol,
            }
            for account_id, credential_id, use in sorted(uses, key=lambda row: row[:2])
        ],
    )
