"""Second steps as rows: an authenticator app, passkeys, backup codes. No secret is here, nor can one be made of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mailhost.accounts.model import MAX_NAME_LENGTH, BadName, NoSuchAccount
from mailhost.errors import MailhostError
from mailhost.storage.database import Tx

MOST_PASSKEYS: Final = 20


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey. `credential` is WebAuthn's attested credential data; times are Unix seconds."""

    id: int
    name: str
    credential: bytes
    added_at: int
    last_used_at: int | None


@dataclass(frozen=True, slots=True)
class SecondSteps:
    """What an account has. `app_since` is None without an authenticator app."""

    app_since: int | None
    passkeys: list[Passkey]
    codes_left: int


class NoSuchPasskey(MailhostError):
    """The account has no passkey of this number."""


class PasskeyExists(MailhostError):
    """This passkey is known already."""


class TooManyPasskeys(MailhostError):
    """The account has as many passkeys as it may."""


def second_steps(tx: Tx, account_id: int) -> SecondSteps:
    """What an account can take its second step with."""
    app = tx.execute("select added_at from authenticator where account_id = :account_id", account_id=account_id)
    [(codes,)] = tx.execute("select count(*) from backup_code where account_id = :account_id", account_id=account_id)
    return SecondSteps(app[0][0] if app else None, list_passkeys(tx, account_id), codes)


def forget_second_steps(tx: Tx, account_id: int) -> None:
    """Remove all of them."""
    for table in ("authenticator", "passkey", "backup_code"):
        tx.execute(f"delete from {table} where account_id = :account_id", account_id=account_id)


def hold_account(tx: Tx, account_id: int) -> None:
    """Take the account's row: what is looked at and changed from here on, nobody changes meanwhile."""
    if not tx.execute("update account set state = state where id = :id returning id", id=account_id):
        raise NoSuchAccount


# The authenticator app


def set_authenticator(tx: Tx, account_id: int, salt: bytes, step: int, now: int) -> None:
    """Have the app of this salt, and no other from now on; `step` is that of the code which proved it."""
    tx.execute(
        """insert into authenticator (account_id, salt, last_step, added_at) values (:account_id, :salt, :step, :now)
        on conflict (account_id) do update set salt = excluded.salt, last_step = excluded.last_step,
            added_at = excluded.added_at""",
        account_id=account_id,
        salt=salt,
        step=step,
        now=now,
    )


def authenticator_salt(tx: Tx, account_id: int) -> bytes | None:
    """What the app's secret is made of; None without an app."""
    rows = tx.execute("select salt from authenticator where account_id = :account_id", account_id=account_id)
    return bytes(rows[0][0]) if rows else None


def take_step(tx: Tx, account_id: int, step: int) -> bool:
    """Whether the code of a time step may be used: only once, and none that is older than the last one."""
    rows = tx.execute(
        """update authenticator set last_step = :step where account_id = :account_id and last_step < :step
        returning account_id""",
        account_id=account_id,
        step=step,
    )
    return bool(rows)


def remove_authenticator(tx: Tx, account_id: int) -> None:
    """Forget the app."""
    tx.execute("delete from authenticator where account_id = :account_id", account_id=account_id)


# Passkeys


def add_passkey(
    tx: Tx, account_id: int, *, name: str, credential_id: bytes, credential: bytes, signatures: int, now: int
) -> None:
    """Keep a passkey; the account is held. Raises BadName, TooManyPasskeys, PasskeyExists."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadName(f"A passkey's name has 1 to {MAX_NAME_LENGTH} characters that can be seen.")
    [(count, last)] = tx.execute(
        "select count(*), coalesce(max(id), 0) from passkey where account_id = :account_id", account_id=account_id
    )
    if count >= MOST_PASSKEYS:
        raise TooManyPasskeys
    rows = tx.execute(
        """insert into passkey (account_id, id, name, credential_id, credential, signatures, added_at)
        values (:account_id, :id, :name, :credential_id, :credential, :signatures, :now)
        on conflict (credential_id) do nothing returning id""",
        account_id=account_id,
        id=last + 1,
        name=name,
        credential_id=credential_id,
        credential=credential,
        signatures=signatures,
        now=now,
    )
    if not rows:
        raise PasskeyExists


def list_passkeys(tx: Tx, account_id: int) -> list[Passkey]:
    """An account's passkeys, the oldest first."""
    rows = tx.execute(
        """select id, name, credential, added_at, last_used_at from passkey
        where account_id = :account_id order by id""",
        account_id=account_id,
    )
    return [Passkey(number, name, bytes(credential), added, used) for number, name, credential, added, used in rows]


def use_passkey(tx: Tx, account_id: int, credential_id: bytes, signatures: int, now: int) -> bool:
    """Note a use; False when the counter did not rise, as it would with a copy (WebAuthn §6.1.1)."""
    rows = tx.execute(
        """update passkey set signatures = :signatures, last_used_at = :now
        where account_id = :account_id and credential_id = :credential_id
            and (signatures < :signatures or (signatures = 0 and :signatures = 0)) returning id""",
        account_id=account_id,
        credential_id=credential_id,
        signatures=signatures,
        now=now,
    )
    return bool(rows)


def remove_passkey(tx: Tx, account_id: int, passkey_id: int) -> None:
    """Forget a passkey. Raises NoSuchPasskey."""
    rows = tx.execute(
        "delete from passkey where account_id = :account_id and id = :id returning id",
        account_id=account_id,
        id=passkey_id,
    )
    if not rows:
        raise NoSuchPasskey


# Backup codes


def renew_codes(tx: Tx, account_id: int, digests: Iterable[bytes]) -> None:
    """Have these codes, and none of the old ones."""
    tx.execute("delete from backup_code where account_id = :account_id", account_id=account_id)
    tx.execute_many(
        "insert into backup_code (account_id, digest) values (:account_id, :digest)",
        [{"account_id": account_id, "digest": digest} for digest in digests],
    )


def take_code(tx: Tx, account_id: int, digest: bytes) -> bool:
    """Whether this is one of the codes; from now on it is none any more."""
    rows = tx.execute(
        "delete from backup_code where account_id = :account_id and digest = :digest returning account_id",
        account_id=account_id,
        digest=digest,
    )
    return bool(rows)
