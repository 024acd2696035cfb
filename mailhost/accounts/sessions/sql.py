"""Live sessions, the processes that serve them, and the octets moved in a day, as rows."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailhost.accounts.sql import topic
from mailhost.errors import MailhostError
from mailhost.storage.database import Tx

DAY_SECONDS = 86_400
_COLUMNS = "account_id, id, process, protocol, credential_id, peer, client_id, opened_at, heard_at"


@dataclass(frozen=True, slots=True)
class LiveSession:
    """One session, as its owner sees it in a list of devices. `opened_at` is a Unix time, and so is `heard_at`: when
    its client last said anything, to a minute."""

    account_id: int
    id: str
    process: str
    protocol: str
    credential_id: int
    peer: str
    client_id: str
    opened_at: int
    heard_at: int


class NoSuchSession(MailhostError):
    """The account has no live session of this id."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A daily limit that an account has reached: what is counted, how many octets are allowed, when the day ends."""

    kind: str
    limit: int
    until: int


def record_sessions(tx: Tx, sessions: Iterable[LiveSession]) -> None:
    """Note sessions that were opened, or whose client has said something since, be it its name."""
    tx.execute_many(
        """insert into live_session
            (account_id, id, process, protocol, credential_id, peer, client_id, opened_at, heard_at, must_end)
        values (:account_id, :id, :process, :protocol, :credential_id, :peer, :client_id, :opened_at, :heard_at, 0)
        on conflict (account_id, id) do update set client_id = excluded.client_id, heard_at = excluded.heard_at""",
        [
            {
                "account_id": session.account_id,
                "id": session.id,
                "process": session.process,
                "protocol": session.protocol,
                "credential_id": session.credential_id,
                "peer": session.peer,
                "client_id": session.client_id,
                "opened_at": session.opened_at,
                "heard_at": session.heard_at,
            }
            for session in sessions
        ],
    )


def remove_sessions(tx: Tx, sessions: Iterable[tuple[int, str]]) -> None:
    """Note that (account, session) ended."""
    tx.execute_many(
        "delete from live_session where account_id = :account_id and id = :id",
        [{"account_id": account_id, "id": session_id} for account_id, session_id in sessions],
    )


def list_sessions(tx: Tx, account_id: int) -> list[LiveSession]:
    """Who is signed in to an account and was not sent away, the oldest session first."""
    rows = tx.execute(
        f"""select {_COLUMNS} from live_session
        where account_id = :account_id and must_end = 0 order by opened_at, id""",
        account_id=account_id,
    )
    return [LiveSession(*row) for row in rows]


def sign_out(tx: Tx, account_id: int, session_id: str) -> None:
    """Send one session away: its process hears of it at once, its client may sign in again. Raises NoSuchSession."""
    rows = tx.execute(
        "update live_session set must_end = 1 where account_id = :account_id and id = :id returning id",
        account_id=account_id,
        id=session_id,
    )
    if not rows:
        raise NoSuchSession
    tx.wake(topic(account_id))


def sign_out_all(tx: Tx, account_id: int) -> int:
    """Send every session of the account away; how many there were."""
    rows = tx.execute(
        "update live_session set must_end = 1 where account_id = :account_id and must_end = 0 returning id",
        account_id=account_id,
    )
    tx.wake(topic(account_id))
    return len(rows)


def must_end(tx: Tx, account_id: int, session_id: str) -> bool:
    """Whether a session was sent away."""
    rows = tx.execute(
        "select must_end from live_session where account_id = :account_id and id = :id",
        account_id=account_id,
        id=session_id,
    )
    return bool(rows) and rows[0][0] != 0


def sessions_elsewhere(tx: Tx, account_id: int, protocol: str, process: str) -> list[LiveSession]:
    """The account's sessions in other processes that were not sent away, the oldest first."""
    rows = tx.execute(
        f"""select {_COLUMNS} from live_session
        where account_id = :account_id and protocol = :protocol and process <> :process and must_end = 0
        order by opened_at, id""",
        account_id=account_id,
        protocol=protocol,
        process=process,
    )
    return [LiveSession(*row) for row in rows]


def beat(tx: Tx, process: str, *, now: int, dead_before: int) -> int:
    """Say that a process lives, and bury those that have not said so for long; how many others live."""
    tx.execute(
        """insert into server_process (id, seen_at) values (:process, :now)
        on conflict (id) do update set seen_at = excluded.seen_at""",
        process=process,
        now=now,
    )
    for (dead,) in tx.execute("select id from server_process where seen_at < :before", before=dead_before):
        bury(tx, dead)
    [(others,)] = tx.execute("select count(*) from server_process where id <> :process", process=process)
    return int(others)


def bury(tx: Tx, process: str) -> list[tuple[int, str, str]]:
    """Forget a process and its sessions; returns account, session and protocol of each."""
    tx.execute("delete from server_process where id = :process", process=process)
    return tx.execute(
        "delete from live_session where process = :process returning account_id, id, protocol", process=process
    )


def bury_all(tx: Tx) -> None:
    """Forget every process and its sessions: a server begins, and an earlier one may have been killed."""
    tx.execute("delete from live_session")
    tx.execute("delete from server_process")


def count_octets(tx: Tx, moved: Mapping[tuple[int, str], int], now: int) -> dict[tuple[int, str], int]:
    """Add what (account, kind) moved; the day's sums so far (days are UTC's). Earlier days of these are forgotten."""
    day = now // DAY_SECONDS
    sums: dict[tuple[int, str], int] = {}
    for (account_id, kind), octets in sorted(moved.items()):
        [(total,)] = tx.execute(
            """insert into octets_moved (account_id, day, kind, octets) values (:account_id, :day, :kind, :octets)
            on conflict (account_id, day, kind) do update set octets = octets_moved.octets + excluded.octets
            returning octets""",
            account_id=account_id,
            day=day,
            kind=kind,
            octets=octets,
        )
        if total == octets:  # the first of the day
            tx.execute(
                "delete from octets_moved where account_id = :account_id and day < :day", account_id=account_id, day=day
            )
        sums[account_id, kind] = int(total)
    return sums


def octets_today(tx: Tx, account_id: int, now: int) -> dict[str, int]:
    """What an account moved today, by kind."""
    rows = tx.execute(
        "select kind, octets from octets_moved where account_id = :account_id and day = :day",
        account_id=account_id,
        day=now // DAY_SECONDS,
    )
    return dict(rows)


def rules_columns(tx: Tx, account_id: int) -> tuple[str, str, str] | None:
    """The columns with the account's rules, its domain's, and the limits it has reached; None when it is gone."""
    rows = tx.execute(
        """select account.rules, domain.rules, account.over_limits
        from account join domain on domain.id = account.domain_id where account.id = :account_id""",
        account_id=account_id,
    )
    return rows[0] if rows else None


def close_for_today(tx: Tx, account_id: int, reached: Iterable[Reached]) -> None:
    """Note which limits the account has reached; its sessions hear of it at once."""
    text = json.dumps([[one.kind, one.limit, one.until] for one in reached])
    tx.execute("update account set over_limits = :text where id = :account_id", text=text, account_id=account_id)
    tx.wake(topic(account_id))


def read_reached(text: str) -> list[Reached]:
    """The column `over_limits`."""
    return [Reached(*fields) for fields in json.loads(text)] if text else []
