"""The sign-in diary as rows: written in batches, read newest first, kept for a time and up to a number."""

from collections.abc import Iterable, Sequence

from mailhost.accounts.audit.model import Cause, Occurrence, SignIn
from mailhost.storage.database import Tx
from mailhost.storage.sql import take_id


def record_sign_ins(tx: Tx, batch: Sequence[tuple[SignIn, Occurrence]]) -> None:
    """Write one row for each sign-in. What comes late for a removed account goes with its age, like NOBODY's."""
    tx.execute_many(
        """insert into sign_in (account_id, id, at, cause, address, protocol, port, peer, network, tls_version,
            mechanism, client_id, connection_id, credential_id, attempts)
        values (:account_id, :id, :at, :cause, :address, :protocol, :port, :peer, :network, :tls_version, :mechanism,
            :client_id, :connection_id, :credential_id, :attempts)""",
        [
            {
                "account_id": sign_in.account_id,
                "id": take_id(tx, "sign_in"),
                "at": occurrence.at,
                "cause": sign_in.cause.value,
                "address": sign_in.address,
                "protocol": sign_in.protocol,
                "port": sign_in.port,
                "peer": sign_in.peer,
                "network": sign_in.network,
                "tls_version": sign_in.tls_version,
                "mechanism": sign_in.mechanism,
                "client_id": sign_in.client_id,
                "connection_id": occurrence.connection_id,
                "credential_id": sign_in.credential_id,
                "attempts": occurrence.attempts,
            }
            for sign_in, occurrence in batch
        ],
    )


def list_sign_ins(tx: Tx, account_id: int, *, at_most: int = 100) -> list[tuple[SignIn, Occurrence]]:
    """What the diary says of an account (NOBODY for unknown names), the newest first."""
    rows = tx.execute(
        """select cause, address, protocol, port, peer, network, tls_version, mechanism, client_id, credential_id,
            at, connection_id, attempts
        from sign_in where account_id = :account_id order by id desc limit :at_most""",
        account_id=account_id,
        at_most=at_most,
    )
    return [(SignIn(account_id, Cause(row[0]), *row[1:10]), Occurrence(*row[10:])) for row in rows]


def trim_sign_ins(tx: Tx, account_ids: Iterable[int], *, before: int, keep: int) -> None:
    """Of each account forget what happened before a time, and all but the newest `keep` rows."""
    for account_id in account_ids:
        rows = tx.execute(
            "select id from sign_in where account_id = :account_id order by id desc limit 1 offset :keep",
            account_id=account_id,
            keep=keep,
        )
        tx.execute(
            "delete from sign_in where account_id = :account_id and (id <= :last_id or at < :before)",
            account_id=account_id,
            last_id=rows[0][0] if rows else 0,
            before=before,
        )


def accounts_with_sign_ins(tx: Tx, after: int, at_most: int) -> list[int]:
    """Ids of accounts that the diary tells of, ascending, those behind `after`; NOBODY is one of them."""
    found: list[int] = []
    while len(found) < at_most:
        # One step down the key for each account: a `distinct` would read every row.
        rows = tx.execute("select min(account_id) from sign_in where account_id > :after", after=after)
        if rows[0][0] is None:
            break
        after = int(rows[0][0])
        found.append(after)
    return found
