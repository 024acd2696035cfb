"""Known places as rows: (account, credential, network, program), when first and when last."""

from collections.abc import Iterable
from dataclasses import dataclass

from mailhost.storage.database import Tx

KEEP_SECONDS = 180 * 86_400
_MOST = 200  # rows of one credential that are looked at


@dataclass(frozen=True, slots=True)
class Place:
    """A network (/24 or /48) and a program, and when the credential was right there first and last (Unix seconds)."""

    network: str
    client: str
    first_at: int
    last_at: int


def places_of(tx: Tx, account_id: int, credential_id: int) -> list[Place]:
    """Where a credential is at home; of many places the newest."""
    rows = tx.execute(
        """select network, client, first_at, last_at from known_place
        where account_id = :account_id and credential_id = :credential_id order by last_at desc limit :most""",
        account_id=account_id,
        credential_id=credential_id,
        most=_MOST,
    )
    return [Place(*row) for row in rows]


def record_places(tx: Tx, places: Iterable[tuple[int, int, str, str, int]]) -> None:
    """Note that (account, credential) was right in (network, with a program) at a time."""
    tx.execute_many(
        """insert into known_place (account_id, credential_id, network, client, first_at, last_at)
        values (:account_id, :credential_id, :network, :client, :at, :at)
        on conflict (account_id, credential_id, network, client)
        do update set last_at = excluded.last_at where known_place.last_at < excluded.last_at""",
        [
            {"account_id": account_id, "credential_id": credential_id, "network": network, "client": client, "at": at}
            for account_id, credential_id, network, client, at in sorted(places)
        ],
    )


def knows_network(tx: Tx, account_id: int, network: str, since: int) -> bool:
    """Whether the account signed in from a network since a time."""
    return bool(
        tx.execute(
            """select 1 from known_place where network = :network and last_at > :since and account_id = :account_id
            limit 1""",
            account_id=account_id,
            network=network,
            since=since,
        )
    )


def accounts_in(tx: Tx, network: str, since: int, at_most: int) -> int:
    """How many accounts signed in from a network since a time, counted up to a number."""
    [(found,)] = tx.execute(
        """select count(*) from (
            select distinct account_id from known_place where network = :network and last_at > :since
            limit :at_most) as found""",
        network=network,
        since=since,
        at_most=at_most,
    )
    return int(found)


def forget_places(tx: Tx, before: int) -> None:
    """Forget where nobody was since a time."""
    tx.execute("delete from known_place where last_at < :before", before=before)
