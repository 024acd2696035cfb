"""Credentials as rows, and the look-up that every sign-in makes."""

from collections.abc import Iterable
from typing import Final

from mailhost.accounts.credentials.scope import checked_name, checked_scope
from mailhost.accounts.model import (
    KEEP_REVOKED_SECONDS,
    MAX_APP_PASSWORDS,
    AppPassword,
    Candidate,
    Ended,
    Found,
    LastUse,
    NoSuchAccount,
    NoSuchAppPassword,
    Protocols,
    Scope,
    TooManyAppPasswords,
)
from mailhost.accounts.sql import topic
from mailhost.accounts.web_sessions.sql import end_web_sessions
from mailhost.storage.database import Row, Tx

_COLUMNS: Final = """id, name, protocols, read_only, networks, expires_at, created_at, last_used_at, last_used_peer,
    last_used_protocol, last_used_network, last_used_client, last_used_tls, roams"""


def find_candidate(tx: Tx, address: str, digest: bytes) -> Candidate | None:
    """The account of a normalised address, with its app password of this digest if it has one: three rows by key."""
    rows = tx.execute(
        """select account.id, account.address, account.state, account.password_hash, account.two_step_since,
            account.rules, domain.rules, account.over_limits, app_password.id, app_password.name,
            app_password.protocols, app_password.read_only, app_password.networks, app_password.expires_at,
            app_password.roams, app_password.revoked_at, app_password.revoked_why
        from account join domain on domain.id = account.domain_id left join app_password
            on app_password.digest = :digest and app_password.account_id = account.id
        where account.address = :address""",
        address=address,
        digest=digest,
    )
    if not rows:
        return None
    account_id, found_address, state, password_hash, two_step, rules, domain_rules, over, *of_password = rows[0]
    credential_id, name, protocols, read_only, networks, expires_at, roams, revoked_at, ended = of_password
    found = None
    if credential_id is not None:
        found = Found(
            credential_id, name, protocols, read_only != 0, networks, expires_at, roams != 0, revoked_at, ended
        )
    return Candidate(
        account_id,
        found_address,
        state == "live",
        password_hash,
        two_step is not None,
        rules,
        domain_rules,
        over,
        found,
    )


def owner_of(tx: Tx, digest: bytes) -> tuple[int, str] | None:
    """(account id, address) of whose live app password this is."""
    rows = tx.execute(
        """select account.id, account.address from app_password join account on account.id = app_password.account_id
        where app_password.digest = :digest and app_password.revoked_at is null""",
        digest=digest,
    )
    return (int(rows[0][0]), str(rows[0][1])) if rows else None


def still_valid(tx: Tx, account_id: int, credential_id: int, protocol_bit: int, now: int) -> bool:
    """Whether a session opened with this app password may go on."""
    return bool(
        tx.execute(
            """select 1 from account join app_password on app_password.account_id = account.id
            where account.id = :account_id and account.state = 'live' and app_password.id = :credential_id
                and app_password.revoked_at is null and (app_password.protocols & :protocol_bit) <> 0
                and (app_password.expires_at is null or app_password.expires_at > :now)""",
            account_id=account_id,
            credential_id=credential_id,
            protocol_bit=protocol_bit,
            now=now,
        )
    )


def set_password(tx: Tx, account_id: int, password_hash: str, now: int, *, but_session: int = 0) -> int:
    """Give the account another password; with the old one end the web sessions but for one, and every app password.

    Returns how many of the latter did. Raises NoSuchAccount.
    """
    rows = tx.execute(
        """update account set password_hash = :password_hash, password_since = :now
        where id = :account_id returning id""",
        account_id=account_id,
        password_hash=password_hash,
        now=now,
    )
    if not rows:
        raise NoSuchAccount
    end_web_sessions(tx, account_id, but=but_session)
    return end_app_passwords(tx, account_id, Ended.NEW_PASSWORD, now)


def set_two_step(tx: Tx, account_id: int, *, is_on: bool, now: int) -> int:
    """Note that two-step verification was switched on or off; off, every app password ends. Returns how many did."""
    rows = tx.execute(
        """update account set two_step_since = case when :is_on = 1 then coalesce(two_step_since, :now) end
        where id = :account_id returning id""",
        account_id=account_id,
        is_on=int(is_on),
        now=now,
    )
    if not rows:
        raise NoSuchAccount
    return 0 if is_on else end_app_passwords(tx, account_id, Ended.TWO_STEP_OFF, now)


def has_two_step(tx: Tx, account_id: int) -> bool:
    """Whether two-step verification is on. Raises NoSuchAccount."""
    rows = tx.execute("select two_step_since from account where id = :account_id", account_id=account_id)
    if not rows:
        raise NoSuchAccount
    return rows[0][0] is not None


def two_step_and_password_since(tx: Tx, account_id: int) -> tuple[int | None, int | None]:
    """Since when two-step verification is on, None while it is off; and when the account password was last changed,
    None while it is the first one. Raises NoSuchAccount."""
    rows = tx.execute(
        "select two_step_since, password_since from account where id = :account_id", account_id=account_id
    )
    if not rows:
        raise NoSuchAccount
    return rows[0][0], rows[0][1]


def end_app_passwords(tx: Tx, account_id: int, ended: Ended, now: int) -> int:
    """End every app password of the account, and the sessions that use one. Returns how many did."""
    revoked = tx.execute(
        """update app_password set revoked_at = :now, revoked_why = :ended
        where account_id = :account_id and revoked_at is null returning id""",
        account_id=account_id,
        ended=ended.value,
        now=now,
    )
    tx.wake(topic(account_id))
    return len(revoked)


def take_credential_id(tx: Tx, account_id: int) -> int:
    """Draw a number for a new credential of the account, and take the account's row. Raises NoSuchAccount."""
    rows = tx.execute(
        """update account set next_app_password_id = next_app_password_id + 1
        where id = :account_id returning next_app_password_id - 1""",
        account_id=account_id,
    )
    if not rows:
        raise NoSuchAccount
    return int(rows[0][0])


def add_app_password(
    tx: Tx,
    account_id: int,
    *,
    name: str,
    digest: bytes,
    now: int,
    scope: Scope = Scope(),  # noqa: B008 - it is frozen
) -> AppPassword:
    """Make an app password. Raises NoSuchAccount, BadName, BadScope, TooManyAppPasswords."""
    name, scope = checked_name(name), checked_scope(scope, now)
    credential_id = take_credential_id(tx, account_id)
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
        """insert into app_password
            (account_id, id, name, digest, protocols, created_at, read_only, networks, expires_at)
        values (:account_id, :id, :name, :digest, :protocols, :now, :read_only, :networks, :expires_at)""",
        account_id=account_id,
        id=credential_id,
        name=name,
        digest=digest,
        protocols=int(scope.protocols),
        now=now,
        read_only=int(scope.read_only),
        networks=" ".join(scope.networks),
        expires_at=scope.expires_at,
    )
    return AppPassword(account_id, credential_id, name, scope, now, None)


def list_app_passwords(tx: Tx, account_id: int) -> list[AppPassword]:
    """The account's live app passwords, the oldest first; those that expired are among them."""
    rows = tx.execute(
        f"""select {_COLUMNS} from app_password
        where account_id = :account_id and revoked_at is null order by id""",
        account_id=account_id,
    )
    return [_app_password(account_id, row) for row in rows]


def get_app_password(tx: Tx, account_id: int, credential_id: int) -> AppPassword:
    """One live app password. Raises NoSuchAppPassword."""
    rows = tx.execute(
        f"""select {_COLUMNS} from app_password
        where account_id = :account_id and id = :credential_id and revoked_at is null""",
        account_id=account_id,
        credential_id=credential_id,
    )
    if not rows:
        raise NoSuchAppPassword
    return _app_password(account_id, rows[0])


def _app_password(account_id: int, row: Row) -> AppPassword:
    credential_id, name, protocols, read_only, networks, expires_at, created_at, used_at, *use, roams = row
    peer, protocol, network, client_id, tls = use
    return AppPassword(
        account_id,
        credential_id,
        name,
        Scope(Protocols(protocols), read_only != 0, tuple(networks.split()), expires_at),
        created_at,
        None if used_at is None else LastUse(used_at, peer, protocol, network, client_id, tls),
        roams != 0,
    )


def revoke_app_password(tx: Tx, account_id: int, credential_id: int, now: int, ended: Ended = Ended.REVOKED) -> None:
    """End one app password and the sessions that use it. Raises NoSuchAppPassword."""
    rows = tx.execute(
        """update app_password set revoked_at = :now, revoked_why = :ended
        where account_id = :account_id and id = :credential_id and revoked_at is null returning id""",
        account_id=account_id,
        credential_id=credential_id,
        ended=ended.value,
        now=now,
    )
    if not rows:
        raise NoSuchAppPassword
    tx.wake(topic(account_id))


def let_roam(tx: Tx, account_id: int, credential_id: int) -> None:
    """Approve an app password for every network, as clouds of mail programs need it. Raises NoSuchAppPassword."""
    rows = tx.execute(
        """update app_password set roams = 1
        where account_id = :account_id and id = :credential_id and revoked_at is null returning id""",
        account_id=account_id,
        credential_id=credential_id,
    )
    if not rows:
        raise NoSuchAppPassword


def does_roam(tx: Tx, account_id: int, credential_id: int) -> bool:
    """Whether an app password was approved for every network."""
    return bool(
        tx.execute(
            "select 1 from app_password where account_id = :account_id and id = :credential_id and roams = 1",
            account_id=account_id,
            credential_id=credential_id,
        )
    )


def record_uses(tx: Tx, uses: Iterable[tuple[int, int, LastUse]]) -> None:
    """Note when (account, app password) was last right; of uses that come late, the latest stays."""
    tx.execute_many(
        """update app_password set last_used_at = :at, last_used_peer = :peer, last_used_protocol = :protocol,
            last_used_network = :network, last_used_client = :client, last_used_tls = :tls
        where account_id = :account_id and id = :credential_id and coalesce(last_used_at, 0) <= :at""",
        [
            {
                "account_id": account_id,
                "credential_id": credential_id,
                "at": use.at,
                "peer": use.peer,
                "protocol": use.protocol,
                "network": use.network,
                "client": use.client_id,
                "tls": use.tls,
            }
            for account_id, credential_id, use in sorted(uses, key=lambda row: row[:2])
        ],
    )
