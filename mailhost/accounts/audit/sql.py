"""The sign-in diary as rows: written in batches, read newest first, kept for a time and up to a number."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from mailhost.accounts.audit.model import DOORSTEP, LET_IN, NOBODY, PASSING, Cause, Occurrence, SignIn
from mailhost.storage.database import Row, Tx
from mailhost.storage.sql import take_id

_COLUMNS: Final = """account_id, cause, address, protocol, port, peer, network, tls_version, mechanism, client_id,
    credential_id, at, connection_id, attempts, facts, id"""
_LET_IN: Final = ", ".join(sorted(f"'{cause.value}'" for cause in LET_IN))
_NO_FAILURE: Final = ", ".join(sorted(f"'{cause.value}'" for cause in LET_IN | PASSING))
NEWEST: Final = 1 << 62
"""An id before which every row stands."""
KNOWN_SECONDS: Final = 86_400
"""An owner reads what happened on the doorstep from networks where they signed in within this time."""


def record_sign_ins(tx: Tx, batch: Sequence[tuple[SignIn, Occurrence]]) -> None:
    """Write one row for each sign-in. What comes late for a removed account goes with its age, like NOBODY's."""
    tx.execute_many(
        """insert into sign_in (account_id, id, at, cause, address, protocol, port, peer, network, tls_version,
            mechanism, client_id, connection_id, credential_id, attempts, facts)
        values (:account_id, :id, :at, :cause, :address, :protocol, :port, :peer, :network, :tls_version, :mechanism,
            :client_id, :connection_id, :credential_id, :attempts, :facts)""",
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
                "facts": json.dumps(occurrence.facts, ensure_ascii=False) if occurrence.facts else "",
            }
            for sign_in, occurrence in batch
        ],
    )


def list_sign_ins(
    tx: Tx, account_id: int, *, at_most: int = 100, before: int = NEWEST, failures_only: bool = False
) -> list[tuple[SignIn, Occurrence]]:
    """What the diary says of an account, or of NOBODY or the DOORSTEP, the newest first, from before a row's id."""
    wanted = f"and cause not in ({_NO_FAILURE})" if failures_only else ""
    rows = tx.execute(
        f"""select {_COLUMNS} from sign_in where account_id = :account_id and id < :before {wanted}
        order by id desc limit :at_most""",
        account_id=account_id,
        before=before,
        at_most=at_most,
    )
    return [_entry(row) for row in rows]


def list_unusual(tx: Tx, account_id: int, *, at_most: int = 20) -> list[tuple[SignIn, Occurrence]]:
    """The sign-ins that were let in although they were unusual, the newest first."""
    rows = tx.execute(
        f"""select {_COLUMNS} from sign_in where account_id = :account_id and cause = :cause
        order by id desc limit :at_most""",
        account_id=account_id,
        cause=Cause.SIGNED_IN_UNUSUALLY.value,
        at_most=at_most,
    )
    return [_entry(row) for row in rows]


def list_doorstep_of(
    tx: Tx, account_id: int, *, now: int, at_most: int = 100, before: int = NEWEST
) -> list[tuple[SignIn, Occurrence]]:
    """What ended before a name was known in networks where the account signed in within a day, the newest first."""
    rows = tx.execute(
        f"""select {_COLUMNS} from sign_in
        where account_id = :doorstep and id < :before and at > :since and network in (
            select network from sign_in
            where account_id = :account_id and at > :since and cause in ({_LET_IN}))
        order by id desc limit :at_most""",
        doorstep=DOORSTEP,
        account_id=account_id,
        since=now - KNOWN_SECONDS,
        before=before,
        at_most=at_most,
    )
    return [_entry(row) for row in rows]


def list_unknown_names(tx: Tx, domain: str, *, at_most: int = 100) -> list[tuple[SignIn, Occurrence]]:
    """Who tried names of a domain that are nobody's, the newest first."""
    rows = tx.execute(
        f"""select {_COLUMNS} from sign_in where account_id = :nobody and address like :pattern escape '!'
        order by id desc limit :at_most""",
        nobody=NOBODY,
        pattern="%@" + domain.replace("!", "!!").replace("%", "!%").replace("_", "!_"),
        at_most=at_most,
    )
    return [_entry(row) for row in rows]


def count_failures(tx: Tx, account_id: int, since: int) -> int:
    """How many attempts on the account failed since a time, as far as its newest 200 rows tell."""
    [(failures,)] = tx.execute(
        f"""select coalesce(sum(attempts), 0) from (
            select at, cause, attempts from sign_in where account_id = :account_id order by id desc limit 200
        ) as newest where at > :since and cause not in ({_NO_FAILURE})""",
        account_id=account_id,
        since=since,
    )
    return int(failures)


def _entry(row: Row) -> tuple[SignIn, Occurrence]:
    account_id, cause, *facts_of_sign_in = row[:11]
    at, connection_id, attempts, facts, row_id = row[11:]
    sign_in = SignIn(account_id, Cause(cause), *facts_of_sign_in)
    return sign_in, Occurrence(at, connection_id, attempts, json.loads(facts) if facts else {}, row_id)


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
