"""Held sign-ins as rows: one for each credential, network and program."""

from dataclasses import dataclass
from enum import Enum

from mailhost.errors import MailhostError
from mailhost.storage.database import Tx

KEEP_SECONDS = 30 * 86_400
MOST_WAITING = 20
"""Of one credential: whoever has it can call a program what they like, and the owner gets a message for each."""
_COLUMNS = "state, id, credential_id, network, client, peer, protocol, why, first_at, last_at, attempts"


class State(Enum):
    """What the owner said."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Held:
    """One such sign-in, as its owner sees it. `why` are the signs, commas between; times are Unix seconds."""

    state: State
    id: int
    credential_id: int
    network: str
    client: str
    peer: str
    protocol: str
    why: str
    first_at: int
    last_at: int
    attempts: int


class NoSuchHeld(MailhostError):
    """The account has no sign-in of this number that waits."""


def hold(
    tx: Tx,
    account_id: int,
    credential_id: int,
    *,
    network: str,
    client: str,
    peer: str,
    protocol: str,
    why: str,
    now: int,
) -> bool:
    """Note that a sign-in is held; whether it is the first of its kind, of which the owner is to be told.

    Beyond MOST_WAITING nothing is noted: the owner has enough to decide about the credential.
    """
    again = tx.execute(
        """update held_sign_in set last_at = :now, attempts = attempts + 1, peer = :peer, why = :why
        where account_id = :account_id and credential_id = :credential_id and network = :network and client = :client
            and state = 'waiting' returning id""",
        account_id=account_id,
        credential_id=credential_id,
        network=network,
        client=client,
        peer=peer,
        why=why,
        now=now,
    )
    if again:
        return False
    [(waiting,)] = tx.execute(
        """select count(*) from held_sign_in
        where account_id = :account_id and credential_id = :credential_id and state = 'waiting'""",
        account_id=account_id,
        credential_id=credential_id,
    )
    if waiting >= MOST_WAITING:
        return False
    tx.execute("delete from held_sign_in where last_at < :before", before=now - KEEP_SECONDS)
    [(last,)] = tx.execute(
        "select coalesce(max(id), 0) from held_sign_in where account_id = :account_id", account_id=account_id
    )
    tx.execute(
        """insert into held_sign_in (account_id, id, credential_id, network, client, peer, protocol, why, first_at,
            last_at, attempts, state)
        values (:account_id, :id, :credential_id, :network, :client, :peer, :protocol, :why,
            :now, :now, 1, 'waiting')""",
        account_id=account_id,
        id=int(last) + 1,
        credential_id=credential_id,
        network=network,
        client=client,
        peer=peer,
        protocol=protocol,
        why=why,
        now=now,
    )
    return True


def list_held(tx: Tx, account_id: int, at_most: int = 100) -> list[Held]:
    """An account's held sign-ins, the newest first, decided or not."""
    rows = tx.execute(
        f"""select {_COLUMNS} from held_sign_in where account_id = :account_id
        order by id desc limit :at_most""",
        account_id=account_id,
        at_most=at_most,
    )
    return [Held(State(row[0]), *row[1:]) for row in rows]


def count_waiting(tx: Tx, account_id: int) -> int:
    """How many sign-ins of the account wait for its owner's word, but for those of app passwords that have ended."""
    [(count,)] = tx.execute(
        """select count(*) from held_sign_in where account_id = :account_id and state = 'waiting' and not exists (
            select 1 from app_password where app_password.account_id = held_sign_in.account_id
                and app_password.id = credential_id and revoked_at is not null)""",
        account_id=account_id,
    )
    return int(count)


def refuse_all(tx: Tx, account_id: int, credential_id: int) -> None:
    """The credential is in wrong hands: whatever of it waits was not its owner."""
    tx.execute(
        """update held_sign_in set state = 'refused'
        where account_id = :account_id and credential_id = :credential_id and state = 'waiting'""",
        account_id=account_id,
        credential_id=credential_id,
    )


def settle(tx: Tx, account_id: int, held_id: int, state: State) -> Held:
    """The owner has spoken. Raises NoSuchHeld when nothing waits under this number."""
    rows = tx.execute(
        f"""update held_sign_in set state = :state
        where account_id = :account_id and id = :id and state = 'waiting' returning {_COLUMNS}""",
        account_id=account_id,
        id=held_id,
        state=state.value,
    )
    if not rows:
        raise NoSuchHeld
    return Held(State(rows[0][0]), *rows[0][1:])
