"""The authorization server's rows. Secrets come as keyed digests: nothing here could be used by who reads it."""

from typing import Final

from mailhost.oauth.model import Client, Found, Grant, Kind, NoSuchClient, NoSuchGrant, Token
from mailhost.storage.database import Row, Tx

_COLUMNS: Final = (
    """digest, kind, account_id, grant_id, client_id, scopes, issued_at, expires_at, used_at, revoked_at"""
)
_CLIENT: Final = """id, name, kind, secret_digest, redirect_uris, scopes, public_key, delegated_domains, created_at,
    is_registered"""

# Programs


def insert_client(tx: Tx, client: Client) -> None:
    """Make a program known."""
    tx.execute(
        """insert into oauth_client (id, name, kind, secret_digest, redirect_uris, scopes, public_key,
            delegated_domains, created_at, is_registered)
        values (:id, :name, :kind, :secret_digest, :redirect_uris, :scopes, :public_key, :delegated_domains,
            :created_at, :is_registered)""",
        id=client.id,
        name=client.name,
        kind=client.kind.value,
        secret_digest=client.secret_digest,
        redirect_uris=" ".join(client.redirect_uris),
        scopes=" ".join(client.scopes),
        public_key=client.public_key,
        delegated_domains=" ".join(client.delegated_domains),
        created_at=client.created_at,
        is_registered=int(client.is_registered),
    )


def find_client(tx: Tx, client_id: str) -> Client | None:
    """The program of this id, or None."""
    rows = tx.execute(f"select {_CLIENT} from oauth_client where id = :id", id=client_id)
    return _client(rows[0]) if rows else None


def list_clients(tx: Tx) -> list[Client]:
    """Every program, the oldest first."""
    return [_client(row) for row in tx.execute(f"select {_CLIENT} from oauth_client order by created_at, id")]


def has_clients(tx: Tx) -> bool:
    """Whether any program is known: then sign-in by token is announced."""
    return bool(tx.execute("select 1 from oauth_client limit 1"))


def count_registered(tx: Tx) -> int:
    """How many programs registered themselves."""
    [(count,)] = tx.execute("select count(*) from oauth_client where is_registered = 1")
    return int(count)


def delete_client(tx: Tx, client_id: str) -> list[int]:
    """Forget a program with all that people allowed it; returns those people's accounts. Raises NoSuchClient."""
    if not tx.execute("delete from oauth_client where id = :id returning id", id=client_id):
        raise NoSuchClient(f"There is no program {client_id}.")
    rows = tx.execute(
        "select distinct account_id from oauth_grant where client_id = :id order by account_id", id=client_id
    )
    for table in ("oauth_grant", "oauth_code", "oauth_token", "oauth_device"):
        tx.execute(f"delete from {table} where client_id = :id", id=client_id)
    return [account_id for (account_id,) in rows]


def _client(row: Row) -> Client:
    client_id, name, kind, secret, redirects, scopes, key, domains, created_at, registered = row
    words = (tuple(redirects.split()), tuple(scopes.split()), key, tuple(domains.split()))
    return Client(client_id, name, Kind(kind), secret, *words, created_at, registered != 0)


# What people allowed


def find_grant(tx: Tx, account_id: int, client_id: str) -> tuple[int, str] | None:
    """(number, scopes) of what an account allows a program, or None."""
    rows = tx.execute(
        """select id, scopes from oauth_grant
        where account_id = :account_id and client_id = :client_id and revoked_at is null order by id desc limit 1""",
        account_id=account_id,
        client_id=client_id,
    )
    return (int(rows[0][0]), str(rows[0][1])) if rows else None


def insert_grant(tx: Tx, account_id: int, grant_id: int, client_id: str, scopes: str, now: int) -> None:
    """Note that an account allows a program something."""
    tx.execute(
        """insert into oauth_grant (account_id, id, client_id, scopes, created_at)
        values (:account_id, :id, :client_id, :scopes, :now)""",
        account_id=account_id,
        id=grant_id,
        client_id=client_id,
        scopes=scopes,
        now=now,
    )


def hold_grant(tx: Tx, account_id: int, grant_id: int) -> bool:
    """Whether what was allowed still is; until this transaction ends nobody withdraws it meanwhile."""
    return bool(
        tx.execute(
            """update oauth_grant set scopes = scopes
            where account_id = :account_id and id = :id and revoked_at is null returning id""",
            account_id=account_id,
            id=grant_id,
        )
    )


def widen_grant(tx: Tx, account_id: int, grant_id: int, scopes: str) -> None:
    """Note that more is allowed now."""
    tx.execute(
        "update oauth_grant set scopes = :scopes where account_id = :account_id and id = :id",
        scopes=scopes,
        account_id=account_id,
        id=grant_id,
    )


def list_grants(tx: Tx, account_id: int) -> list[Grant]:
    """The programs that an account allows something, the oldest first."""
    rows = tx.execute(
        """select oauth_grant.account_id, oauth_grant.id, client_id, oauth_client.name, oauth_client.kind,
            oauth_grant.scopes, oauth_grant.created_at
        from oauth_grant join oauth_client on oauth_client.id = client_id
        where account_id = :account_id and revoked_at is null order by oauth_grant.id""",
        account_id=account_id,
    )
    return [
        Grant(account_id, grant_id, client_id, name, Kind(kind), scopes, created_at)
        for account_id, grant_id, client_id, name, kind, scopes, created_at in rows
    ]


def revoke_grant(tx: Tx, account_id: int, grant_id: int, now: int) -> None:
    """Withdraw what was allowed, with all its tokens. Raises NoSuchGrant."""
    if not end_grant(tx, account_id, grant_id, now):
        raise NoSuchGrant


def end_grant(tx: Tx, account_id: int, grant_id: int, now: int) -> bool:
    """The same; False where there is nothing to withdraw."""
    rows = tx.execute(
        """update oauth_grant set revoked_at = :now
        where account_id = :account_id and id = :id and revoked_at is null returning id""",
        account_id=account_id,
        id=grant_id,
        now=now,
    )
    if rows:
        revoke_tokens(tx, account_id, grant_id, now)
    return bool(rows)


def revoke_all_grants(tx: Tx, account_id: int, now: int) -> None:
    """Withdraw everything that an account allowed to anybody."""
    for table in ("oauth_grant", "oauth_token"):
        tx.execute(
            f"update {table} set revoked_at = :now where account_id = :account_id and revoked_at is null",
            account_id=account_id,
            now=now,
        )
    tx.execute("delete from oauth_code where account_id = :account_id", account_id=account_id)


def forget_account(tx: Tx, account_id: int) -> None:
    """Forget what a removed account allowed."""
    for table in ("oauth_grant", "oauth_code", "oauth_token", "oauth_device"):
        tx.execute(f"delete from {table} where account_id = :account_id", account_id=account_id)


# Tokens


def insert_token(tx: Tx, token: Token) -> None:
    """Keep a token that is issued now."""
    tx.execute(
        """insert into oauth_token (digest, kind, account_id, grant_id, client_id, scopes, issued_at, expires_at)
        values (:digest, :kind, :account_id, :grant_id, :client_id, :scopes, :issued_at, :expires_at)""",
        digest=token.digest,
        kind=token.kind,
        account_id=token.account_id,
        grant_id=token.grant_id,
        client_id=token.client_id,
        scopes=token.scopes,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
    )


def find_token(tx: Tx, digest: bytes) -> Token | None:
    """The token of this digest, alive or not."""
    rows = tx.execute(f"select {_COLUMNS} from oauth_token where digest = :digest", digest=digest)
    return Token(*rows[0]) if rows else None


def find_for_sign_in(tx: Tx, digest: bytes) -> Found | None:
    """The token of this digest with its program and its account, four rows by key."""
    rows = tx.execute(
        """select t.digest, t.kind, t.account_id, t.grant_id, t.client_id, t.scopes, t.issued_at, t.expires_at,
            t.used_at, t.revoked_at, c.name, a.address, a.state, a.rules, d.rules, a.over_limits
        from oauth_token t join oauth_client c on c.id = t.client_id join account a on a.id = t.account_id
            join domain d on d.id = a.domain_id
        where t.digest = :digest""",
        digest=digest,
    )
    if not rows:
        return None
    app, address, state, rules, domain_rules, over_limits = rows[0][10:]
    return Found(Token(*rows[0][:10]), app, address, state == "live", rules, domain_rules, over_limits)


def is_good(tx: Tx, digest: bytes, now: int) -> bool:
    """Whether a session that was opened with this token may go on."""
    return bool(
        tx.execute(
            """select 1 from oauth_token join account on account.id = account_id
            where digest = :digest and revoked_at is null and expires_at > :now and account.state = 'live'""",
            digest=digest,
            now=now,
        )
    )


def use_refresh_token(tx: Tx, digest: bytes, now: int) -> None:
    """Note that a refresh token was changed for the next one."""
    tx.execute(
        "update oauth_token set used_at = coalesce(used_at, :now) where digest = :digest", digest=digest, now=now
    )


def revoke_token(tx: Tx, digest: bytes, now: int) -> None:
    """End one token."""
    tx.execute(
        "update oauth_token set revoked_at = :now where digest = :digest and revoked_at is null", digest=digest, now=now
    )


def revoke_tokens(tx: Tx, account_id: int, grant_id: int, now: int) -> bool:
    """End every token of a grant; whether there was any."""
    ended = tx.execute(
        """update oauth_token set revoked_at = :now
        where account_id = :account_id and grant_id = :grant_id and revoked_at is null returning 1""",
        account_id=account_id,
        grant_id=grant_id,
        now=now,
    )
    return bool(ended)


def end_oldest_refresh_tokens(tx: Tx, account_id: int, client_id: str, keep: int, now: int) -> None:
    """Of an account's live refresh tokens for a program let only the newest stay."""
    rows = tx.execute(
        """select digest from oauth_token
        where client_id = :client_id and account_id = :account_id and kind = 'refresh' and revoked_at is null
            and used_at is null and expires_at > :now
        order by issued_at desc limit 100 offset :keep""",
        client_id=client_id,
        account_id=account_id,
        now=now,
        keep=keep,
    )
    for (digest,) in rows:
        revoke_token(tx, digest, now)


def issued_since(tx: Tx, client_id: str, since: int) -> int:
    """How many tokens a program got since a time."""
    [(count,)] = tx.execute(
        "select count(*) from oauth_token where client_id = :client_id and issued_at > :since",
        client_id=client_id,
        since=since,
    )
    return int(count)


def forget_dead(tx: Tx, before: int) -> None:
    """Forget tokens, codes and devices whose time ended before; until then the diary can say what they were."""
    for table in ("oauth_token", "oauth_code", "oauth_device"):
        tx.execute(f"delete from {table} where expires_at < :before", before=before)


# Codes


def insert_code(
    tx: Tx,
    digest: bytes,
    *,
    account_id: int,
    grant_id: int,
    client_id: str,
    redirect_uri: str,
    scopes: str,
    challenge: str,
    expires_at: int,
) -> None:
    """Keep an authorization code."""
    tx.execute(
        """insert into oauth_code
            (digest, account_id, grant_id, client_id, redirect_uri, scopes, challenge, expires_at)
        values (:digest, :account_id, :grant_id, :client_id, :redirect_uri, :scopes, :challenge, :expires_at)""",
        digest=digest,
        account_id=account_id,
        grant_id=grant_id,
        client_id=client_id,
        redirect_uri=redirect_uri,
        scopes=scopes,
        challenge=challenge,
        expires_at=expires_at,
    )


def find_code(tx: Tx, digest: bytes) -> Row | None:
    """(account, grant, client, redirect URI, scopes, challenge, expires at, used at) of a code."""
    rows = tx.execute(
        """select account_id, grant_id, client_id, redirect_uri, scopes, challenge, expires_at, used_at
        from oauth_code where digest = :digest""",
        digest=digest,
    )
    return rows[0] if rows else None


def use_code(tx: Tx, digest: bytes, now: int) -> None:
    """Note that a code was changed for tokens."""
    tx.execute("update oauth_code set used_at = :now where digest = :digest", digest=digest, now=now)


# Devices


def insert_device(
    tx: Tx, digest: bytes, *, user_code: str, client_id: str, scopes: str, now: int, expires_at: int
) -> None:
    """A device waits for its user."""
    tx.execute(
        """insert into oauth_device
            (digest, user_code, client_id, scopes, created_at, expires_at, asked_at, state)
        values (:digest, :user_code, :client_id, :scopes, :now, :expires_at, 0, 'waiting')""",
        digest=digest,
        user_code=user_code,
        client_id=client_id,
        scopes=scopes,
        now=now,
        expires_at=expires_at,
    )


def find_device(tx: Tx, digest: bytes) -> Row | None:
    """(user code, client, scopes, expires at, asked at, state, account, grant) of a device code."""
    rows = tx.execute(
        """select user_code, client_id, scopes, expires_at, asked_at, state, account_id, grant_id
        from oauth_device where digest = :digest""",
        digest=digest,
    )
    return rows[0] if rows else None


def find_waiting(tx: Tx, user_code: str, now: int) -> tuple[str, str] | None:
    """(client, scopes) of the device that waits under a user's code."""
    rows = tx.execute(
        """select client_id, scopes from oauth_device
        where user_code = :user_code and state = 'waiting' and expires_at > :now""",
        user_code=user_code,
        now=now,
    )
    return (str(rows[0][0]), str(rows[0][1])) if rows else None


def devices_since(tx: Tx, client_id: str, since: int) -> int:
    """How many devices of a program asked for a code since a time."""
    [(count,)] = tx.execute(
        "select count(*) from oauth_device where client_id = :client_id and created_at > :since",
        client_id=client_id,
        since=since,
    )
    return int(count)


def settle_device(tx: Tx, user_code: str, state: str, account_id: int | None, grant_id: int | None) -> None:
    """Somebody decided about a waiting device."""
    tx.execute(
        """update oauth_device set state = :state, account_id = :account_id, grant_id = :grant_id
        where user_code = :user_code""",
        user_code=user_code,
        state=state,
        account_id=account_id,
        grant_id=grant_id,
    )


def device_asked(tx: Tx, digest: bytes, now: int) -> None:
    """A device asked whether it was decided."""
    tx.execute("update oauth_device set asked_at = :now where digest = :digest", digest=digest, now=now)


def forget_device(tx: Tx, digest: bytes) -> None:
    """The device has its tokens."""
    tx.execute("delete from oauth_device where digest = :digest", digest=digest)
